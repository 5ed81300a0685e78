"""How fast one peer's RPCs are read: no faster than we would want from anybody."""

from __future__ import annotations

from typing import Final

import trio

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.settings import MAX_RATED_PEERS
from moltp2p.proto.ratelimit import Rate, RateLimiter

RPC_RATE: Final = Rate(per_s=4096, burst=8192)
"""RPCs read from one peer. Two bytes make an RPC, which costs 20 us at least."""

GRAYLISTED_COST: Final = 64
"""What an RPC counts of a peer that is not heard anyway."""


class Pacing:
    """Slows the reading of peers that say too much; the transport then slows them.

    Args:
        router: knows whom it does not hear.

    Attributes:
        paused_s: time in which peers were not read.
    """

    def __init__(self, router: Gossip) -> None:
        self.paused_s = 0.0
        self._router = router
        self._readings: RateLimiter[PeerId] = RateLimiter(RPC_RATE, MAX_RATED_PEERS)

    async def after_rpc(self, peer: PeerId) -> None:
        """Return when the next RPC of a peer may be read; at once, mostly."""
        cost = GRAYLISTED_COST if self._router.is_graylisted(peer) else 1
        pause_s = self._readings.wait_s(peer, cost, trio.current_time())
        if pause_s:
            self.paused_s += pause_s
            await trio.sleep(pause_s)
