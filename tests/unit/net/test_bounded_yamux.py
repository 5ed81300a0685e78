"""What one connection's yamux keeps, and how often it writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing
from libp2p.peer.id import ID
from libp2p.security.secure_session import SecureSession
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_ACK,
    FLAG_SYN,
    HEADER_SIZE,
    TYPE_DATA,
    TYPE_PING,
    TYPE_WINDOW_UPDATE,
)

from moltp2p.net.hardening import (
    STREAM_BUFFER_BYTES,
    UNREAD_BYTES,
    BoundedYamux,
)
from moltp2p.net.memory import memory_peer_id
from tests.tripwire.bare import Fake, header

PEER = ID.from_string(memory_peer_id(b"mallory"))
PIECE = 64 * 1024


class Session(SecureSession):
    """A Noise session without keys: hears some messages, keeps each write apart."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = list(messages)
        self._reset_internal_buffer()
        self.conn = self  # type: ignore[assignment]
        self.writes: list[bytes] = []

    async def read_msg(self) -> bytes:
        if not self._messages:
            await trio.sleep_forever()
        return self._messages.pop(0)

    async def write(self, data: bytes) -> None:
        self.writes.append(data)

    async def close(self) -> None: ...


def syn(stream: int) -> bytes:
    return header(TYPE_WINDOW_UPDATE, FLAG_SYN, stream, 0)


def said(stream: int, size: int) -> bytes:
    return header(TYPE_DATA, 0, stream, size) + bytes(size)


@asynccontextmanager
async def heard(secured: Fake | Session) -> AsyncIterator[BoundedYamux]:
    """Let a muxer hear all that a peer says."""
    yamux = BoundedYamux(secured, PEER, outbound=False)  # type: ignore[arg-type]

    async def take_streams() -> None:
        async for _ in yamux.new_stream_receive_channel:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        nursery.start_soon(take_streams)
        await trio.testing.wait_all_tasks_blocked(0.01)
        yield yamux
        nursery.cancel_scope.cancel()


async def test_a_window_full_on_one_stream_is_kept() -> None:
    async with heard(Fake(syn(1) + said(1, PIECE) * 4)) as yamux:
        assert len(yamux.stream_buffers[1]) == 4 * PIECE


async def test_more_than_a_window_on_one_stream_ends_the_connection() -> None:
    flood = said(1, PIECE) * (STREAM_BUFFER_BYTES // PIECE)
    async with heard(Fake(syn(1) + flood + said(1, 1))) as yamux:
        assert yamux.is_closed
        assert yamux.stream_buffers == {}


async def test_windows_full_on_many_streams_end_the_connection() -> None:
    window = 4 * PIECE
    streams = range(1, 2 * UNREAD_BYTES // window, 2)
    full = b"".join(syn(stream) + said(stream, PIECE) * 4 for stream in streams)
    async with heard(Fake(full)) as yamux:
        assert sum(map(len, yamux.stream_buffers.values())) == UNREAD_BYTES

    async with heard(Fake(full + syn(99) + said(99, 1))) as yamux:
        assert yamux.is_closed


async def test_what_was_read_makes_room() -> None:
    streams = range(1, 17, 2)
    full = b"".join(syn(stream) + said(stream, PIECE) * 4 for stream in streams)
    async with heard(Fake(full)) as yamux:
        await yamux.read_stream(1, 1000)

        assert sum(map(len, yamux.stream_buffers.values())) == UNREAD_BYTES - 1000


async def test_a_frame_larger_than_any_window_is_not_waited_for() -> None:
    for flags in (0, FLAG_SYN, FLAG_ACK):
        announced = header(TYPE_DATA, flags, 1, STREAM_BUFFER_BYTES + 1)
        async with heard(Fake(syn(1) + announced)) as yamux:
            assert yamux.is_closed


async def test_pings_of_one_message_are_answered_in_one_write() -> None:
    pings = [header(TYPE_PING, FLAG_SYN, 0, value) for value in range(1000)]
    pongs = [header(TYPE_PING, FLAG_ACK, 0, value) for value in range(1000)]
    messages = b"".join(pings[:-1]), pings[-1][:5], pings[-1][5:]

    session = Session(*messages)
    async with heard(session):
        assert session.writes == [b"".join(pongs[:-1]), pongs[-1]]


async def test_an_answer_goes_before_what_is_written_after_it() -> None:
    session = Session(syn(1))
    async with heard(session) as yamux:
        yamux._held.hold(b"held back")
        await yamux._write_frame(header(TYPE_DATA, 0, 1, 0))

    ack = header(TYPE_WINDOW_UPDATE, FLAG_ACK, 1, 0)
    assert session.writes == [ack, b"held back" + header(TYPE_DATA, 0, 1, 0)]
    assert len(ack) == HEADER_SIZE
