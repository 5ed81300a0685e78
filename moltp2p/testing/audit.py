"""What a node holds and said, looked at from outside, as if nobody had judged it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.record import Record, parse
from moltp2p.node.node import Node
from moltp2p.store.base import Query, Stored

PAGE_RECORDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Audit:
    """What is in a member's store, looked at anew.

    Attributes:
        records: how many there are.
        invalid: how many of them do not verify, or are by nobody who may have
            written them.
        repeated: how often it told its embedder of a record that it had already,
            since it was started.
        rejected: messages that its judge rejected, since then.
    """

    records: int
    invalid: int
    repeated: int
    rejected: int = 0


class Repeats:
    """Notes what a node tells its embedder more than once.

    Args:
        known: what it holds already.

    Attributes:
        count: how often it did.
    """

    def __init__(self, known: set[RecordId]) -> None:
        self.count = 0
        self._known = known

    async def watch(self, node: Node) -> None:
        """Listen to a node, for ever."""
        async with node.subscribe() as arrivals:
            async for arrival in arrivals:
                record = arrival.stored.record.id
                self.count += record in self._known
                self._known.add(record)


def is_valid(record: Record, welcome: set[AgentId]) -> bool:
    """Tell whether a record verifies, from its bytes, and is by one of these."""
    try:
        again = parse(record.wire())
    except PeerError:
        return False
    return again.id == record.id and again.is_signed() and again.header.agent in welcome


async def ids_held(node: Node) -> set[RecordId]:
    """Return the ids of all that a node holds."""
    return {stored.record.id async for stored in all_records(node)}


async def all_records(node: Node) -> AsyncIterator[Stored]:
    """Yield all that a node holds, deletions and what they deleted among it."""
    cursor, more = None, True
    while more:
        page = await node.query(Query(deleted=True, limit=PAGE_RECORDS, cursor=cursor))
        for stored in page.records:
            yield stored
        cursor, more = page.cursor, page.more
