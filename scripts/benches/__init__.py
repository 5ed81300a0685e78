"""What moltp2p costs, beside what others cost, in one run."""
