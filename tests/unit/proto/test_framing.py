"""Frames: any split of the bytes gives the same frames and the same error."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.errors import PeerError, UsageError
from moltp2p.proto.framing import FrameDecoder, encode_frame, encode_varint

MAX_BYTES = 300

payloads = st.lists(st.binary(min_size=1, max_size=MAX_BYTES), max_size=8)


def decoded(pieces: list[bytes]) -> tuple[list[bytes], str]:
    """Return the frames in `pieces`, and the code that ended them."""
    decoder = FrameDecoder(MAX_BYTES)
    frames = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            while (frame := decoder.next_frame()) is not None:
                frames.append(frame)
        decoder.end()
    except PeerError as error:
        return frames, error.code
    return frames, ""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return `data` in pieces, cut at `places` taken modulo its length."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


@given(payloads, st.lists(st.integers(0, 10_000), max_size=20))
def test_frames_come_out_as_they_went_in(sent: list[bytes], places: list[int]) -> None:
    wire = b"".join(encode_frame(payload, MAX_BYTES) for payload in sent)

    assert decoded(cut(wire, places)) == (sent, "")
    assert decoded([wire[i : i + 1] for i in range(len(wire))]) == (sent, "")


@given(
    st.binary(max_size=60)
    | st.builds(lambda a, b: a + b, st.just(b"\x02hi"), st.binary()),
    st.lists(st.integers(0, 10_000), max_size=10),
)
def test_any_bytes_are_frames_or_refused_however_they_are_split(
    data: bytes, places: list[int]
) -> None:
    frames, code = decoded([data])

    assert decoded(cut(data, places)) == (frames, code)
    assert code in {"", "bad-frame", "frame-too-large"}
    if not code:
        assert b"".join(encode_frame(frame, MAX_BYTES) for frame in frames) == data


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ("00", "bad-frame"),
        ("8000", "bad-frame"),
        ("8100ff", "bad-frame"),
        ("808080808080808080", "bad-frame"),
        ("ffffffffffffffffff", "bad-frame"),
        ("ad02", "frame-too-large"),
        ("ffffffffffffffff7f", "frame-too-large"),
        ("05aabb", "bad-frame"),
        ("80", "bad-frame"),
    ],
)
def test_a_bad_length_is_refused(wire: str, code: str) -> None:
    assert decoded([bytes.fromhex(wire)]) == ([], code)


def test_frames_before_a_bad_one_are_not_lost() -> None:
    assert decoded([b"\x02hi\x00\x02ho"]) == ([b"hi"], "bad-frame")


def test_a_refused_length_stays_refused() -> None:
    decoder = FrameDecoder(MAX_BYTES)
    decoder.feed(b"\x00")
    for _ in range(2):
        with pytest.raises(PeerError):
            decoder.next_frame()


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", "bad-frame"), (b"x" * 301, "frame-too-large")]
)
def test_what_a_reader_would_refuse_is_not_written(payload: bytes, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        encode_frame(payload, MAX_BYTES)

    assert raised.value.code == code


@given(st.integers(0, 2**63 - 1))
def test_a_varint_has_seven_bits_to_a_byte(value: int) -> None:
    encoded = encode_varint(value)

    assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(encoded)) == value
    assert [byte >> 7 for byte in encoded] == [1] * (len(encoded) - 1) + [0]
    assert len(encoded) == max(1, -(-value.bit_length() // 7))
