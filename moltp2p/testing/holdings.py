"""What two nodes hold and how they reconcile it, without a store or a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from moltp2p.core.ids import RecordId
from moltp2p.proto.sync import negentropy
from moltp2p.proto.sync.initiator import Initiator, Outcome
from moltp2p.proto.sync.negentropy import NOTHING_MORE, Room
from moltp2p.proto.sync.ranges import MAX_RANGES, read_ranges
from moltp2p.proto.sync.reconcile import Bound, Item, MemorySet, ReconcileSet, SetSum
from moltp2p.proto.sync.responder import Responder


class MemoryHoldings:
    """Sets in memory, as a store would show them.

    Attributes:
        opened: how many sets are open just now.
    """

    def __init__(self, topics: Mapping[int, Iterable[Item]]) -> None:
        self.opened = 0
        self._topics = {topic: MemorySet(items) for topic, items in topics.items()}

    def sums(self, topics: Sequence[int], since_ms: int, until_ms: int) -> list[SetSum]:
        """Return the sum of each topic's items of that time."""
        sums = []
        for topic in topics:
            items = self._topics.get(topic, MemorySet([]))
            begin, end = items.rank(Bound(since_ms)), items.rank(Bound(until_ms))
            sums.append(items.sum(begin, end))
        return sums

    @contextmanager
    def open_set(
        self, topic: int, since_ms: int, until_ms: int
    ) -> Iterator[ReconcileSet]:
        """Open a topic's items of that time."""
        self.opened += 1
        items = self._topics.get(topic, MemorySet([]))
        begin, end = items.rank(Bound(since_ms)), items.rank(Bound(until_ms))
        whole = (begin, end) == (0, items.size())
        yield items if whole else MemorySet(items.items(begin, end))
        self.opened -= 1


@dataclass
class Found:
    """What a conversation came to.

    Attributes:
        need: what the initiator lacks, each as often as it was found.
        have: what the responder lacks, likewise.
        messages: what was said by turns, the initiator first.
    """

    need: list[RecordId] = field(default_factory=list)
    have: list[RecordId] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)


def reconcile(
    ours: ReconcileSet, theirs: ReconcileSet, our_room: Room, their_room: Room
) -> Found:
    """Run Negentropy between two sets until the initiator knows all."""
    found = Found()
    message = negentropy.initiate(ours, our_room)
    while message != NOTHING_MORE:
        answer = negentropy.respond(
            theirs, read_ranges(message, MAX_RANGES), their_room
        )
        found.messages += [message, answer]
        turn = negentropy.advance(ours, read_ranges(answer, MAX_RANGES), our_room)
        found.need += turn.need
        found.have += [record for part in turn.have for record in part]
        message = turn.reply
    return found


@dataclass
class Conversation:
    """A session as it went: frames, by turns, the initiator's first."""

    frames: list[bytes] = field(default_factory=list)
    need: list[tuple[int, RecordId]] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def rounds(self) -> int:
        """How many frames the initiator sent."""
        return len(self.frames) // 2


def converse(initiator: Initiator, responder: Responder) -> Conversation:
    """Run a session to its end."""
    said = Conversation()
    frame: bytes | None = initiator.open()
    while frame is not None:
        answer = responder.receive(frame)
        said.frames += [frame, answer]
        step = initiator.receive(answer)
        said.need += step.need
        said.outcome = step.outcome
        frame = step.reply
    return said
