"""The facade: the only place where the store, the network and the keys meet."""
