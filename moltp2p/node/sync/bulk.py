"""Records from one peer, judged in bulk while the next are still on their way.

stream ─▶ parts ─▶ a queue of a few ─▶ read, verified ─▶ the journal, a part at a time
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import topic_number
from moltp2p.core.validate import Road, Ruling
from moltp2p.core.verdict import Verdict
from moltp2p.node.journal import Journal
from moltp2p.node.pen import AWAITED, Incoming
from moltp2p.node.reading import read_ahead
from moltp2p.proto.sync.ledger import Ledger
from moltp2p.proto.sync.plan import SETTLE_MS

QUEUED_PARTS: Final = 4
"""Parts that wait to be judged, at most 256 KiB each; then the stream waits."""


@dataclass(slots=True)
class Tally:
    """What came of the answer to one ask.

    Attributes:
        came: the ids of all records in it.
        kept: how many of them are held now.
        is_news: whether one of them is no longer young, so that gossip has lost it.
    """

    came: set[RecordId] = field(default_factory=set)
    kept: int = 0
    is_news: bool = False


class Bulk:
    """Has what a peer sends judged, and remembers what came of it.

    Args:
        journal: judges and keeps.
        ledger: told what is held now, and what is not worth fetching again.
        topics: the numbers of those that were asked about.
        peer: who sends it.
        now: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        topics: Collection[int],
        peer: PeerId,
        now: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._topics = topics
        self._peer = peer
        self._now = now

    async def read(self, wires: Sequence[bytes]) -> list[Incoming]:
        """Read some records, while those before them are judged."""
        came_ms = self._journal.clock_ms()
        incoming = [
            Incoming(wire, Road.SYNC, peer=self._peer, came_ms=came_ms)
            for wire in wires
        ]
        return await trio.to_thread.run_sync(read_ahead, incoming, self._journal.params)

    async def judge(self, incoming: Sequence[Incoming], tally: Tally) -> list[Record]:
        """Judge what was read, and keep what passes; it is on disk on return.

        Returns:
            All of them, kept or not.

        Raises:
            PeerError: the code of a REJECT: no honest peer holds such a record;
                `unasked-record` for one of another topic.
            LocalError: `disk-full`, `store-failed`; nothing was kept.
        """
        rulings = await self._journal.submit(
            lambda desk: desk.rule(incoming), len(incoming)
        )
        for ruling in rulings:
            self._note(ruling, tally)
        for ruling in rulings:
            if ruling.verdict is Verdict.REJECT:
                raise PeerError(ruling.code, ruling.message)
            if ruling.record is not None and not self._is_of_topic(ruling.record):
                raise PeerError("unasked-record", "a record of another topic")
        return [each.record for each in rulings if each.record is not None]

    def _is_of_topic(self, record: Record) -> bool:
        params, community = self._journal.params, record.header.community
        return topic_number(params, community) in self._topics

    def _note(self, ruling: Ruling, tally: Tally) -> None:
        record = ruling.record
        if record is None or ruling.verdict is Verdict.REJECT:
            return
        tally.came.add(record.id)
        if ruling.keep is not None:
            tally.kept += 1
            age_ms = self._journal.clock_ms() - record.header.time_ms
            tally.is_news = tally.is_news or age_ms > SETTLE_MS
        if ruling.keep is not None or ruling.code == "duplicate":
            self._ledger.settle(record.id, self._now())
        elif ruling.code in AWAITED:
            self._ledger.put_off(record.id, record.header.agent, self._now())
        else:
            self._ledger.refuse(record.id, self._now())
