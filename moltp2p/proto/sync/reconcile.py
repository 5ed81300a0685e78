"""What is reconciled: sets of records in order of time, and sums over them (spec 06).

A set is seen by position, from 0 in order of (time, id). Whoever reconciles asks it
for ranks and fingerprints, and for the ids of what is few; how it finds them is its
own affair. `MemorySet` is the plain one, against which others are measured.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from moltp2p.core.ids import RecordId

INFINITY_MS: Final = 2**64 - 1
"""The time of the bound after everything; no record has it."""
ID_BYTES: Final = 32
FINGERPRINT_BYTES: Final = 16

_MODULUS: Final = 2**256


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One element of a set.

    Attributes:
        time_ms: the header's `time`.
        id: the record's.
    """

    time_ms: int
    id: RecordId


@dataclass(frozen=True, slots=True, order=True)
class Bound:
    """A place between items: before all that are at it or after it.

    Attributes:
        time_ms: a time; `INFINITY_MS` for the end of everything.
        prefix: the first bytes of an id; those that lack are zeros. A prefix that
            does not end in zeros is the one spelling of its place, and only such
            bounds compare as their places do.
    """

    time_ms: int
    prefix: bytes = b""


START: Final = Bound(0)
END: Final = Bound(INFINITY_MS)


@dataclass(frozen=True, slots=True)
class SetSum:
    """What a fingerprint is made of; the sum of two sets without a common record.

    Attributes:
        count: how many records.
        total: the sum of their ids, read as little-endian numbers, modulo 2^256.
    """

    count: int = 0
    total: int = 0

    @classmethod
    def of(cls, records: Iterable[RecordId]) -> SetSum:
        """Return the sum of these records."""
        numbers = [int.from_bytes(record, "little") for record in records]
        return cls(len(numbers), sum(numbers) % _MODULUS)

    def __add__(self, other: SetSum) -> SetSum:
        """Return the sum of both."""
        return SetSum(self.count + other.count, (self.total + other.total) % _MODULUS)

    def __sub__(self, other: SetSum) -> SetSum:
        """Return the sum of what is left when `other` is taken out."""
        return SetSum(self.count - other.count, (self.total - other.total) % _MODULUS)

    def fingerprint(self) -> bytes:
        """Return the 16 bytes by which sets are compared."""
        total = self.total.to_bytes(ID_BYTES, "little")
        digest = hashlib.sha256(total + encode_number(self.count)).digest()
        return digest[:FINGERPRINT_BYTES]


class ReconcileSet(Protocol):
    """A set that stands still while it is looked at."""

    def size(self) -> int:
        """Return how many items there are."""
        ...

    def item(self, index: int) -> Item:
        """Return the item at that position."""
        ...

    def items(self, begin: int, end: int) -> Iterator[Item]:
        """Yield the items from `begin` to before `end`, in order."""
        ...

    def rank(self, bound: Bound) -> int:
        """Return how many items stand before the bound."""
        ...

    def fingerprint(self, begin: int, end: int) -> bytes:
        """Return the fingerprint of the items from `begin` to before `end`."""
        ...


class MemorySet:
    """A sorted list, and the sums of all its beginnings.

    Args:
        items: what it holds, in any order; what is named twice is held once.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._keys = sorted({_key(item.time_ms, item.id) for item in items})
        numbers = (int.from_bytes(key[8:], "little") for key in self._keys)
        self._totals = list(accumulate(numbers, initial=0))

    def size(self) -> int:
        """Return how many items there are."""
        return len(self._keys)

    def item(self, index: int) -> Item:
        """Return the item at that position."""
        return _item(self._keys[index])

    def items(self, begin: int, end: int) -> Iterator[Item]:
        """Yield the items from `begin` to before `end`, in order."""
        return map(_item, self._keys[begin:end])

    def rank(self, bound: Bound) -> int:
        """Return how many items stand before the bound."""
        return bisect_left(self._keys, _key(bound.time_ms, bound.prefix))

    def sum(self, begin: int, end: int) -> SetSum:
        """Return the sum of the items from `begin` to before `end`."""
        total = self._totals[end] - self._totals[begin]
        return SetSum(end - begin, total % _MODULUS)

    def fingerprint(self, begin: int, end: int) -> bytes:
        """Return the fingerprint of the items from `begin` to before `end`."""
        return self.sum(begin, end).fingerprint()


class StretchRead:
    """A set of which one stretch was read into memory; the same in every other way.

    Args:
        whole: the set.
        begin: the stretch's first position.
        end: the position behind it.
    """

    def __init__(self, whole: ReconcileSet, begin: int, end: int) -> None:
        self._whole = whole
        self._begin = begin
        self._end = end
        self._part = MemorySet(whole.items(begin, end))

    def size(self) -> int:
        """Return how many items there are."""
        return self._whole.size()

    def item(self, index: int) -> Item:
        """Return the item at that position."""
        if self._begin <= index < self._end:
            return self._part.item(index - self._begin)
        return self._whole.item(index)

    def items(self, begin: int, end: int) -> Iterator[Item]:
        """Yield the items from `begin` to before `end`, in order."""
        if self._holds(begin, end):
            return self._part.items(begin - self._begin, end - self._begin)
        return self._whole.items(begin, end)

    def rank(self, bound: Bound) -> int:
        """Return how many items stand before the bound."""
        rank = self._begin + self._part.rank(bound)
        return rank if self._begin < rank < self._end else self._whole.rank(bound)

    def fingerprint(self, begin: int, end: int) -> bytes:
        """Return the fingerprint of the items from `begin` to before `end`."""
        if self._holds(begin, end):
            return self._part.fingerprint(begin - self._begin, end - self._begin)
        return self._whole.fingerprint(begin, end)

    def _holds(self, begin: int, end: int) -> bool:
        return self._begin <= begin and end <= self._end


def encode_number(value: int) -> bytes:
    """Return a number in digits of seven bits, the most significant first.

    All but the last have 0x80 set: Negentropy's varint, which is not libp2p's.
    """
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def _key(time_ms: int, prefix: bytes) -> bytes:
    return time_ms.to_bytes(8, "big") + prefix


def _item(key: bytes) -> Item:
    return Item(int.from_bytes(key[:8], "big"), RecordId(key[8:]))
