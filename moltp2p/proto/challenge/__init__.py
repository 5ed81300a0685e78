"""The proof of agenthood, as two machines that talk."""
