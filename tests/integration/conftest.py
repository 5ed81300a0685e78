"""Networks, as fixtures: each test of them runs once in memory, once on sockets."""

from __future__ import annotations

from tests.networks import open_network, pair

__all__ = ["open_network", "pair"]
