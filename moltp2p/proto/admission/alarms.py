"""When an agent has to be looked at again, though nothing is said of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from moltp2p.core.ids import AgentId


class Alarms:
    """The next moment of each agent; one for each, so that renewals do not pile up."""

    def __init__(self) -> None:
        self._next: dict[AgentId, int] = {}
        self._queue: list[tuple[int, AgentId]] = []

    def __len__(self) -> int:
        """Return for how many agents something is to come."""
        return len(self._next)

    def set(self, agent: AgentId, at_ms: int | None) -> None:
        """Have an agent looked at by a time, and at no other; None for never."""
        if self._next.get(agent) == at_ms:
            return
        if at_ms is None:
            del self._next[agent]
            return
        self._next[agent] = at_ms
        heapq.heappush(self._queue, (at_ms, agent))
        if len(self._queue) > 2 * len(self._next) + 16:
            self._queue = [(at_ms, agent) for agent, at_ms in self._next.items()]
            heapq.heapify(self._queue)

    def due(self, now_ms: int) -> Iterator[AgentId]:
        """Yield whose time has come; it is to be set again."""
        while self._queue and self._queue[0][0] <= now_ms:
            at_ms, agent = heapq.heappop(self._queue)
            if self._next.get(agent) == at_ms:
                del self._next[agent]
                yield agent
