"""What a listener notes of how records came, and of when it was there to hear them.

    key            value                                is
    W number:8     record:32 came:8 road:1 peer         an arrival, in order
    H state:1 from:8       until:8 ended:1              a time in which it was so
    N peer         first:8 last:8                       a peer that was connected

None of it follows from the records, so a copy of a store takes it along. An arrival is
written in the batch of its record, and once: what is fetched again later, because it
was damaged, has come before. Arrivals are numbered without holes, so that whoever reads
them knows how many there were before the first that is left.

Everything is bounded: of arrivals twice as many as there are records, and
`SPARE_ARRIVALS`, are left; beyond that the oldest go. (They are of records that are
held no more.)
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.record import Record
from moltp2p.core.validate import Road
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Engine, Hole, Put, Reader

SPARE_ARRIVALS: Final = 65_536
TRIMMED_ARRIVALS: Final = 1_024
"""The most that one batch removes."""
KEPT_SPANS: Final = 16_384
"""Times in which it ran, or had peers, that are kept; beyond that the oldest go."""
KEPT_PEERS: Final = 65_536
"""Peers that are kept; beyond that those that were last seen longest ago go."""

ROADS: Final = tuple(Road)
"""A road's number is its place here."""
_ARRIVAL_BYTES: Final = layout.ID_BYTES + 8 + 1


class State(enum.Enum):
    """What a span is of. RUNNING: the node ran. HEARING: it had a peer or more."""

    RUNNING = "running"
    HEARING = "hearing"


STATES: Final = tuple(State)


@dataclass(frozen=True, slots=True)
class Came:
    """How a record came, for whoever keeps it.

    Attributes:
        at_ms: our clock, milliseconds since 1970 UTC.
        road: by which road.
        peer: who brought it, when a peer did.
    """

    at_ms: int
    road: Road
    peer: PeerId | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """An arrival as it was noted.

    Attributes:
        number: its place among all arrivals, from 1, without holes.
        record: which record; it may be held no more.
        came: how and when it came first.
    """

    number: int
    record: RecordId
    came: Came


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which something was so.

    Attributes:
        state: what was so.
        from_ms: since when, milliseconds since 1970 UTC.
        until_ms: until when at least; the end itself, where it was seen.
        ended: whether it was seen; a crash is not.
    """

    state: State
    from_ms: int
    until_ms: int
    ended: bool


@dataclass(frozen=True, slots=True)
class SeenPeer:
    """A peer that was connected.

    Attributes:
        peer: who.
        first_ms: when first, milliseconds since 1970 UTC.
        last_ms: when last.
    """

    peer: PeerId
    first_ms: int
    last_ms: int


def arrival_key(number: int) -> bytes:
    """Return where an arrival stands."""
    return layout.ARRIVAL + layout.number(number)


def span_key(span: Span) -> bytes:
    """Return where a span stands."""
    state = bytes((STATES.index(span.state),))
    return layout.SPAN + state + layout.number(span.from_ms)


def peer_key(peer: PeerId) -> bytes:
    """Return where a peer stands."""
    return layout.PEER + peer.encode()


def pack_arrival(record: RecordId, came: Came) -> bytes:
    """Return the value that `unpack_arrival` reads."""
    road = bytes((ROADS.index(came.road),))
    return record + layout.number(came.at_ms) + road + (came.peer or "").encode()


def unpack_arrival(key: bytes, value: bytes) -> Arrived:
    """Return an arrival.

    Raises:
        LocalError: `store-damaged`.
    """
    if len(key) != 9 or len(value) < _ARRIVAL_BYTES or value[40] >= len(ROADS):
        raise layout.store_damaged(f"an arrival: {key[:80].hex()}")
    peer = PeerId(value[_ARRIVAL_BYTES:].decode(errors="replace")) or None
    at_ms = int.from_bytes(value[32:40], "big")
    came = Came(at_ms, ROADS[value[40]], peer)
    return Arrived(int.from_bytes(key[1:], "big"), RecordId(value[:32]), came)


def unpack_span(key: bytes, value: bytes) -> Span:
    """Return a span.

    Raises:
        LocalError: `store-damaged`.
    """
    if len(key) != 10 or len(value) != 9 or key[1] >= len(STATES):
        raise layout.store_damaged(f"a span: {key[:80].hex()}")
    from_ms, until_ms = (int.from_bytes(each, "big") for each in (key[2:], value[:8]))
    return Span(STATES[key[1]], from_ms, until_ms, value[8] == 1)


def unpack_peer(key: bytes, value: bytes) -> SeenPeer:
    """Return a peer that was seen.

    Raises:
        LocalError: `store-damaged`.
    """
    if len(value) != 16:
        raise layout.store_damaged(f"a peer: {key[:80].hex()}")
    times = (int.from_bytes(each, "big") for each in (value[:8], value[8:]))
    return SeenPeer(PeerId(key[1:].decode(errors="replace")), *times)


def put_span(span: Span) -> Put:
    """Return what writes a span, or a later state of the same one."""
    return Put(span_key(span), layout.number(span.until_ms) + bytes((span.ended,)))


def put_peer(seen: SeenPeer) -> Put:
    """Return what writes a peer."""
    times = layout.number(seen.first_ms) + layout.number(seen.last_ms)
    return Put(peer_key(seen.peer), times)


class ArrivalLog:
    """The numbers of the arrivals on disk. But for `last`, used by the one who writes.

    Args:
        engine: where they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._bounds: tuple[int, int] | None = None

    @property
    def last(self) -> int:
        """Return the number of the newest arrival; 0 before the first. For anybody."""
        # Only who writes remembers: another may have looked before the last batch.
        return (self._bounds or self._look())[1]

    def changes(
        self, records: Sequence[Record], came: Sequence[Came], held: int
    ) -> list[Change]:
        """Return what notes the arrival of records that are new.

        Args:
            records: those that are new, in the order in which they came.
            came: how each of them came.
            held: how many records are held, or about so many.
        """
        first, last = self._read()
        made: list[Change] = [
            Put(arrival_key(last + place), pack_arrival(record.id, how))
            for place, (record, how) in enumerate(zip(records, came, strict=True), 1)
        ]
        surplus = last + len(made) + 1 - first - 2 * held - SPARE_ARRIVALS
        gone = range(first, first + max(0, min(surplus, TRIMMED_ARRIVALS)))
        return [*made, *(Delete(arrival_key(number)) for number in gone)]

    def note(self, changes: Iterable[Change]) -> None:
        """Note that changes are on disk."""
        first, last = self._read()
        for change in changes:
            match change:
                case Put():
                    last += 1
                case Delete():
                    first += 1
        self._bounds = first, last

    def forget(self) -> None:
        """Look again: what is on disk may be other than was noted."""
        self._bounds = None

    def _read(self) -> tuple[int, int]:
        if self._bounds is None:
            self._bounds = self._look()
        return self._bounds

    def _look(self) -> tuple[int, int]:
        with self._engine.view() as view:
            return bounds(view)


