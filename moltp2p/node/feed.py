"""A feed that can be gone on with: all arrivals since a number, then those to come.

It is read from the log of arrivals, at its reader's pace; what is told live only wakes
it. So a reader that is slow, or comes back later, misses nothing but what is gone from
this node, and is told how much that was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final, Self

import trio

from moltp2p.core.errors import UsageError
from moltp2p.node.events import Arrival, Hub
from moltp2p.store.base import Store

PAGE_ARRIVALS: Final = 256
"""Read at a time: at most 16 MiB of records."""


class Feed:
    """Arrivals behind a number, oldest first: `async with` it, `async for` over it.

    Args:
        store: a listener's.
        hub: tells that there is something new.
        after: the number of the last arrival that is known; None for the newest.
        last: the number of the newest.

    Raises:
        UsageError: `bad-cursor` when no arrival has that number yet.
    """

    def __init__(self, store: Store, hub: Hub, after: int | None, last: int) -> None:
        if after is not None and after > last:
            raise UsageError(
                "bad-cursor",
                f"{after} is the number of no arrival here",
                "a cursor holds for the node that gave it; begin with 0, or without",
            )
        self._store = store
        self._after = last if after is None else after
        self._missed = 0
        self._page: deque[Arrival] = deque()
        self._news = hub.subscribe(None)

    def close(self) -> None:
        """Stop."""
        self._news.close()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        self.close()

    def __aiter__(self) -> Self:
        """Iterate over arrivals, in the order in which they came."""
        return self

    async def __anext__(self) -> Arrival:
        """Wait for the next arrival; ends when the node closes. May be cancelled."""
        while not self._page:
            # What is told while we read is told once more, at worst.
            self._news.skip()
            if not await trio.to_thread.run_sync(self._read):
                await anext(self._news)
        return self._page.popleft()

    def _read(self) -> bool:
        """Read a page of the log; tell whether there was one."""
        arrived = self._store.arrivals(self._after, PAGE_ARRIVALS)
        held = self._store.get_many([each.record for each in arrived])
        after, missed = self._after, self._missed
        page: list[Arrival] = []
        for each, stored in zip(arrived, held, strict=True):
            missed += each.number - after - 1
            after = each.number
            if stored is None:
                missed += 1
                continue
            came = each.came
            told = Arrival(
                stored, came.road, came.peer, number=after, came_ms=came.at_ms
            )
            page.append(replace(told, missed=missed))
            missed = 0
        # All at once: a call that is cancelled has read nothing, or everything.
        self._after, self._missed = after, missed
        self._page.extend(page)
        return bool(arrived)
