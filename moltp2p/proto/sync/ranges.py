"""Negentropy v1 messages: ranges of a set, one after the other (spec 06, section 2).

Bytes in, ranges out, and the other way round; what the ranges mean is
`proto/sync/negentropy.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.reconcile import (
    END,
    FINGERPRINT_BYTES,
    ID_BYTES,
    INFINITY_MS,
    START,
    Bound,
    encode_number,
)

VERSION: Final = 0x61  # SPEC 06: "version 1, the byte 61"
MAX_RANGES: Final = 16_384  # SPEC 06: "| ranges in one frame | 16,384 |"

_MAX_NUMBER_BYTES: Final = 10
_SKIP, _FINGERPRINT, _IDS = range(3)


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be done from the range before up to `upper`."""

    upper: Bound


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The fingerprint of all that the sender holds up to `upper`."""

    upper: Bound
    digest: bytes


@dataclass(frozen=True, slots=True)
class IdList:
    """The ids of all that the sender holds up to `upper`."""

    upper: Bound
    ids: tuple[RecordId, ...]


Range: TypeAlias = Skip | Fingerprint | IdList


def read_ranges(message: bytes, max_ranges: int) -> list[Range]:
    """Return the ranges of a message; what lies after the last is to be skipped.

    Raises:
        PeerError: `bad-ranges` when it is not a message of version 1, when its
            bounds go back, or when there are more than `max_ranges` ranges.
    """
    reader = _Reader(message)
    ranges: list[Range] = []
    while not reader.at_end():
        if len(ranges) == max_ranges:
            raise PeerError("bad-ranges", f"more than {max_ranges} ranges")
        ranges.append(reader.range())
    return ranges


class _Reader:
    """Reads a message from its first byte to its last."""

    def __init__(self, message: bytes) -> None:
        self._data = message
        self._at = 0
        self._before = START
        if self._take(1)[0] != VERSION:
            raise PeerError("bad-ranges", "not a message of Negentropy version 1")

    def at_end(self) -> bool:
        """Tell whether all was read."""
        return self._at == len(self._data)

    def range(self) -> Range:
        """Read the next range."""
        upper = self._bound()
        match self._number():
            case 0:
                return Skip(upper)
            case 1:
                return Fingerprint(upper, self._take(FINGERPRINT_BYTES))
            case 2:
                return IdList(upper, self._ids(self._number()))
            case mode:
                raise PeerError("bad-ranges", f"a range of mode {mode}")

    def _bound(self) -> Bound:
        time_ms = self._time()
        prefix = self._take(self._prefix_length()).rstrip(b"\0")
        bound = END if time_ms == INFINITY_MS else Bound(time_ms, prefix)
        if bound < self._before:
            raise PeerError("bad-ranges", "a bound before the one before it")
        self._before = bound
        return bound

    def _time(self) -> int:
        number = self._number()
        if number == 0:
            return INFINITY_MS
        time_ms = self._before.time_ms + number - 1
        if time_ms >= INFINITY_MS:
            raise PeerError("bad-ranges", "a time beyond 64 bits")
        return time_ms

    def _prefix_length(self) -> int:
        length = self._number()
        if length > ID_BYTES:
            raise PeerError("bad-ranges", "a prefix longer than an id")
        return length

    def _ids(self, count: int) -> tuple[RecordId, ...]:
        data = self._take(count * ID_BYTES)
        starts = range(0, len(data), ID_BYTES)
        return tuple(RecordId(data[start : start + ID_BYTES]) for start in starts)

    def _number(self) -> int:
        value = 0
        for index in range(_MAX_NUMBER_BYTES):
            (digit,) = self._take(1)
            if index == 0 and digit == 0x80:
                raise PeerError("bad-ranges", "a number padded with zeros")
            value = value << 7 | digit & 0x7F
            if digit < 0x80:
                return value
        raise PeerError("bad-ranges", "a number of more than ten digits")

    def _take(self, size: int) -> bytes:
        start, end = self._at, self._at + size
        if end > len(self._data):
            raise PeerError("bad-ranges", "a message cut short")
        self._at = end
        return self._data[start:end]


_TAIL: Final = encode_number(0) + encode_number(0) + encode_number(_FINGERPRINT)
_LONGEST_SKIP: Final = _MAX_NUMBER_BYTES + 1 + ID_BYTES + 1
_LONGEST_EDGES: Final = 2 * _LONGEST_SKIP + _MAX_NUMBER_BYTES
_RESERVED: Final = len(_TAIL) + FINGERPRINT_BYTES + _LONGEST_SKIP
_RESERVED_RANGES: Final = 2
"""Kept free for saying where the answer breaks off: one skip, one fingerprint."""


class RangeWriter:
    """Writes a message of limited length.

    What finds no room is not written, and then `break_off` says so to the peer.

    Args:
        max_bytes: the longest message.
        max_ranges: how many ranges it may have.
    """

    def __init__(self, max_bytes: int, max_ranges: int) -> None:
        self._out = bytearray([VERSION])
        self._bytes_left = max_bytes - 1 - _RESERVED
        self._ranges_left = max_ranges - _RESERVED_RANGES
        self._before_ms = 0
        self._skipped: Bound | None = None

    def skip(self, upper: Bound) -> None:
        """Say that nothing is to be done up to `upper`; skips in a row are one."""
        self._skipped = upper

    def fingerprint(self, upper: Bound, digest: bytes) -> bool:
        """Write a fingerprint; return whether there was room."""
        payload = encode_number(_FINGERPRINT) + digest
        return self._write(upper, payload)

    def ids(self, upper: Bound, ids: Sequence[RecordId]) -> bool:
        """Write a list of ids; return whether there was room for all of it."""
        payload = encode_number(_IDS) + encode_number(len(ids)) + b"".join(ids)
        return self._write(upper, payload)

    def id_room(self) -> int:
        """Return for how many ids there is certainly room in one more list."""
        if self._ranges_left < 2:
            return 0
        return max(0, self._bytes_left - _LONGEST_EDGES) // ID_BYTES

    def break_off(self, digest: bytes) -> None:
        """Answer for all that is left by the fingerprint of it."""
        self._out += self._pending_skip()
        self._out += _TAIL + digest

    def message(self) -> bytes:
        """Return what was written; what was skipped at the end goes without saying."""
        return bytes(self._out)

    def _write(self, upper: Bound, payload: bytes) -> bool:
        before_ms = self._before_ms
        piece = self._pending_skip() + self._bound(upper) + payload
        ranges = 1 if self._skipped is None else 2
        if len(piece) > self._bytes_left or ranges > self._ranges_left:
            self._before_ms = before_ms
            return False
        self._out += piece
        self._bytes_left -= len(piece)
        self._ranges_left -= ranges
        self._skipped = None
        return True

    def _pending_skip(self) -> bytes:
        if self._skipped is None:
            return b""
        return self._bound(self._skipped) + encode_number(_SKIP)

    def _bound(self, bound: Bound) -> bytes:
        if bound.time_ms == INFINITY_MS:
            return encode_number(0) + encode_number(0)
        offset_ms = bound.time_ms - self._before_ms
        self._before_ms = bound.time_ms
        prefix = encode_number(len(bound.prefix)) + bound.prefix
        return encode_number(1 + offset_ms) + prefix
