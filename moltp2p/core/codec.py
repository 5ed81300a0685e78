"""Deterministic CBOR: one value, one spelling (spec 02, RFC 8949 section 4.2.1).

The only file that imports cbor2: to write, and to read again what was verified before
(`decode_trusted`). What strangers send is read by `_Reader`, which knows nothing but
the one spelling: cbor2 would also build dates, patterns and huge numbers from tags, and
maps whose keys were chosen to collide, and 64 KiB of empty arrays before anybody could
count them (decision 0012).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

import cbor2

from moltp2p.core.errors import PeerError, UsageError

MAX_DEPTH: Final = 8  # SPEC 02: "nested more than 8 deep"
MAX_ITEMS: Final = 4_096  # SPEC 02: "more than 4,096 items"
MIN_INT: Final = -(2**63)  # SPEC 02: "from -2^63 to 2^63 - 1"
MAX_INT: Final = 2**63 - 1

SIGN1_TAG: Final = b"\xd2"
"""CBOR tag 18, COSE_Sign1 (RFC 9052 section 4.2)."""
SIGN1_PROTECTED: Final = b"\xa1\x01\x27"  # SPEC 03: "a10127"
SIGNATURE_BYTES: Final = 64

Value: TypeAlias = "bool | int | str | bytes | list[Value] | dict[str, Value] | None"


def encode(value: object) -> bytes:
    """Return the one spelling of `value`.

    Raises:
        UsageError: `wrong-type` when the value is outside the profile of spec 02.
    """
    if not _in_profile(value):
        raise UsageError("wrong-type", "a value outside the CBOR profile of spec 02")
    try:
        return cbor2.dumps(value, canonical=True)
    except UnicodeEncodeError:
        raise UsageError("wrong-type", "text that is not Unicode") from None


def decode(data: bytes) -> Value:
    """Return the value `data` encodes, refusing every spelling but ours.

    Raises:
        PeerError: `malformed` when it is not CBOR, or not of our profile;
            `not-canonical` when we would have spelt the same value otherwise.
    """
    return _Reader(data).whole()


def decode_trusted(data: bytes) -> object:
    """Return the value that bytes encode which `decode` has read before.

    A quarter of the time, and no protection: never for what a stranger sent.
    """
    return cbor2.loads(data)


def encode_pair(first: bytes, second: bytes | None) -> bytes:
    """Return the one spelling of a list of bytes and of bytes or null.

    What `encode` gives, without looking at each value: records are written often.
    """
    return _PAIR + _spelt(first) + (_NULL if second is None else _spelt(second))


def encode_sign1(payload: bytes, signature: bytes) -> bytes:
    """Return a tagged COSE_Sign1 with EdDSA (RFC 9052 section 4.2)."""
    return _SIGN1 + _spelt(payload) + _spelt(signature)


def decode_sign1(data: bytes) -> tuple[bytes, bytes]:
    """Return the payload and the signature of a COSE_Sign1.

    The signature's size is known, and so where each part must be; then there is but
    one spelling to compare with.

    Raises:
        PeerError: `bad-envelope` when it is not, byte for byte, what `encode_sign1`
            gives.
    """
    spelt, signature = data[len(_SIGN1) : -_SIGNED_BYTES], data[-SIGNATURE_BYTES:]
    payload = spelt[_head_bytes(len(spelt)) :]
    if len(signature) != SIGNATURE_BYTES or data != encode_sign1(payload, signature):
        raise PeerError("bad-envelope", "not a COSE_Sign1 as spec 03 writes it")
    return payload, signature


def signature_input(payload: bytes, external_aad: bytes) -> bytes:
    """Return the bytes that a COSE_Sign1 signs (RFC 9052 section 4.4)."""
    return _SIGNED + _spelt(external_aad) + _spelt(payload)


def _spelt(data: bytes) -> bytes:
    """Return the one spelling of bytes."""
    size = len(data)
    if size < 24:
        return bytes((0x40 | size,)) + data
    if size < 2**8:
        return bytes((0x58, size)) + data
    if size < 2**16:
        return b"\x59" + size.to_bytes(2) + data
    return b"\x5a" + size.to_bytes(4) + data


def _head_bytes(spelt_bytes: int) -> int:
    """Return how many of that many bytes are the length, where bytes are spelt."""
    heads = ((24, 1), (2**8 + 2, 2), (2**16 + 3, 3))
    return next((head for end, head in heads if spelt_bytes <= end), 5)


_PAIR: Final = b"\x82"  # an array of two (RFC 8949 section 3.1)
_NULL: Final = b"\xf6"
_SIGN1: Final = SIGN1_TAG + b"\x84" + _spelt(SIGN1_PROTECTED) + b"\xa0"
_SIGNED_BYTES: Final = len(_spelt(bytes(SIGNATURE_BYTES)))
_SIGNED: Final = b"\x84\x6aSignature1" + _spelt(SIGN1_PROTECTED)


# Major types, the first three bits of a value (RFC 8949 section 3.1).
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)

_SIMPLE_VALUES: Final = {20: False, 21: True, 22: None}
_SMALLEST: Final = (24, 2**8, 2**16, 2**32)
"""The least number for which 1, 2, 4 or 8 bytes after the first are needed."""
_INDEFINITE: Final = 31

_SHORT_HEADS: Final = tuple(
    (first >> 5, first & 31)
    if (first >> 5 < _TAG and first & 31 < _SMALLEST[0])
    or (first >> 5 == _SIMPLE and first & 31 in _SIMPLE_VALUES)
    else None
    for first in range(256)
)
"""By first byte, the major type and the number; None where there is more to see."""

_CUT: Final = "ends in the middle of a value"


class _Reader:
    """Reads one value from its first byte to its last, and never looks back."""

    __slots__ = ("_at", "_data", "_room")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._room = MAX_ITEMS

    def whole(self) -> Value:
        """Return the value that all the bytes are."""
        value = self._value(MAX_DEPTH)
        if self._at != len(self._data):
            raise PeerError("not-canonical", "bytes after the value")
        return value

    def _value(self, depth: int) -> Value:
        major, number = self._head()
        if major == _BYTES:
            return self._bytes(number)
        if major == _TEXT:
            return self._text(number)
        if major == _UNSIGNED:
            return number
        if major == _NEGATIVE:
            return -1 - number
        if major == _SIMPLE:
            return _SIMPLE_VALUES[number]
        return self._container(major, number, depth)

    def _head(self) -> tuple[int, int]:
        """Return a major type, and the number that comes with it."""
        if self._at == len(self._data):
            raise PeerError("malformed", _CUT)
        head = _SHORT_HEADS[self._data[self._at]]
        self._at += 1
        return head or self._long_head(self._data[self._at - 1])

    def _long_head(self, first: int) -> tuple[int, int]:
        major, number = first >> 5, first & 31
        if major in (_TAG, _SIMPLE):
            raise PeerError("malformed", "a tag, float or simple value")
        return major, self._long(major, number)

    def _long(self, major: int, short: int) -> int:
        """Return a number that did not fit into the first byte."""
        if short == _INDEFINITE and major in (_BYTES, _TEXT, _ARRAY, _MAP):
            raise PeerError("not-canonical", "a length that is not told beforehand")
        width = short - 24
        if width >= len(_SMALLEST):
            raise PeerError("malformed", "a length that CBOR does not have")
        number = int.from_bytes(self._bytes(1 << width))
        if number > MAX_INT:
            raise PeerError("malformed", "an integer beyond 63 bits")
        if number < _SMALLEST[width]:
            raise PeerError("not-canonical", "a number longer than it need be")
        return number

    def _bytes(self, size: int) -> bytes:
        start, end = self._at, self._at + size
        if end > len(self._data):
            raise PeerError("malformed", _CUT)
        self._at = end
        return self._data[start:end]

    def _text(self, size: int) -> str:
        try:
            return self._bytes(size).decode()
        except UnicodeDecodeError:
            raise PeerError("malformed", "text that is not UTF-8") from None

    def _container(self, major: int, count: int, depth: int) -> Value:
        self._room -= count
        if depth == 0 or self._room < 0:
            raise PeerError("malformed", "a value too deep, or of too many items")
        if major == _ARRAY:
            return [self._value(depth - 1) for _ in range(count)]
        return self._map(count, depth - 1)

    def _map(self, count: int, depth: int) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        before = b""
        for _ in range(count):
            start = self._at
            major, size = self._head()
            if major != _TEXT:
                raise PeerError("malformed", "a map's key that is not text")
            name = self._text(size)
            key = self._data[start : self._at]
            if key <= before:
                raise PeerError("not-canonical", "keys out of order, or the same twice")
            fields[name] = self._value(depth)
            before = key
        return fields


def _in_profile(value: object) -> bool:
    """Tell whether a value is one of ours, looking at one depth after the other."""
    level: list[object] = [value]
    count = 0
    for _ in range(MAX_DEPTH):
        rare = [item for item in level if type(item) not in _PLAIN]
        containers = [item for item in rare if not _is_integer(item)]
        level = []
        for container in containers:
            items = _items(container)
            count += len(items or ())
            if items is None or count > MAX_ITEMS:
                return False
            level += items
        if not level:
            return True
    return all(type(item) in _PLAIN or _is_integer(item) for item in level)


_PLAIN: Final = frozenset({str, bytes, bool, type(None)})


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and MIN_INT <= value <= MAX_INT


def _items(container: object) -> Collection[object] | None:
    """Return what an array or a map of ours contains, None for anything else."""
    if isinstance(container, list | tuple):
        return container
    if isinstance(container, dict) and all(type(key) is str for key in container):
        return container.values()
    return None
