"""The set of each topic's records as a tree of sums; how it changes (decision 0018).

A record's place is its time and id in hex. A node stands for all records whose place
begins with its digits, and holds their sum: how many, and the ids added up. It has
children exactly when it stands for more than `LEAF_RECORDS`.

    ""  ->  "0199"  ->  "0199a4"  ->  "0199a4c"  ->  members, in order of place
    all     50 days     5 hours       17 minutes     when there are few

So the tree follows from the set alone, whatever came first, and a record changes the
nodes on its way and no others. Long ways are dear for whoever makes them: each level
under a millisecond takes ids that agree in four more bits, by more than a leaf holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Final, NamedTuple, TypeAlias

from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Entry, Hole, Put, Reader

LEAF_RECORDS: Final = 128
"""A leaf of so many is read in 0.1 ms; half of it spares few nodes, and reads less."""

_BELOW: Final = {0: 4, 4: 6}
_ABOVE: Final = {below: size for size, below in _BELOW.items()}
"""Where the levels near the root are more than one digit apart, and a batch has fewer
nodes to change: the root may have 400 children, and they 256 each."""

_USUAL: Final = "00000"
"""How the hex of a time begins until the year 2527: these ways begin with one 0."""


_FIRST_UNUSUAL: Final = "00001"


def way(place: bytes) -> str:
    """Return the digits that lead to a place: a time, and all or part of an id.

    Ways are in the order of their places.
    """
    digits = place.hex()
    return digits[len(_USUAL) - 1 :] if digits.startswith(_USUAL) else "1" + digits


def start_of(digits: str) -> bytes:
    """Return the first place under a node, without the zeros that end it."""
    usual = digits.startswith("0")
    places = _USUAL[1:] + digits if usual else max(digits[1:], _FIRST_UNUSUAL)
    return bytes.fromhex(places + "0" * (len(places) % 2))


def length_below(length: int) -> int:
    """Return how many digits the children of nodes of so many have."""
    return _BELOW.get(length, length + 1)


def parent_digits(digits: str) -> str:
    """Return the digits of the node above one that is not the root."""
    return digits[: _ABOVE.get(len(digits), len(digits) - 1)]


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
    level = layout.level_prefix(topic, length_below(len(digits)))
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


def read_leaf(topic: int, digits: str, count: int, held: Reader) -> list[bytes]:
    """Return the places of the records under a node that stands for so many, in order.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    places = list(islice(read_from(topic, digits, held), count))
    is_whole = len(places) == count
    if count and not (is_whole and way(places[-1]).startswith(digits)):
        raise layout.store_damaged(f"set {topic}: leaf {digits!r} lacks members")
    return places


class _Step(NamedTuple):
    """A record that comes into a set, or leaves it; in order of ways."""

    way: str
    place: bytes
    comes: bool


Sums: TypeAlias = Mapping[bytes, SetSum]
"""Nodes by their keys; a node that is not there is zero."""


def set_changes(members: Mapping[bytes, bool], sums: Sums) -> list[Change]:
    """Return the changes of members and sums, for the engine."""
    changes: list[Change] = [
        Put(key, b"") if comes else Delete(key) for key, comes in members.items()
    ]
    changes += [
        Put(key, layout.pack_sum(node)) if node.count else Delete(key)
        for key, node in sums.items()
    ]
    return changes


def new_sums(members: Mapping[bytes, bool], held: Reader, known: Sums) -> Sums:
    """Return the nodes that change with the members of sets, as they become.

    Args:
        members: the keys of those that come (True; none of them is held) and of those
            that leave (False; all of them are held).
        held: what is on disk.
        known: some of its nodes, so that they need not be read.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    topics: dict[int, list[_Step]] = {}
    for key, comes in members.items():
        topic, place = layout.member_of(key)
        topics.setdefault(topic, []).append(_Step(way(place), place, comes))
    sums: dict[bytes, SetSum] = {}
    for topic, steps in topics.items():
        sums |= _Growth(topic, held, known).sums(sorted(steps))
    return sums


class _Growth:
    """One topic's tree while it takes in a batch."""

    def __init__(self, topic: int, held: Reader, known: Sums) -> None:
        self._topic = topic
        self._held = held
        self._known = known
        self._sums: dict[bytes, SetSum] = {}

    def sums(self, steps: Sequence[_Step]) -> Sums:
        """Return the nodes that change, from the root down."""
        self._update("", steps, _difference(steps))
        return self._sums

    def _update(self, digits: str, steps: Sequence[_Step], more: SetSum) -> None:
        """Bring a node up to date, and all that is under it."""
        key = layout.sum_key(self._topic, digits)
        old = self._known.get(key) or read_sum(self._topic, digits, self._held)
        self._sums[key] = new = old + more
        if new.count < 0:
            raise layout.store_damaged(f"set {self._topic}, node {digits!r}: too few")
        if min(old.count, new.count) > LEAF_RECORDS:
            self._update_children(digits, steps, more)
        elif old.count > LEAF_RECORDS:
            self._fell(digits)
        elif new.count > LEAF_RECORDS:
            self._plant(digits, self._members(digits, old.count, steps))

    def _update_children(
        self, digits: str, steps: Sequence[_Step], more: SetSum
    ) -> None:
        length = length_below(len(digits))
        first, last = steps[0].way[:length], steps[-1].way[:length]
        if first == last:  # as for most batches at most nodes, and much quicker
            self._update(first, steps, more)
            return
        for child, group in groupby(steps, lambda step: step.way[:length]):
            under = list(group)
            self._update(child, under, _difference(under))

    def _members(self, digits: str, count: int, steps: Sequence[_Step]) -> list[bytes]:
        """Return the places under a leaf of so many once the batch is in, in order."""
        places = set(read_leaf(self._topic, digits, count, self._held))
        places |= {step.place for step in steps if step.comes}
        return sorted(places - {step.place for step in steps if not step.comes})

    def _plant(self, digits: str, places: Sequence[bytes]) -> None:
        """Write all nodes under one that was a leaf."""
        length = length_below(len(digits))
        for child, group in groupby(places, lambda place: way(place)[:length]):
            under = list(group)
            key = layout.sum_key(self._topic, child)
            self._sums[key] = SetSum.of(map(layout.placed_record, under))
            if len(under) > LEAF_RECORDS:
                self._plant(child, under)

    def _fell(self, digits: str) -> None:
        """Delete all nodes under one that becomes a leaf."""
        length, is_done = length_below(len(digits)), False
        while not is_done:
            level = layout.level_prefix(self._topic, length)
            entries = _whole(self._held.scan(level + digits.encode()))
            gone = [key for key, _ in entries]
            self._sums |= dict.fromkeys(gone, SetSum())
            length, is_done = length_below(length), not gone


def _difference(steps: Iterable[_Step]) -> SetSum:
    """Return what steps add to a sum, less what they take away."""
    comes, leaves = (
        SetSum.of(
            layout.placed_record(step.place) for step in steps if step.comes is so
        )
        for so in (True, False)
    )
    return comes - leaves


def _whole(entries: Iterable[Entry | Hole]) -> Iterator[Entry]:
    """Yield entries as long as none is missing: a sum knows no exceptions."""
    for entry in entries:
        if isinstance(entry, Hole):
            raise layout.store_damaged(entry.message)
        yield entry
