"""The shelves of spec 11 on disk: what a batch puts there, and what has to leave.

    Q   on a shelf, and in its topic's set
    O   beyond the limit, and in no set: kept by who keeps all, else to be removed
    U   what all of a shelf in Q cost

A batch is put on the shelves first; then each shelf that it touched lets go of its
surplus, or takes back from O what there is room for again. What came and goes again
in one batch never gets to the disk.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.proto.quota import Limits, Volume, is_over, shelf_of, surplus, volume_of
from moltp2p.store import layout, shelf_layout
from moltp2p.store.engine import Change, Delete, Hole, Put, Reader, Source


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A volume, and when its author says that it was written: its place in a set."""

    volume: Volume
    time_ms: int


@dataclass(slots=True)
class Settlement:
    """What follows from a batch.

    Attributes:
        changes: of Q, O and U.
        members: the keys of S that come (True) or leave (False).
        beyond: the records that went beyond their shelf's limit, oldest first.
    """

    changes: list[Change] = field(default_factory=list)
    members: dict[bytes, bool] = field(default_factory=dict)
    beyond: list[RecordId] = field(default_factory=list)


class Shelves:
    """The shelves that one batch touches.

    Args:
        held: what is on disk.
        network: whose topics cut the shelves.
        limits: of each shelf.
    """

    def __init__(self, held: Reader, network: NetworkParams, limits: Limits) -> None:
        self._held = held
        self._network = network
        self._limits = limits
        self._shelves: dict[bytes, _Shelf] = {}
        self._chain: dict[bytes, bool] = {}

    def put(self, record: Record) -> None:
        """Put a record on its shelf, where it is not."""
        shelf = self._shelf(record)
        if shelf is None:
            self._turn(record, comes=True)
        else:
            shelf.put(_place(record))

    def take(self, record: Record) -> None:
        """Take a record off its shelf, or from beyond it."""
        shelf = self._shelf(record)
        if shelf is None:
            self._turn(record, comes=False)
        else:
            shelf.take(_place(record))

    def settle(self) -> Settlement:
        """Return what follows from all that was put and taken so far."""
        settled = Settlement(members=dict(self._chain))
        for shelf in self._shelves.values():
            shelf.settle(settled)
        return settled

    def _shelf(self, record: Record) -> _Shelf | None:
        number = shelf_of(record.header, self._network)
        if number is None:
            return None
        name = shelf_layout.shelf_name(record.header.agent, number)
        if name not in self._shelves:
            topic = topic_number(self._network, record.header.community)
            limit = self._limits.of(number)
            self._shelves[name] = _Shelf(self._held, name, topic, limit)
        return self._shelves[name]

    def _turn(self, record: Record, *, comes: bool) -> None:
        """Put what stands on no shelf into its topic's set, or take it out."""
        key = layout.member_key(0, record.id, record.header.time_ms)
        if comes == (self._held.get(key) is not None):
            self._chain.pop(key, None)
        else:
            self._chain[key] = comes


