"""Why a node has no peers, in words: checks of a machine, and of those it dials."""
