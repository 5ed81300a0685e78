"""The set of each topic's records as a tree of sums; how it changes (decision 0014).

A record's place is its time and id in hex. A node stands for all records whose place
begins with its digits, and holds their sum: how many, and the ids added up. It has
children, one digit longer, exactly when it stands for more than `LEAF_RECORDS`.

    ""  ->  "0199"  ->  "0199a"  ->  "0199a4"  ->  members, in order of place
    all     50 days     3 days       5 hours

So the tree follows from the set alone, whatever came first, and a record changes the
nodes on its way and no others. Long ways are dear for whoever makes them: each level
under a millisecond takes ids that agree in four more bits, by more than a leaf holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Final, TypeVar

from moltp2p.proto.reconcile import SetSum
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Entry, Hole, Put, Reader

_Any = TypeVar("_Any")

LEAF_RECORDS: Final = 128
"""A leaf of so many is read in 0.1 ms; half of it spares few nodes, and reads less."""

FIRST_DIGITS: Final = 4
"""The root's children are that long: 50 days of time, up to the year 2527."""

_USUAL: Final = "00000"
"""How the hex of a time begins until the year 2527: these ways begin with one 0."""


def way(place: bytes) -> str:
    """Return the digits that lead to a place: a time, and all or part of an id.

    Ways are in the order of their places.
    """
    digits = place.hex()
    return digits[len(_USUAL) - 1 :] if digits.startswith(_USUAL) else "1" + digits


def start_of(digits: str) -> bytes:
    """Return the first place under a node, without the zeros that end it."""
    places = "0000" + digits if digits.startswith("0") else digits[1:]
    return bytes.fromhex(places + "0" * (len(places) % 2))


def child_digits(digits: str) -> int:
    """Return how many digits the children of a node have."""
    return len(digits) + 1 if digits else FIRST_DIGITS


def parent_digits(digits: str) -> str:
    """Return the digits of the node above one that is not the root."""
    return digits[:-1] if len(digits) > FIRST_DIGITS else ""


def read_sum(topic: int, digits: str, held: Reader) -> SetSum:
    """Return the sum of a node, zero where there is none.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    value = held.get(layout.sum_key(topic, digits))
    return SetSum() if value is None else layout.unpack_sum(value)


def find_children(topic: int, digits: str, held: Reader) -> list[tuple[str, SetSum]]:
    """Return the digits and sums of a node's children, in order.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    level = layout.level_prefix(topic, child_digits(digits))
    return [
        (key[len(level) :].decode("ascii", "replace"), layout.unpack_sum(value))
        for key, value in _whole(held.scan(level + digits.encode()))
    ]


def read_children(topic: int, digits: str, held: Reader) -> list[tuple[str, SetSum]]:
    """Return the digits and sums of the children of a node that has some, in order.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    children = find_children(topic, digits, held)
    if not children:
        raise layout.store_damaged(f"set {topic}: node {digits!r} has no children")
    return children


def read_from(topic: int, digits: str, held: Reader) -> Iterator[bytes]:
    """Yield the places of the records under a node, and of all behind it, in order.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    prefix = layout.members_prefix(topic)
    after = prefix + start_of(digits) if digits else None
    for key, _ in _whole(held.scan(prefix, after)):
        yield key[len(prefix) :]


def read_members(topic: int, digits: str, held: Reader) -> list[bytes]:
    """Return the places of the records under a node, in order: best of a leaf.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    places = read_from(topic, digits, held)
    return list(takewhile(lambda place: way(place).startswith(digits), places))


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """A record that comes into a set, or leaves it."""

    way: str
    place: bytes
    comes: bool


def set_changes(members: Mapping[bytes, bool], held: Reader) -> list[Change]:
    """Return what changes with the members of sets.

    Args:
        members: the keys of those that come (True; none of them is held) and of those
            that leave (False; all of them are held).
        held: what is on disk.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    topics: dict[int, list[_Step]] = {}
    for key, comes in members.items():
        topic, place = layout.member_of(key)
        topics.setdefault(topic, []).append(_Step(way(place), place, comes))
    changes: list[Change] = [
        Put(key, b"") if comes else Delete(key) for key, comes in members.items()
    ]
    for topic, steps in topics.items():
        changes += _Growth(topic, held).changes(sorted(steps))
    return changes


class _Growth:
    """One topic's tree while it takes in a batch."""

    def __init__(self, topic: int, held: Reader) -> None:
        self._topic = topic
        self._held = held
        self._changes: list[Change] = []

    def changes(self, steps: Sequence[_Step]) -> list[Change]:
        """Return what changes in the nodes, from the root down."""
        self._update("", steps)
        return self._changes

    def _update(self, digits: str, steps: Sequence[_Step]) -> None:
        """Bring a node up to date, and all that is under it."""
        old = read_sum(self._topic, digits, self._held)
        new = old + _sum(steps, comes=True) - _sum(steps, comes=False)
        if new.count < 0:
            raise layout.store_damaged(f"set {self._topic}, node {digits!r}: too few")
        self._write(digits, new)
        if min(old.count, new.count) > LEAF_RECORDS:
            for child, under in _by(steps, lambda step: step.way, digits):
                self._update(child, under)
        elif old.count > LEAF_RECORDS:
            self._fell(digits)
        elif new.count > LEAF_RECORDS:
            self._plant(digits, self._members(digits, steps))

    def _write(self, digits: str, new: SetSum) -> None:
        key = layout.sum_key(self._topic, digits)
        self._changes.append(
            Put(key, layout.pack_sum(new)) if new.count else Delete(key)
        )

    def _members(self, digits: str, steps: Sequence[_Step]) -> list[bytes]:
        """Return the places under a node once the batch is in, in order."""
        places = set(read_members(self._topic, digits, self._held))
        places |= {step.place for step in steps if step.comes}
        return sorted(places - {step.place for step in steps if not step.comes})

    def _plant(self, digits: str, places: Sequence[bytes]) -> None:
        """Write all nodes under one that was a leaf."""
        for child, under in _by(places, way, digits):
            self._write(child, SetSum.of(map(layout.placed_record, under)))
            if len(under) > LEAF_RECORDS:
                self._plant(child, under)

    def _fell(self, digits: str) -> None:
        """Delete all nodes under one that becomes a leaf."""
        length, is_done = child_digits(digits), False
        while not is_done:
            level = layout.level_prefix(self._topic, length)
            entries = _whole(self._held.scan(level + digits.encode()))
            gone = [Delete(key) for key, _ in entries]
            self._changes += gone
            length, is_done = length + 1, not gone


def _sum(steps: Iterable[_Step], *, comes: bool) -> SetSum:
    return SetSum.of(
        layout.placed_record(step.place) for step in steps if step.comes == comes
    )


def _by(
    elements: Sequence[_Any], way_of: Callable[[_Any], str], digits: str
) -> Iterator[tuple[str, list[_Any]]]:
    """Group what is in order by the children of a node."""
    length = child_digits(digits)
    for child, group in groupby(elements, lambda element: way_of(element)[:length]):
        yield child, list(group)


def _whole(entries: Iterable[Entry | Hole]) -> Iterator[Entry]:
    """Yield entries as long as none is missing: a sum knows no exceptions."""
    for entry in entries:
        if isinstance(entry, Hole):
            raise layout.store_damaged(entry.message)
        yield entry