class _Shelf:
    """One shelf: what is on disk, and on top of it what a batch did to it."""

    def __init__(self, held: Reader, name: bytes, topic: int, limit: int) -> None:
        self._held = held
        self._name = name
        self._topic = topic
        self._limit = limit
        self._came: set[_Place] = set()
        self._gone: set[_Place] = set()

    def put(self, place: _Place) -> None:
        if place in self._gone:
            self._gone.discard(place)
        else:
            self._came.add(place)

    def take(self, place: _Place) -> None:
        if place in self._came:
            self._came.discard(place)
        elif self._is_on_disk(place):
            self._gone.add(place)

    def settle(self, settled: Settlement) -> None:
        """Add what follows for this shelf."""
        units_key = shelf_layout.units_key(self._name)
        before = shelf_layout.unpack_units(self._held.get(units_key))
        was_on = {place for place in self._gone if self._has(layout.ON_SHELF, place)}
        units = before - _cost(was_on)
        back = self._back(units) if was_on else set()
        units += _cost(self._came) + _cost(back)
        out = self._surplus(units, back)
        units -= _cost(out)
        for place in self._gone:
            old = layout.ON_SHELF if place in was_on else layout.BEYOND
            self._move(settled, place, old, None)
        for place in self._came | back | set(out):
            old = layout.BEYOND if place in back else layout.ON_SHELF
            new = layout.BEYOND if place in out else layout.ON_SHELF
            self._move(settled, place, None if place in self._came else old, new)
        settled.beyond += [place.volume.record for place in out]
        if units != before:
            value = shelf_layout.pack_units(units)
            settled.changes.append(
                Put(units_key, value) if units else Delete(units_key)
            )

    def _move(
        self, settled: Settlement, place: _Place, old: bytes | None, new: bytes | None
    ) -> None:
        """Move a place from one table to another; None stands for neither."""
        if old == new:
            return
        if old is not None:
            settled.changes.append(Delete(self._key(old, place)))
        if new is not None:
            value = shelf_layout.pack_place(place.volume.units, place.time_ms)
            settled.changes.append(Put(self._key(new, place), value))
        if layout.ON_SHELF in (old, new):
            member = layout.member_key(self._topic, place.volume.record, place.time_ms)
            settled.members[member] = new == layout.ON_SHELF

    def _back(self, units: int) -> set[_Place]:
        """Return what is beyond and has room now, newest first until it is full."""
        back: set[_Place] = set()
        for place in self._scan(layout.BEYOND, reverse=True):
            if units >= self._limit:
                break
            back.add(place)
            units += place.volume.units
        return back

    def _surplus(self, units: int, back: set[_Place]) -> list[_Place]:
        """Return what has to leave, oldest first."""
        if units < self._limit:
            return []
        places: dict[Volume, _Place] = {}

        def oldest_first() -> Iterator[Volume]:
            new = sorted(self._came | back)
            for place in heapq.merge(new, self._scan(layout.ON_SHELF)):
                places[place.volume] = place
                yield place.volume

        out = list(surplus(units, self._limit, oldest_first()))
        return [places[volume] for volume in out]

    def _is_on_disk(self, place: _Place) -> bool:
        return self._has(layout.ON_SHELF, place) or self._has(layout.BEYOND, place)

    def _has(self, table: bytes, place: _Place) -> bool:
        return self._held.get(self._key(table, place)) is not None

    def _scan(self, table: bytes, *, reverse: bool = False) -> Iterator[_Place]:
        for place in scan(table, self._name, self._held, reverse=reverse):
            if place not in self._gone:
                yield place

    def _key(self, table: bytes, place: _Place) -> bytes:
        volume = place.volume
        return shelf_layout.place_key(table, self._name, volume.seq, volume.record)


def scan(
    table: bytes, name: bytes, held: Reader, *, reverse: bool = False
) -> Iterator[_Place]:
    """Yield the places of a shelf in Q, or beyond it in O, oldest first.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    for entry in held.scan(table + name, reverse=reverse):
        if isinstance(entry, Hole):
            raise layout.store_damaged(entry.message)
        key, value = entry
        units, time_ms = shelf_layout.unpack_place(value)
        seq, record = layout.indexed_seq(key), layout.indexed_record(key)
        yield _Place(Volume(seq, record, units), time_ms)


def is_over_quota(
    record: Record, source: Source, network: NetworkParams, limits: Limits
) -> bool:
    """Tell whether a record that is not held has no place on its shelf.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    number = shelf_of(record.header, network)
    if number is None:
        return False
    name = shelf_layout.shelf_name(record.header.agent, number)
    key, limit = shelf_layout.units_key(name), limits.of(number)
    if shelf_layout.unpack_units(source.get(key)) < limit:
        return False  # most are, and a view is dear
    with source.view() as view:
        units = shelf_layout.unpack_units(view.get(key))
        places = scan(layout.ON_SHELF, name, view)
        oldest = next((place.volume for place in places), None)
        return is_over(volume_of(record), units, oldest, limit)


def _place(record: Record) -> _Place:
    return _Place(volume_of(record), record.header.time_ms)


def _cost(places: Iterable[_Place]) -> int:
    return sum(place.volume.units for place in places)
