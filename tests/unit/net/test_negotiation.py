"""Agreeing on a stream's protocol, and what it costs."""

from __future__ import annotations

from typing import TypeAlias

import pytest
import trio
import trio.testing

from moltp2p.core.errors import PeerError
from moltp2p.net.negotiation import MAX_READS, agree, propose
from tests.patience import PATIENCE_S

MemoryEnd: TypeAlias = trio.StapledStream[
    trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream
]

HEADER = b"\x13/multistream/1.0.0\n"
OURS = ("/a/1.0.0", "/b/1.0.0")


def token(text: str) -> bytes:
    return bytes((len(text) + 1,)) + text.encode() + b"\n"


class Wire:
    """A stream on which the other end has said something; keeps each write apart."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.writes: list[bytes] = []
        self.left = b""

    async def read(self, max_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, piece: bytes) -> None:
        self.writes.append(piece)

    def put_back(self, data: bytes) -> None:
        self.left = data


async def agreed(wire: Wire) -> str:
    return await agree(wire, OURS)


async def proposed(wire: Wire) -> str:
    return await propose(wire, OURS)


async def refusal(wire: Wire) -> str:
    with pytest.raises(PeerError) as raised:
        await agreed(wire)
    return raised.value.code


async def test_what_the_opener_wants_is_agreed_on_in_one_write() -> None:
    wire = Wire(HEADER + token("/b/1.0.0") + b"rest")

    assert await agreed(wire) == "/b/1.0.0"
    assert wire.writes == [HEADER + token("/b/1.0.0")]
    assert wire.left == b"rest"


async def test_nothing_is_said_before_the_opener_speaks() -> None:
    wire = Wire()

    assert await refusal(wire) == "stream-reset"
    assert wire.writes == []


async def test_an_opener_that_waits_for_each_answer_gets_it() -> None:
    wire = Wire(HEADER, token("/c/1.0.0"), token("/a/1.0.0"))

    assert await agreed(wire) == "/a/1.0.0"
    assert wire.writes == [HEADER, token("na"), token("/a/1.0.0")]


@pytest.mark.parametrize("strange", ["ls", "", "na", "/c/1.0.0"])
async def test_what_we_do_not_speak_is_refused_in_four_bytes(strange: str) -> None:
    wire = Wire(HEADER + token(strange) * 3, token("/a/1.0.0"))

    assert await agreed(wire) == "/a/1.0.0"
    assert wire.writes == [HEADER + token("na") * 3, token("/a/1.0.0")]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x05\xff\xfe\xfd\xfc\n", "bad-negotiation"),
        (HEADER + b"\x05\xff\xfe\xfd\xfc\n", "bad-negotiation"),
        (token("/multistream/2.0.0"), "bad-negotiation"),
        (HEADER + b"\x00", "bad-negotiation"),
        (HEADER + b"\x02ab", "bad-negotiation"),
        (HEADER + b"\xff" * 10, "bad-negotiation"),
        (HEADER + b"\xff\x7f", "bad-negotiation"),
        (HEADER + token("ls") * MAX_READS, "bad-negotiation"),
        (HEADER + b"\x09/a/", "stream-reset"),
    ],
)
async def test_what_is_no_multistream_is_refused(said: bytes, code: str) -> None:
    assert await refusal(Wire(said)) == code


async def test_an_opener_proposes_one_after_the_other() -> None:
    wire = Wire(HEADER, token("na"), token("/b/1.0.0"))

    assert await proposed(wire) == "/b/1.0.0"
    assert wire.writes == [HEADER, token("/a/1.0.0"), token("/b/1.0.0")]


async def test_an_opener_is_told_that_nothing_fits() -> None:
    with pytest.raises(PeerError, match="protocol-unsupported"):
        await proposed(Wire(HEADER, token("na"), token("na")))


class End:
    """One end of a stream in memory."""

    def __init__(self, stream: MemoryEnd) -> None:
        self._stream = stream

    async def read(self, max_bytes: int) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def write(self, piece: bytes) -> None:
        await self._stream.send_all(piece)

    def put_back(self, data: bytes) -> None:
        assert data == b""


async def test_both_ends_of_ours_agree() -> None:
    opener, listener = trio.testing.memory_stream_pair()
    found: list[str] = []

    async def listen() -> None:
        found.append(await agree(End(listener), OURS))

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            found.append(await propose(End(opener), ["/x", "/b/1.0.0"]))
    assert found == ["/b/1.0.0"] * 2
