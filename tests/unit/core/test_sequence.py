from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core import codec
from moltp2p.core.errors import PeerError
from moltp2p.core.limits import MAX_RECORD_BYTES
from moltp2p.core.sequence import SequenceDecoder
from tests.strategies import values


def items_of(pieces: list[bytes]) -> list[bytes]:
    decoder = SequenceDecoder()
    found = []
    for piece in pieces:
        decoder.feed(piece)
        while (item := decoder.next_item()) is not None:
            found.append(item)
    decoder.end()
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(values, max_size=5), st.lists(st.integers(0, 10_000), max_size=5))
def test_items_are_found_wherever_the_bytes_are_cut(
    contents: list[object], places: list[int]
) -> None:
    items = [codec.encode(each) for each in contents]

    assert items_of(cut(b"".join(items), places)) == items


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
def test_whatever_comes_is_cut_or_refused(data: bytes, places: list[int]) -> None:
    try:
        found = items_of(cut(data, places))
    except PeerError:
        return
    assert b"".join(found) == data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x5a\x00\x01\x00\x01", "too-large"),
        (b"\x5b" + b"\xff" * 8, "too-large"),
        (b"\x58\xff" * 300 + b"\x00" * MAX_RECORD_BYTES, None),
        (b"\x82\x59\xff\xff" + bytes(0xFFFF) + b"\x41\x00", "too-large"),
        (b"\x9b" + b"\xff" * 8 + b"\x00" * 10_000, "malformed"),
        (b"\x81" * 10_000, "malformed"),
        (b"\x9f\x00\xff", "malformed"),
        (b"\x1c", "malformed"),
    ],
)
def test_an_item_that_no_record_is_as_long_as_is_refused(
    data: bytes, code: str | None
) -> None:
    decoder = SequenceDecoder()
    decoder.feed(data)
    if code is None:
        assert decoder.next_item() is not None
        return
    with pytest.raises(PeerError) as caught:
        decoder.next_item()

    assert (caught.value.code, decoder.offset) == (code, 0)


def test_the_offset_is_where_the_next_item_begins() -> None:
    decoder = SequenceDecoder()
    decoder.feed(b"\x00\x42ab\x19\x01")
    offsets = []
    while decoder.next_item() is not None:
        offsets.append(decoder.offset)

    assert offsets == [1, 4]
    with pytest.raises(PeerError):
        decoder.end()
