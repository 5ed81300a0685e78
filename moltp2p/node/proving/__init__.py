"""A node's proof: tasks set for others, and its own answered (spec 07)."""
