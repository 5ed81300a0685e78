"""Ending with what peers have: comparing, fetching, and serving others (spec 06)."""
