"""The command `moltp2p`: one file per command, each a client of the local API."""
