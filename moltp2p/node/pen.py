"""Records that wait for their author's rotation, or its proof, to arrive.

These and what an agent says travel on different topics, so that either may come
first. What waits here is lost on a restart, and found again by reconciliation.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import AgentId, PeerId, RecordId
from moltp2p.core.validate import Reading, Road, Ruling

PEN_RECORDS: Final = 1_024
PEN_BYTES: Final = 8 * 2**20
PEN_RECORDS_PER_AGENT: Final = 64
"""Above any of these, the record that has waited longest makes room."""

AWAITS_CHAIN: Final = frozenset({"key-unknown", "not-committed"})
"""The codes of rulings that a record of the agent's key chain may change."""

AWAITS_PROOF: Final = frozenset({"unverified", "proof-expired"})
"""The codes of rulings that a proof may change."""

AWAITED: Final = AWAITS_CHAIN | AWAITS_PROOF


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record from outside, as it came.

    Attributes:
        wire: its bytes.
        road: how it came.
        topic: the topic it came on, when it came by gossip.
        peer: who brought it, when a peer did.
        came_ms: our clock when it came, where that was noted; it may wait in the pen.
        reading: what it says, once that was read ahead; forgotten in the pen.
    """

    wire: bytes
    road: Road
    topic: str | None = None
    peer: PeerId | None = None
    came_ms: int | None = None
    reading: Reading | Ruling | None = None


class Pen:
    """Records by the agent they wait for; bounded, oldest out."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[RecordId, tuple[AgentId, Incoming]] = OrderedDict()
        self._per_agent: dict[AgentId, OrderedDict[RecordId, None]] = {}
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._waiting)

    def put(self, record: RecordId, agent: AgentId, incoming: Incoming) -> None:
        """Keep a record until `take` asks for its agent's."""
        if record in self._waiting:
            return
        self._waiting[record] = (agent, dataclasses.replace(incoming, reading=None))
        mine = self._per_agent.setdefault(agent, OrderedDict())
        mine[record] = None
        self._bytes += len(incoming.wire)
        if len(mine) > PEN_RECORDS_PER_AGENT:
            self._drop(next(iter(mine)))
        while len(self._waiting) > PEN_RECORDS or self._bytes > PEN_BYTES:
            self._drop(next(iter(self._waiting)))

    def take(self, agent: AgentId) -> list[Incoming]:
        """Return, and forget, what waited for an agent, oldest first."""
        return [self._remove(record) for record in list(self._per_agent.get(agent, ()))]

    def _drop(self, record: RecordId) -> None:
        self._remove(record)
        self.dropped += 1

    def _remove(self, record: RecordId) -> Incoming:
        agent, incoming = self._waiting.pop(record)
        mine = self._per_agent[agent]
        del mine[record]
        if not mine:
            del self._per_agent[agent]
        self._bytes -= len(incoming.wire)
        return incoming
