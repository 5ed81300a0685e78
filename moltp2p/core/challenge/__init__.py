"""What the parties of a challenge sign, and what it proves (spec 07)."""
