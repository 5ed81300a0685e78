"""Negentropy v1: how two sides find out what differs (spec 06, section 2).

The initiator sends fingerprints of the parts of its set. Whoever gets a fingerprint
that is not its own for that part answers with those of smaller parts, or with ids
where they are few; the initiator compares ids, and that part is done.

Nothing is kept between messages but the sets themselves, and they may change: what
comes or goes meanwhile is found now or the next time. An answer that grows too long
breaks off with one fingerprint of all that is left, and is taken up from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.ranges import (
    MAX_RANGES,
    VERSION,
    Fingerprint,
    IdList,
    Range,
    RangeWriter,
    Skip,
)
from moltp2p.proto.sync.reconcile import (
    END,
    ID_BYTES,
    Bound,
    MemorySet,
    ReconcileSet,
    StretchRead,
)

MIN_MESSAGE_BYTES: Final = 1_024
MIN_MESSAGE_RANGES: Final = 8
"""With less room a message might hold nothing that leads further."""

PARTS: Final = 16
"""Into how many parts a large part of a set is split."""
SMALL_ITEMS: Final = 512
"""A part of no more items is read whole, and split into buckets of a few items: this
saves a level, and thus half a round."""
INITIATOR_BUCKETS: Final = {1: 0, 16: 3, SMALL_ITEMS: 8}
RESPONDER_BUCKETS: Final = {16: 0, SMALL_ITEMS: 16}
"""Up to how many items go into buckets of how many; 0: they are told by their ids.
Only the responder's lists are final. What the initiator would list is answered by a
list in any case, which is shorter for a bucket of 3."""

READ_ITEMS: Final = 262_144
"""Of how many of our own items one message makes us read the ids."""
READ_PER_ID: Final = 8
READ_IN_ANY_CASE: Final = 512
"""A list makes us read so many of our items for each id, and no more: who holds
little is compared with us part by part, and a liar pays for what we read."""

READ_AHEAD_RANGES: Final = 32
READ_AHEAD_ITEMS: Final = 1_024
"""If so many ranges have no more of our items in them, all of these are read at once:
to look for each range's place in an index takes longer."""

NOTHING_MORE: Final = bytes([VERSION])
"""The message without ranges."""


@dataclass(frozen=True, slots=True)
class Room:
    """How long a message may become.

    Attributes:
        max_bytes: its bytes, at least `MIN_MESSAGE_BYTES`.
        max_ranges: its ranges, at least `MIN_MESSAGE_RANGES`.
    """

    max_bytes: int
    max_ranges: int = MAX_RANGES

    def __post_init__(self) -> None:
        """Refuse what might never end."""
        if self.max_bytes < MIN_MESSAGE_BYTES or self.max_ranges < MIN_MESSAGE_RANGES:
            raise UsageError("bad-setting", f"too little room for a message: {self}")


@dataclass(slots=True)
class Turn:
    """What a message from the responder led to.

    Attributes:
        reply: the next message; `NOTHING_MORE` when all is found.
        need: what the responder has and we lack. What was found in an earlier turn
            may be found again, when an answer had to break off.
        have: what we have and the responder lacks, likewise, in several parts; read
            from the set while one goes through it, so the set must still be open.
    """

    reply: bytes = NOTHING_MORE
    need: list[RecordId] = field(default_factory=list)
    have: list[Iterable[RecordId]] = field(default_factory=list)


def initiate(own: ReconcileSet, room: Room) -> bytes:
    """Return the first message, about all of `own`."""
    answer = _Answer(own, room, INITIATOR_BUCKETS)
    answer.split(own.size(), END)
    return answer.message()


def respond(own: ReconcileSet, ranges: Sequence[Range], room: Room) -> bytes:
    """Return the responder's answer to the ranges of a message."""
    answer = _Answer(own, room, RESPONDER_BUCKETS)
    for each, end in answer.through(ranges):
        if isinstance(each, IdList):
            answer.reveal(end, each)
        else:
            answer.compare(end, each)
    return answer.message()


def advance(own: ReconcileSet, ranges: Sequence[Range], room: Room) -> Turn:
    """Return what the initiator makes of the ranges of a responder's message."""
    answer, turn = _Answer(own, room, INITIATOR_BUCKETS), Turn()
    readable = READ_ITEMS
    for each, end in answer.through(ranges):
        if not isinstance(each, IdList):
            answer.compare(end, each)
        elif (reading := _reading(end - answer.place, each)) is None:
            answer.split(end, each.upper)
        elif reading > readable:
            answer.break_off()
        else:
            readable -= reading
            answer.tell_apart(end, each, turn)
            answer.skip(end, each.upper)
    turn.reply = answer.message()
    return turn


def _reading(held: int, theirs: IdList) -> int | None:
    """Return how many of our items a list makes us read; None for too many."""
    if not theirs.ids:
        return 0
    limit = READ_IN_ANY_CASE + READ_PER_ID * len(theirs.ids)
    return held if held <= limit else None


def _ids(items: ReconcileSet, begin: int, end: int) -> Iterator[RecordId]:
    for item in items.items(begin, end):
        yield item.id


