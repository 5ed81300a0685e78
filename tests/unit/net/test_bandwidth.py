"""Bandwidth: whoever is over the limit waits, and nobody else does."""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock

from moltp2p.core.ids import PeerId
from moltp2p.net.bandwidth import LIMITED_READ_BYTES, Bandwidth
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.memory_streams import MemoryStream, Pipe
from moltp2p.net.streams import PIECE_BYTES, GuardedStream

KIB = 1024
LIMITS = ConnectionLimits(up_bytes_s=100 * KIB, down_bytes_s=50 * KIB, write_s=0.1)


async def test_without_a_limit_nobody_waits(autojump_clock: MockClock) -> None:
    bandwidth = Bandwidth(ConnectionLimits())
    start = trio.current_time()

    await bandwidth.wait_up(10**9)

    assert trio.current_time() == start
    assert bandwidth.received(10**9) == -math.inf
    assert bandwidth.read_bytes is None
    assert not bandwidth.is_throttled()


async def test_what_is_sent_keeps_to_the_limit(autojump_clock: MockClock) -> None:
    bandwidth = Bandwidth(LIMITS)
    start = trio.current_time()

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(bandwidth.wait_up, 50 * KIB)
        await trio.sleep(1.0)
        assert bandwidth.is_throttled()

    # 500 KiB at 100 a second, of which the first 100 go at once.
    assert 3.9 <= trio.current_time() - start <= 4.1
    assert not bandwidth.is_throttled()
    assert bandwidth.use(trio.current_time())["up_bytes_s"].refused == 8


async def test_our_own_limit_is_no_fault_of_the_reader(
    autojump_clock: MockClock,
) -> None:
    out, back = Pipe(0.0), Pipe(0.0)
    peer = PeerId("bob")
    ours = GuardedStream(MemoryStream(back, out), peer, "/t", LIMITS, Bandwidth(LIMITS))
    theirs = GuardedStream(MemoryStream(out, back), peer, "/t", LIMITS)
    start, got = trio.current_time(), 0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, bytes(8 * PIECE_BYTES))
        while got < 8 * PIECE_BYTES:
            got += len(await theirs.receive_some(10**6))

    # A piece takes 0.64 s here, and the reader has 0.1 s: it was not counted.
    assert trio.current_time() - start > 3


async def test_a_reader_is_told_when_to_read_on(autojump_clock: MockClock) -> None:
    bandwidth = Bandwidth(LIMITS)
    now = trio.current_time()

    assert bandwidth.read_bytes == LIMITED_READ_BYTES
    assert bandwidth.received(50 * KIB) <= now
    assert abs(bandwidth.received(25 * KIB) - (now + 0.5)) < 0.01
    await trio.sleep(1.0)
    use = bandwidth.use(trio.current_time())["down_bytes_s"]

    assert (use.limit, use.used, use.refused) == (50 * KIB, 75 * KIB, 1)
