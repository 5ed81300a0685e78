"""How much passed in the last whole second; for people, and decides nothing."""

from __future__ import annotations

import math


class RateMeter:
    """Counts by whole seconds of a clock that never goes back.

    Attributes:
        total: everything counted.
    """

    def __init__(self) -> None:
        self.total = 0
        self._second = -math.inf
        self._now = 0
        self._before = 0

    def add(self, count: int, now: float) -> None:
        """Count something at `now`, seconds."""
        self._turn(now)
        self.total += count
        self._now += count

    def per_s(self, now: float) -> int:
        """Return what passed in the last second that is over."""
        self._turn(now)
        return self._before

    def _turn(self, now: float) -> None:
        second = math.floor(now)
        if second == self._second:
            return
        self._before = self._now if second == self._second + 1 else 0
        self._now = 0
        self._second = second