class _Answer:
    """A message in the making: each range goes on from where the last one ended.

    Attributes:
        place: position of the first item that the message says nothing about yet.
        is_full: whether it broke off, and takes no more.
    """

    def __init__(
        self, own: ReconcileSet, room: Room, buckets: Mapping[int, int]
    ) -> None:
        self._whole = own
        self._own = own
        self._buckets = buckets
        self._writer = RangeWriter(room.max_bytes, room.max_ranges)
        self.place = 0
        self.is_full = False

    def message(self) -> bytes:
        """Return it as far as it was made."""
        return self._writer.message()

    def through(self, ranges: Sequence[Range]) -> Iterator[tuple[Range, int]]:
        """Yield ranges, each with our position of its end, until the answer is full.

        Where several lie close together, our items there are read at once.
        """
        for first in range(0, len(ranges), READ_AHEAD_RANGES):
            near = ranges[first : first + READ_AHEAD_RANGES]
            end = self._whole.rank(near[-1].upper)
            is_close = len(near) > 1 and end - self.place <= READ_AHEAD_ITEMS
            read = StretchRead(self._whole, self.place, end) if is_close else None
            self._own = read or self._whole
            for each in near:
                yield each, self._own.rank(each.upper)
                if self.is_full:
                    return

    def skip(self, end: int, upper: Bound) -> None:
        """Say that nothing is to be done up to `upper`, our position `end`."""
        self._writer.skip(upper)
        self.place = end

    def compare(self, end: int, theirs: Skip | Fingerprint) -> None:
        """Answer a fingerprint: by none when it is ours too, else by smaller parts."""
        if isinstance(theirs, Skip) or (
            theirs.digest == self._own.fingerprint(self.place, end)
        ):
            self.skip(end, theirs.upper)
        else:
            self.split(end, theirs.upper)

    def split(self, end: int, upper: Bound) -> None:
        """Tell a part by its ids, or by fingerprints of two or more smaller parts.

        After the last of all items there is nothing, which an empty list says: a
        peer that only lacks or has the newest is then done at once.
        """
        parts = self._parts(end - self.place)
        if parts == 0:
            ids = [item.id for item in self._own.items(self.place, end)]
            self._list(end, upper, ids)
        elif upper != END:
            self._fingerprints(end, upper, parts)
        else:
            last = self._own.item(end - 1)
            self._fingerprints(end, Bound(last.time_ms + 1), parts)
            if not self.is_full:
                self._list(end, END, [])

    def _parts(self, held: int) -> int:
        """Return into how many parts to split so many items; 0 for none."""
        for most, bucket_items in self._buckets.items():
            if held <= most:
                return max(2, -(-held // bucket_items)) if bucket_items else 0
        return PARTS

    def _fingerprints(self, end: int, upper: Bound, parts: int) -> None:
        held = end - self.place
        source, offset = self._own, 0
        if held <= SMALL_ITEMS:
            source, offset = MemorySet(source.items(self.place, end)), self.place
        start = self.place - offset
        edges = [start + held * part // parts for part in range(parts + 1)]
        for first, stop in pairwise(edges):
            edge = upper if stop == edges[-1] else _edge(source, stop)
            if not self._writer.fingerprint(edge, source.fingerprint(first, stop)):
                self.break_off()
                return
            self.place = stop + offset

    def reveal(self, end: int, theirs: IdList) -> None:
        """Answer a list of ids by ours, as far as there is room."""
        stop = min(end, self.place + self._writer.id_room())
        ids = [item.id for item in self._own.items(self.place, stop)]
        if stop < end:
            if ids:
                self._writer.ids(_edge(self._own, stop), ids)
                self.place = stop
            self.break_off()
        elif set(ids) == set(theirs.ids):
            self.skip(end, theirs.upper)
        else:
            self._list(end, theirs.upper, ids)

    def tell_apart(self, end: int, theirs: IdList, turn: Turn) -> None:
        """Note who lacks what of a part, by their ids of it."""
        if not theirs.ids:
            turn.have.append(_ids(self._whole, self.place, end))
            return
        listed = dict.fromkeys(theirs.ids)
        ours = dict.fromkeys(_ids(self._own, self.place, end))
        turn.need += [record for record in listed if record not in ours]
        turn.have.append([record for record in ours if record not in listed])

    def break_off(self) -> None:
        """Answer for all that is left by one fingerprint."""
        left = self._own.fingerprint(self.place, self._own.size())
        self._writer.break_off(left)
        self.is_full = True

    def _list(self, end: int, upper: Bound, ids: Sequence[RecordId]) -> None:
        if self._writer.ids(upper, ids):
            self.place = end
        else:
            self.break_off()


def _edge(items: ReconcileSet, index: int) -> Bound:
    """Return the shortest bound between an item and the one before it."""
    before, after = items.item(index - 1), items.item(index)
    if before.time_ms != after.time_ms:
        return Bound(after.time_ms)
    same = next(n for n in range(ID_BYTES) if before.id[n] != after.id[n])
    return Bound(after.time_ms, after.id[: same + 1])
