"""Sockets and streams: the one folder that knows libp2p."""
