"""Signed records on this machine: on LevelDB, or in memory."""
