"""`moltp2p admin`: what an operator does to a running node."""
