"""Agents, networks and faults for tests; shipped, for embedders test with it too."""
