"""Who counts as an agent, by what the records attest."""
