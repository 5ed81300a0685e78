"""Virtual time: what will happen, and in which order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class Timeline:
    """A queue of calls by time; what falls on the same time runs as it was planned.

    Attributes:
        now: the virtual time, in seconds from the start.
        event_count: how many calls were made.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.event_count = 0
        # The number decides between equal times, so that calls are never compared.
        self._queue: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._numbers = count()

    def at(self, time_s: float, call: Callable[[Any], object], argument: Any) -> None:  # noqa: ANN401 - the call's own
        """Plan `call(argument)`; a time that has passed means at once."""
        heapq.heappush(self._queue, (time_s, next(self._numbers), call, argument))

    def run(self, until_s: float) -> None:
        """Make the calls that fall before a time, and let it become that time."""
        queue, pop = self._queue, heapq.heappop
        made = 0
        while queue and queue[0][0] < until_s:
            time_s, _, call, argument = pop(queue)
            self.now = max(self.now, time_s)
            call(argument)
            made += 1
        self.now = until_s
        self.event_count += made
