"""Gossip on streams: the router of `proto/gossip/`, driven (spec 05)."""
