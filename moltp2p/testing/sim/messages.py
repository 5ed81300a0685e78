"""What simulated nodes publish: a few bytes that say what a record would prove.

    data   valid   publisher   number   padding
    bytes    1         4          4        …

A real node judges signatures, chains and clocks; here one byte says how that
would have come out.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, field
from typing import Final

HEADER_BYTES: Final = 9
_VALID: Final = 1


@dataclass(slots=True)
class Published:
    """A valid message, and where it came when.

    Attributes:
        number: which it is, from 0.
        at_s: when it was published.
        publisher: the node that did, as an index.
        topic: where.
        receivers: the nodes that accepted it, as indices, in order.
        delays_s: for each of them, how long that took.
    """

    number: int
    at_s: float
    publisher: int
    topic: str
    receivers: array[int] = field(default_factory=lambda: array("l"))
    delays_s: array[float] = field(default_factory=lambda: array("d"))


def make(number: int, publisher: int, size_bytes: int) -> bytes:
    """Return the data of a valid message."""
    header = bytes([_VALID]) + publisher.to_bytes(4, "big") + number.to_bytes(4, "big")
    return header.ljust(size_bytes, b"\0")


def forge(rng: random.Random, size_bytes: int) -> bytes:
    """Return the data of an invalid message, unlike any other."""
    return (b"\0" + rng.randbytes(16)).ljust(size_bytes, b"\0")


def is_valid(data: bytes) -> bool:
    """Return what a judge would find."""
    return data[0] == _VALID


def publisher_of(data: bytes) -> int:
    """Return who published a valid message."""
    return int.from_bytes(data[1:5], "big")


def number_of(data: bytes) -> int:
    """Return which valid message it is."""
    return int.from_bytes(data[5:9], "big")
