"""Why libp2p's sockets and yamux run behind net/hardening.py and net/muxed.py.

Each test shows a defect of the bare library, and fails on the day it is mended.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing
from libp2p.abc import INetStream
from libp2p.io.exceptions import IncompleteReadError
from libp2p.io.trio import TrioTCPStream
from libp2p.io.utils import read_exactly
from libp2p.stream_muxer.exceptions import MuxedStreamEOF
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    Yamux,
    YamuxStream,
)

from tests.tripwire.bare import TEST, Fake, ask_for, dial_raw, header, mended, open_bare

pytestmark = pytest.mark.slow


async def test_h14_a_peer_that_does_not_read_holds_the_host_for_ever() -> None:
    flooding = trio.Event()

    async def flood(stream: INetStream) -> None:
        flooding.set()
        await stream.write(bytes(50_000_000))

    async with open_bare() as bare:
        bare.host.set_stream_handler(TEST, flood)
        secured = await dial_raw(bare.address)
        await secured.write(ask_for(TEST))
        await flooding.wait()
        await trio.testing.wait_all_tasks_blocked(0.3)  # until the socket is full
        with trio.move_on_after(2) as patience:
            await bare.host.close()
        await secured.close()

    if not patience.cancelled_caught:
        mended("H14, writes without an end", "write_s in net/hardening.py")


async def test_h15_the_address_of_an_ipv6_peer_is_unknown() -> None:
    listeners = await trio.open_tcp_listeners(0, host="::1")
    stream = await trio.testing.open_stream_to_socket_listener(listeners[0])
    address = TrioTCPStream(stream).get_remote_address()
    await stream.aclose()
    await listeners[0].aclose()

    if address is not None:
        mended("H15, IPv6 addresses", "get_remote_address in net/hardening.py")


async def test_c4_the_receive_window_is_not_enforced() -> None:
    flood = b"".join(header(TYPE_DATA, 0, 1, 65536) + bytes(65536) for _ in range(16))
    fake = Fake(header(TYPE_WINDOW_UPDATE, FLAG_SYN, 1, 0) + flood)
    yamux = Yamux(fake, None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        await trio.testing.wait_all_tasks_blocked(0.05)
        unread = len(yamux.stream_buffers.get(1, b""))
        nursery.cancel_scope.cancel()

    if unread < 16 * 65536:
        mended("C4, the receive window", "BoundedYamux in net/hardening.py")


async def test_c4_one_frame_may_fill_the_memory() -> None:
    """Sixteen megabytes are read before anybody asks for which stream they are."""
    yamux = Yamux(Fake(header(TYPE_DATA, 0, 77, 2**24) + bytes(2**20)), None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        await trio.testing.wait_all_tasks_blocked(0.05)
        is_waiting = not yamux.is_closed
        nursery.cancel_scope.cancel()

    if not is_waiting:
        mended("C4, the size of a frame", "_read_data_body in net/hardening.py")


async def test_a_reset_looks_like_an_end() -> None:
    rst = header(TYPE_WINDOW_UPDATE, 8, 1, 0)
    yamux = Yamux(Fake(header(TYPE_WINDOW_UPDATE, FLAG_SYN, 1, 0) + rst), None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        stream = await yamux.accept_stream()
        await trio.testing.wait_all_tasks_blocked(0.05)
        with pytest.raises(Exception) as raised:  # noqa: PT011 — its kind is the point
            await yamux.read_stream(1, 100)
        assert stream is not None
        nursery.cancel_scope.cancel()

    if not isinstance(raised.value, MuxedStreamEOF):
        mended("resets that look like ends", "_lost in net/muxed.py")


async def test_a_message_in_small_segments_ends_the_connection() -> None:
    class Drip:
        async def read(self, n: int | None = None) -> bytes:
            return b"x"

    try:
        await read_exactly(Drip(), 200)  # type: ignore[arg-type]
    except IncompleteReadError:
        return
    mended("read_exactly's hundred reads", "exact reads in net/hardening.py")


async def hold(lock: trio.Lock) -> None:
    async with lock:
        await trio.sleep_forever()


async def test_a_cancelled_read_loses_what_it_read() -> None:
    data = header(TYPE_WINDOW_UPDATE, FLAG_SYN, 1, 0) + header(TYPE_DATA, 0, 1, 5)
    yamux = Yamux(Fake(data + b"hello"), None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        stream = await yamux.accept_stream()
        await trio.testing.wait_all_tasks_blocked(0.05)
        nursery.start_soon(hold, yamux._write_lock)  # the window update must wait
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.05):
            await stream.read(5)
        left = bytes(yamux.stream_buffers[1])
        nursery.cancel_scope.cancel()

    if left == b"hello":
        mended("reads that lose data", "the shield in net/muxed.py:read")


async def test_a_window_grows_as_long_as_somebody_reads() -> None:
    opened = header(TYPE_WINDOW_UPDATE, FLAG_SYN, 1, 0)
    piece = header(TYPE_DATA, 0, 1, 65536) + bytes(65536)
    yamux = Yamux(Fake(opened + piece * 64), None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        stream = await yamux.accept_stream()
        assert isinstance(stream, YamuxStream)
        window = stream.target_recv_window
        await trio.testing.wait_all_tasks_blocked(0.05)
        for _ in range(16):
            await stream.read(4 * 65536)
        grown = stream.target_recv_window
        nursery.cancel_scope.cancel()

    if grown < 4 * window:
        mended("windows that grow", "keep_window in net/hardening.py")


class Steps(trio.abc.Instrument):
    """Counts how often a task has its turn."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


async def test_locks_that_nobody_holds_cost_a_turn_each() -> None:
    """A turn is 5 to 10 us; the socket itself takes one for each write."""
    yamux = Yamux(Fake(header(TYPE_WINDOW_UPDATE, FLAG_SYN, 1, 0)), None)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(yamux.start)
        stream = await yamux.accept_stream()
        await trio.testing.wait_all_tasks_blocked(0.05)
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await stream.write(b"hello")
        trio.lowlevel.remove_instrument(steps)
        nursery.cancel_scope.cancel()

    if steps.count < 3:
        mended("writes behind three locks", "_write in net/muxed.py and hardening.py")
