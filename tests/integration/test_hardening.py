"""The parts that stand between libp2p's yamux and the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    Yamux,
)

from moltp2p.net.bandwidth import Bandwidth
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.exact_reader import LONGEST_READ_BYTES
from moltp2p.net.hardening import BoundedSocket
from moltp2p.net.muxed import MuxedStream
from tests.patience import PATIENCE_S
from tests.tripwire.bare import Fake, header

pytestmark = pytest.mark.slow

MUCH = bytes(20_000_000)
"""More than the kernel's buffers hold."""


class Wire:
    """A TCP connection: our end, and the other."""

    def __init__(self, ours: BoundedSocket, theirs: trio.SocketStream) -> None:
        self.ours = ours
        self.theirs = theirs


@pytest.fixture(params=["127.0.0.1", "::1"])
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    (listener,) = await trio.open_tcp_listeners(0, host=request.param)
    theirs = await trio.testing.open_stream_to_socket_listener(listener)
    ours = BoundedSocket(await listener.accept(), 0.5, Bandwidth(ConnectionLimits()))
    yield Wire(ours, theirs)
    ours.abort()
    await theirs.aclose()
    await listener.aclose()


async def test_the_other_end_is_known(wire: Wire) -> None:
    """H15: upstream knows it for IPv4 alone."""
    there = wire.theirs.socket.getsockname()

    assert wire.ours.get_remote_address() == there[:2]


async def test_a_read_is_exact_however_the_bytes_come(wire: Wire) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip, wire.theirs, b"0123456789" * 30)
        assert await wire.ours.read(250) == b"0123456789" * 25
        assert await wire.ours.read(50) == b"0123456789" * 5
    await wire.theirs.send_eof()
    assert await wire.ours.read(1) == b""


async def drip(stream: trio.SocketStream, data: bytes) -> None:
    for byte in data:
        await stream.send_all(bytes((byte,)))


async def test_what_ends_early_is_returned_short(wire: Wire) -> None:
    await wire.theirs.send_all(b"abc")
    await wire.theirs.send_eof()

    assert await wire.ours.read(5) == b"abc"


async def test_no_stranger_has_us_read_a_terabyte(wire: Wire) -> None:
    assert LONGEST_READ_BYTES > 65_535 + 2
    with pytest.raises(ConnectionClosedError):
        await wire.ours.read(2**40)


async def test_a_write_that_nobody_reads_ends_the_connection(wire: Wire) -> None:
    """H14: upstream waits for ever."""
    with trio.fail_after(PATIENCE_S), pytest.raises(ConnectionClosedError):
        await wire.ours.write(MUCH)
    with pytest.raises(ConnectionClosedError):
        await wire.ours.read(1)
    with pytest.raises(ConnectionClosedError):
        await wire.ours.write(b"x")


async def test_a_cancelled_write_is_whole(wire: Wire) -> None:
    """Half a Noise message would make garbage of all that follows it."""
    received = 0

    async def read_later() -> None:
        nonlocal received
        await trio.sleep(0.2)
        while data := await wire.theirs.receive_some(1_000_000):
            received += len(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_later)
        with trio.move_on_after(0.05):
            await wire.ours.write(MUCH)
        wire.ours.abort()

    assert received == len(MUCH)


async def test_closing_wakes_a_reader(wire: Wire) -> None:
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(ConnectionClosedError):
                await wire.ours.read(1)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await wire.ours.close()


async def test_a_cancelled_read_loses_nothing() -> None:
    opening = header(TYPE_WINDOW_UPDATE, FLAG_SYN, 1, 0) + header(TYPE_DATA, 0, 1, 5)
    yamux = Yamux(Fake(opening + b"hello"), None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        accepted = await yamux.new_stream_receive_channel.receive()
        stream = MuxedStream(accepted, yamux, lambda _task: False)
        await trio.testing.wait_all_tasks_blocked(0.05)
        nursery.start_soon(hold_briefly, yamux._write_lock)
        await trio.testing.wait_all_tasks_blocked()
        data = b""
        with trio.move_on_after(0.05):
            data = await stream.read(5)
        nursery.cancel_scope.cancel()

    assert data == b"hello"


async def hold_briefly(lock: trio.Lock) -> None:
    """Make the window update after a read wait."""
    async with lock:
        await trio.sleep(0.2)
