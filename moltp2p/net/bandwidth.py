"""The limit on bandwidth up and down, all peers together.

Whoever is over it waits; nothing is dropped. Downwards we do not read for that long,
and TCP makes the peers wait. Upwards a stream waits before it writes, outside of the
time that its peer has for reading: our own limit is no fault of a peer's.
Each wait is one task's, in the order of asking, and never the loop's.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

import trio

from moltp2p.net.base import ConnectionLimits, LimitUse
from moltp2p.proto.rate_meter import RateMeter
from moltp2p.proto.ratelimit import Rate, RateLimiter

BURST_S: Final = 1.0
"""How many seconds' worth of bytes may go at once, after a pause."""

BEHIND_S: Final = 0.5
"""A queue of our own of so many seconds says that the limit is what holds us up."""

LIMITED_READ_BYTES: Final = 32 * 1024
"""Read at once from each peer while there is a limit: they take turns."""


class Bandwidth:
    """Counts what goes up and down, and makes it wait.

    Args:
        limits: `up_bytes_s` and `down_bytes_s`; 0 for no limit.

    Attributes:
        up: bytes sent.
        down: bytes received.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.up = RateMeter()
        self.down = RateMeter()
        self._limits = limits
        self._up_rate = _limiter(limits.up_bytes_s)
        self._down_rate = _limiter(limits.down_bytes_s)
        self._waits = Counter[str]()
        self._up_until = -math.inf

    @property
    def read_bytes(self) -> int | None:
        """Return how much to read at once; None for as much as there is."""
        return None if self._down_rate is None else LIMITED_READ_BYTES

    async def wait_up(self, count: int) -> None:
        """Wait until `count` bytes may be sent."""
        if self._up_rate is None:
            return
        now = trio.current_time()
        wait_s = self._up_rate.wait_s("up", count, now)
        if wait_s > 0:
            self._waits["up"] += 1
            self._up_until = max(self._up_until, now + wait_s)
            await trio.sleep(wait_s)

    def sent(self, count: int) -> None:
        """Count bytes that were sent."""
        self.up.add(count, trio.current_time())

    def received(self, count: int) -> float:
        """Count bytes that were read; return when to read on, on trio's clock."""
        now = trio.current_time()
        self.down.add(count, now)
        if self._down_rate is None:
            return -math.inf
        wait_s = self._down_rate.wait_s("down", count, now)
        self._waits["down"] += wait_s > 0
        return now + wait_s

    def is_throttled(self) -> bool:
        """Tell whether what is to be sent waits for the limit, and not for peers."""
        return self._up_until - trio.current_time() > BEHIND_S

    def use(self, now: float) -> dict[str, LimitUse]:
        """Return both limits, and what of them is in use, bytes a second."""
        limits, waits = self._limits, self._waits
        return {
            "up_bytes_s": LimitUse(limits.up_bytes_s, self.up.per_s(now), waits["up"]),
            "down_bytes_s": LimitUse(
                limits.down_bytes_s, self.down.per_s(now), waits["down"]
            ),
        }


def _limiter(bytes_s: int) -> RateLimiter[str] | None:
    return RateLimiter(Rate(bytes_s, bytes_s * BURST_S), 1) if bytes_s else None
