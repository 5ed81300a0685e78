"""The tasks of the proof of agenthood: worlds and their words (spec 08)."""
