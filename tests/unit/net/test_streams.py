"""Frames on streams, and the patience of streams."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.memory_streams import WINDOW_BYTES, MemoryStream, Pipe
from moltp2p.net.streams import FrameReader, FrameWriter, GuardedStream

LIMITS = ConnectionLimits(write_s=5, close_s=3)


def ends(latency_s: float = 0.0) -> tuple[GuardedStream, GuardedStream]:
    out, back = Pipe(latency_s), Pipe(latency_s)
    return (
        GuardedStream(MemoryStream(back, out), PeerId("bob"), "/t/1.0.0", LIMITS),
        GuardedStream(MemoryStream(out, back), PeerId("alice"), "/t/1.0.0", LIMITS),
    )


async def code_of_next(reader: FrameReader, within_s: float = 1000) -> str:
    with pytest.raises(PeerError) as raised:
        await reader.receive(within_s)
    return raised.value.code


async def test_frames_arrive_until_the_end() -> None:
    alice, bob = ends()
    await FrameWriter(alice, 100).send(b"one", b"two")
    await alice.close()
    reader = FrameReader(bob, 100)

    assert [await reader.receive() for _ in range(4)] == [b"one", b"two", b"", b""]


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x00", "bad-frame"),
        (b"\x65", "frame-too-large"),
        (b"\x03ab", "bad-frame"),
    ],
)
async def test_what_is_no_frame_is_refused(wire: bytes, code: str) -> None:
    alice, bob = ends()
    await alice.send_all(wire)
    await alice.close()

    assert await code_of_next(FrameReader(bob, 100)) == code


async def test_a_frame_in_drips_has_one_deadline(autojump_clock: MockClock) -> None:
    alice, bob = ends()

    async def drip() -> None:
        await alice.send_all(b"\x64")
        for _ in range(99):
            await trio.sleep(0.9)
            await alice.send_all(b"x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        start = trio.current_time()
        assert await code_of_next(FrameReader(bob, 100), within_s=1) == "too-slow"
        assert trio.current_time() - start == pytest.approx(1)
        nursery.cancel_scope.cancel()


async def test_a_write_nobody_reads_ends_in_time(autojump_clock: MockClock) -> None:
    alice, bob = ends()
    start = trio.current_time()
    with pytest.raises(PeerError) as raised:
        await alice.send_all(bytes(WINDOW_BYTES + 1))

    assert raised.value.code == "too-slow"
    assert trio.current_time() - start == pytest.approx(LIMITS.write_s)
    with pytest.raises(PeerError) as raised:
        await bob.receive_some(1)
    assert raised.value.code == "stream-reset"


async def test_a_slow_reader_is_waited_for(autojump_clock: MockClock) -> None:
    alice, bob = ends()
    received = 0

    async def read_slowly() -> None:
        nonlocal received
        while data := await bob.receive_some(20_000):
            received += len(data)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_slowly)
        await alice.send_all(bytes(4 * WINDOW_BYTES))
        await alice.close()

    assert received == 4 * WINDOW_BYTES


async def test_bytes_take_their_time(autojump_clock: MockClock) -> None:
    alice, bob = ends(latency_s=0.25)
    start = trio.current_time()
    await alice.send_all(b"x")
    await bob.receive_some(1)

    assert trio.current_time() - start == pytest.approx(0.25)


async def test_closing_a_torn_stream_resets_it() -> None:
    alice, bob = ends()
    with trio.move_on_after(0):
        await alice.send_all(b"half a message")
    await alice.close()

    with pytest.raises(PeerError) as raised:
        await bob.receive_some(1)
    assert raised.value.code == "stream-reset"


async def test_closing_works_while_cancelled() -> None:
    alice, bob = ends()
    await alice.send_all(b"bye")
    with trio.CancelScope() as scope:
        scope.cancel()
        await alice.close()

    assert await bob.receive_some(100) == b"bye"
    assert await bob.receive_some(100) == b""
