"""A CBOR sequence (RFC 8742): items one after the other, with nothing between them.

Bytes go in as they are read, whole items come out. An item is found by its heads
alone; whether it is of the profile of spec 02 is for `codec.decode` to say.
"""

from __future__ import annotations

from typing import Final

from moltp2p.core.codec import MAX_ITEMS
from moltp2p.core.errors import PeerError
from moltp2p.core.limits import MAX_RECORD_BYTES

MAX_HEADS: Final = 2 * MAX_ITEMS + 1
"""Of a value of the profile: each of its items, each with a key, and itself."""

_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of a number that does not fit into the head's first (RFC 8949 section 3)."""
_BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(2, 7)
_INDEFINITE: Final = 31


class SequenceDecoder:
    """Cuts bytes into items, of which none is longer than a record may be.

    Attributes:
        offset: where the item begins that comes next, in bytes from the first.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._buffer = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they were read."""
        self._buffer = self._buffer[self._at :] + data
        self._at = 0

    def next_item(self) -> bytes | None:
        """Return the next whole item, or None when more bytes are needed.

        Raises:
            PeerError: `malformed` when no item begins here, `too-large` when one
                goes on for more bytes than a record may have.
        """
        end = _end(self._buffer, self._at)
        length = (len(self._buffer) if end is None else end) - self._at
        if length > MAX_RECORD_BYTES:
            raise PeerError(
                "too-large", f"an item of more than {MAX_RECORD_BYTES} bytes"
            )
        if end is None:
            return None
        item = self._buffer[self._at : end]
        self._at = end
        self.offset += len(item)
        return item

    def end(self) -> None:
        """Take the end of the bytes.

        Raises:
            PeerError: `malformed` when it cuts an item short.
        """
        if self._at < len(self._buffer):
            raise PeerError("malformed", "ends in the middle of an item")


def _end(data: bytes, at: int) -> int | None:
    """Return where the item ends that begins at `at`; None when it is not whole."""
    wanted = 1
    for _ in range(MAX_HEADS):
        head = _head(data, at)
        if head is None:
            return None
        major, number, at = head
        if major in (_BYTES, _TEXT):
            at += number
            # Not waited for: its length alone is too much.
            if number > MAX_RECORD_BYTES:
                raise PeerError("too-large", f"an item with {number} bytes in it")
        wanted += _inside(major, number) - 1
        if not wanted:
            return at if at <= len(data) else None
    raise PeerError("malformed", f"an item of more than {MAX_ITEMS} items")


def _inside(major: int, number: int) -> int:
    """Return how many items follow that belong to the one whose head was read."""
    if major == _ARRAY:
        return number
    if major == _MAP:
        return 2 * number
    return 1 if major == _TAG else 0


def _head(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return a head's major type, its number, and where it ends."""
    if at >= len(data):
        return None
    major, short = data[at] >> 5, data[at] & 31
    at += 1
    if short < min(_WIDTHS):
        return major, short, at
    width = _WIDTHS.get(short)
    if width is None:
        what = "a length not told beforehand" if short == _INDEFINITE else "no CBOR"
        raise PeerError("malformed", what)
    if at + width > len(data):
        return None
    return major, int.from_bytes(data[at : at + width], "big"), at + width