def bounds(view: Reader) -> tuple[int, int]:
    """Return the numbers of the oldest and the newest arrival; (1, 0) of none."""
    ends = [
        int.from_bytes(entry[0][1:9], "big")
        for is_last in (False, True)
        for entry in islice(_entries(view, layout.ARRIVAL, reverse=is_last), 1)
    ]
    return (ends[0], ends[1]) if len(ends) == 2 else (1, 0)


def read_arrivals(view: Reader, after: int, limit: int) -> list[Arrived]:
    """Return arrivals behind a number, oldest first.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    entries = _entries(view, layout.ARRIVAL, arrival_key(after))
    return [unpack_arrival(*entry) for entry in islice(entries, limit)]


def read_spans(view: Reader) -> list[Span]:
    """Return all spans, in order of their state and beginning.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    return [unpack_span(*entry) for entry in _entries(view, layout.SPAN)]


def read_peers(view: Reader) -> list[SeenPeer]:
    """Return all peers that were seen, in order of their names.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    return [unpack_peer(*entry) for entry in _entries(view, layout.PEER)]


def presence_changes(
    view: Reader, spans: Sequence[Span], seen: Sequence[SeenPeer]
) -> list[Change]:
    """Return what notes how long something has been so, and who was connected.

    What is beyond the bounds goes.

    Args:
        view: what is on disk.
        spans: as they are now.
        seen: who is, or was since the last time, connected.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    made: list[Change] = [put_span(span) for span in spans]
    for each in seen:
        value = view.get(peer_key(each.peer))
        known = each.first_ms if value is None else int.from_bytes(value[:8], "big")
        made.append(put_peer(replace(each, first_ms=known)))
    # What was there before is written over, and makes nothing grow.
    if any(view.get(change.key) is None for change in made):
        made += [*_surplus_spans(view), *_surplus_peers(view)]
    return made


def _surplus_spans(view: Reader) -> Iterator[Change]:
    found = sorted(read_spans(view), key=lambda span: span.from_ms)
    yield from (Delete(span_key(each)) for each in found[: -KEPT_SPANS + 1])


def _surplus_peers(view: Reader) -> Iterator[Change]:
    surplus = sum(1 for _ in _entries(view, layout.PEER)) - KEPT_PEERS
    if surplus > 0:
        found = sorted(read_peers(view), key=lambda seen: seen.last_ms)
        yield from (Delete(peer_key(each.peer)) for each in found[:surplus])


def _entries(
    view: Reader, table: bytes, after: bytes | None = None, *, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield a table's entries, past what cannot be read of it."""
    for entry in view.scan(table, after, reverse=reverse):
        if not isinstance(entry, Hole):
            yield entry
