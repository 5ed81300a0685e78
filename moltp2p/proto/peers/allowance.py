"""How often we dial because a peer asks us to, who might mean somebody else's harm."""

from __future__ import annotations

from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.ratelimit import Rate, RateLimiter

MAX_PEERS: Final = 1_024
"""Peers whose rate is kept apart."""


class Allowance:
    """What is left for one peer, and for all together.

    Args:
        per_peer: for each.
        in_all: for all together.
    """

    def __init__(self, per_peer: Rate, in_all: Rate) -> None:
        self._of_peer: RateLimiter[PeerId] = RateLimiter(per_peer, MAX_PEERS)
        self._of_all: RateLimiter[None] = RateLimiter(in_all, 1)

    def take(self, peer: PeerId, now: float) -> bool:
        """Take one request's worth; return False when there were too many."""
        return self._of_peer.take(peer, 1, now) and self._of_all.take(None, 1, now)
