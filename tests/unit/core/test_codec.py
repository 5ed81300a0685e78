from __future__ import annotations

from functools import partial

import pytest

from moltp2p.core import codec
from moltp2p.core.codec import MAX_DEPTH, MAX_INT, MAX_ITEMS, MIN_INT
from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.kinds import Kind
from tests.refusal import code_of


def nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def test_the_limits_are_the_last_values_that_pass() -> None:
    for value in (MIN_INT, MAX_INT, nested(MAX_DEPTH), [0] * MAX_ITEMS):
        assert codec.decode(codec.encode(value)) == value


def test_one_beyond_each_limit_cannot_be_written() -> None:
    beyond = (
        MIN_INT - 1,
        MAX_INT + 1,
        nested(MAX_DEPTH + 1),
        [0] * (MAX_ITEMS + 1),
        [[0] * MAX_ITEMS],
    )

    codes = {code_of(partial(codec.encode, value)) for value in beyond}

    assert codes == {"wrong-type"}


def test_depth_counts_empty_arrays_and_maps_too() -> None:
    deepest = b"\x81" * (MAX_DEPTH - 1)

    assert code_of(lambda: codec.decode(deepest + b"\x80")) is None
    assert code_of(lambda: codec.decode(deepest + b"\x81\x80")) == "malformed"
    assert code_of(lambda: codec.decode(deepest + b"\x81\xa0")) == "malformed"


def test_a_value_that_contains_itself_cannot_be_written() -> None:
    value: list[object] = []
    value.append(value)

    with pytest.raises(UsageError, match="wrong-type"):
        codec.encode(value)


def test_true_and_1_are_two_values() -> None:
    assert codec.encode(True) != codec.encode(1)
    assert codec.decode(b"\xf5") is True
    assert codec.decode(b"\x01") == 1
    assert codec.decode(b"\x01") is not True


def test_tuples_and_enums_are_written_as_what_they_stand_for() -> None:
    assert codec.encode((Kind.POST, 2)) == codec.encode([3, 2])


CONTENTS = ("00", "20", "4101", "6161", "80", "820001", "a0", "a1616101", "f6")
TAGS = [*range(1_100), 43_000, 55_799, 2**32]


@pytest.mark.parametrize("content", CONTENTS)
def test_no_tag_is_read_whatever_it_carries(content: str) -> None:
    tagged = [tag_head(tag) + bytes.fromhex(content) for tag in TAGS]
    within = [b"\x81" + data for data in tagged]

    codes = {code_of(partial(codec.decode, data)) for data in (*tagged, *within)}

    assert codes == {"malformed"}


def tag_head(tag: int) -> bytes:
    """Return the head of a tag, in its shortest form (RFC 8949 section 3)."""
    if tag < 24:
        return bytes((0xC0 | tag,))
    size = next(n for n in (1, 2, 4, 8) if tag < 256**n)
    return bytes((0xC0 | 23 + size.bit_length(),)) + tag.to_bytes(size)


def test_an_envelope_names_no_second_spelling() -> None:
    sign1 = codec.encode_sign1(b"payload", bytes(64))

    assert codec.decode_sign1(sign1) == (b"payload", bytes(64))
    with pytest.raises(PeerError, match="bad-envelope"):
        codec.decode_sign1(sign1[1:])
    with pytest.raises(PeerError, match="bad-envelope"):
        codec.decode_sign1(b"\xd2" + sign1)
