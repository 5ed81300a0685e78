"""The parts of the simulator; `moltp2p.testing.simulator` puts them together."""
