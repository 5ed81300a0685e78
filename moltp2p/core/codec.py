"""Deterministic CBOR: one value, one spelling (spec 02, RFC 8949 section 4.2.1).

The only file that imports cbor2. Three of its habits are contained here. It turns
tags into objects (dates, regular expressions, huge numbers): every tag it knows is
refused while decoding. It takes any value for a map's key, and a map whose keys
were chosen to collide costs 0.1 s: only strings may be keys, whose hashes nobody
can choose. It accepts spellings that we would not write: a decoded value is
encoded again and compared, which for 64 KiB of empty maps would cost 0.1 s too,
but for the limit on the number of items.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Never, TypeAlias

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
    value = _read(data)
    if not _in_profile(value):
        raise PeerError("malformed", "a value outside the CBOR profile of spec 02")
    if cbor2.dumps(value, canonical=True) != data:
        raise PeerError("not-canonical", "another spelling of the same value")
    return value


def encode_sign1(payload: bytes, signature: bytes) -> bytes:
    """Return a tagged COSE_Sign1 with EdDSA (RFC 9052 section 4.2)."""
    return SIGN1_TAG + cbor2.dumps([SIGN1_PROTECTED, {}, payload, signature])


def decode_sign1(data: bytes) -> tuple[bytes, bytes]:
    """Return the payload and the signature of a COSE_Sign1.

    Raises:
        PeerError: `bad-envelope` when it is not, byte for byte, what `encode_sign1`
            gives.
    """
    try:
        parts = _read(data[len(SIGN1_TAG) :])
    except PeerError:
        parts = None
    match parts:
        case [_, _, bytes(payload), bytes(signature)] if (
            len(signature) == SIGNATURE_BYTES
            and encode_sign1(payload, signature) == data
        ):
            return payload, signature
        case _:
            raise PeerError("bad-envelope", "not a COSE_Sign1 as spec 03 writes it")


def signature_input(payload: bytes, external_aad: bytes) -> bytes:
    """Return the bytes that a COSE_Sign1 signs (RFC 9052 section 4.4)."""
    return encode(["Signature1", SIGN1_PROTECTED, external_aad, payload])


def _read(data: bytes) -> Value:
    """Return the first value in `data`, in whatever spelling."""
    try:
        value: Value = cbor2.loads(
            data,
            max_depth=MAX_DEPTH + 1,
            strict_hashable_types=True,
            semantic_decoders=_REFUSE_TAGS,
        )
    except (cbor2.CBORDecodeError, UnicodeDecodeError) as error:
        raise PeerError("malformed", f"not CBOR of our profile: {error}") from None
    return value


def _refuse(*_: object) -> Never:
    raise cbor2.CBORDecodeError("tags are outside the profile")


# The tags that cbor2 decodes by itself; others come back as CBORTag, which the
# profile refuses by type.
_TAGS: Final = """
    0 1 2 3 4 5 25 28 29 30 35 36 37 52 54 100 256 258 260 261 1004 43000 55799
"""
_REFUSE_TAGS: Final = dict.fromkeys(map(int, _TAGS.split()), _refuse)


def _in_profile(value: object) -> bool:
    """Tell whether a value is one of ours, looking at one depth after the other."""
    level: list[object] = [value]
    count = 0
    for _ in range(MAX_DEPTH):
        containers = [item for item in level if not _is_scalar(item)]
        level = []
        for container in containers:
            items = _items(container)
            count += len(items or ())
            if items is None or count > MAX_ITEMS:
                return False
            level += items
        if not level:
            return True
    return all(map(_is_scalar, level))


def _is_scalar(value: object) -> bool:
    kind = type(value)
    if kind is str or kind is bytes or kind is bool or value is None:
        return True
    return isinstance(value, int) and MIN_INT <= value <= MAX_INT


def _items(container: object) -> Collection[object] | None:
    """Return what an array or a map of ours contains, None for anything else."""
    if isinstance(container, list | tuple):
        return container
    if isinstance(container, dict) and all(type(key) is str for key in container):
        return container.values()
    return None
