from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.api.splitting import MAX_OBJECT_BYTES, Line, LineSplitter


def split(*pieces: bytes) -> list[Line]:
    splitter = LineSplitter()
    return [line for piece in (*pieces, b"\n") for line in splitter.feed(piece)]


def test_blank_lines_count_and_are_left_out() -> None:
    assert split(b"a\n\n  \r\nb") == [Line(1, b"a"), Line(4, b"b")]


@given(st.lists(st.sampled_from([b"a", b"\n", b"bc", b" ", b"\r\n"])))
def test_lines_do_not_depend_on_how_the_bytes_came(pieces: list[bytes]) -> None:
    assert split(*pieces) == split(b"".join(pieces))


def test_a_line_as_long_as_allowed_is_kept() -> None:
    text = b"x" * MAX_OBJECT_BYTES

    assert split(text + b"\nnext") == [Line(1, text), Line(2, b"next")]


def test_a_line_too_long_is_told_and_those_around_it_are_kept() -> None:
    long = [b"x" * 100_000] * 20

    assert split(b"one\n", *long, b"\nthree") == [
        Line(1, b"one"),
        Line(2, None),
        Line(3, b"three"),
    ]


def test_a_line_too_long_takes_no_memory_while_it_comes() -> None:
    splitter = LineSplitter()

    for _ in range(100):
        splitter.feed(b"x" * 100_000)

    assert len(splitter._rest) <= MAX_OBJECT_BYTES
