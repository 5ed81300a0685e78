"""Finding peers: known addresses, whom to dial, what peers tell of others."""
