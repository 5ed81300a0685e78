"""How late the event loop is: the one figure in which all that is too slow shows.

A task sleeps for `PROBE_S` and looks how much longer it took. Whatever holds the loop,
a long computation or a machine that is too busy, holds this task as long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Final

import trio

PROBE_S: Final = 0.25
RECENT_S: Final = 60.0
"""How long a lag is remembered for `worst_s`."""

BUCKETS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper ends, seconds; what is above the last has a bucket of its own."""


class LoopLag:
    """Measures while `run` runs.

    Attributes:
        counts: lags by bucket.
        sum_s: all lags together, seconds.
        beats: how often it was measured.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0
        self.beats = 0
        # Falling lags, each with its time: the first is the worst of the last minute.
        self._worst: deque[tuple[float, float]] = deque()
        self._beaten = trio.Event()

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            due = trio.current_time() + PROBE_S
            await trio.sleep_until(due)
            now = trio.current_time()
            self.note(max(0.0, now - due), now)

    def note(self, lag_s: float, now: float) -> None:
        """Take one measurement."""
        self.counts[bisect_left(BUCKETS_S, lag_s)] += 1
        self.sum_s += lag_s
        self.beats += 1
        while self._worst and self._worst[-1][1] <= lag_s:
            self._worst.pop()
        self._worst.append((now, lag_s))
        self._beaten.set()
        self._beaten = trio.Event()

    def worst_s(self, now: float) -> float:
        """Return the greatest lag of the last minute."""
        while self._worst and now - self._worst[0][0] > RECENT_S:
            self._worst.popleft()
        return self._worst[0][1] if self._worst else 0.0

    async def wait_beat(self) -> None:
        """Return after the next measurement: the loop has come round."""
        await self._beaten.wait()
