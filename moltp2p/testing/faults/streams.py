"""A stream on which bytes are late, held, thin or partly lost.

What the other end sent is read at once, and given to the node when it would have
arrived: late by the latency, in order, and not while the peer is cut off. At most
`WINDOW_BYTES` wait, as in a stream's own window; then the other end must.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Stream
from moltp2p.net.streams import PIECE_BYTES, READ_BYTES
from moltp2p.testing.faults.conditions import Faults
from moltp2p.testing.faults.loss import Sieve

WINDOW_BYTES: Final = READ_BYTES


class FaultyStream:
    """A stream between a node and its network (`net.base.Stream`).

    Args:
        stream: the network's own.
        faults: the node's.
        sieve: what loses gossip; None on streams of other protocols, whose bytes
            TCP would send again.
    """

    def __init__(self, stream: Stream, faults: Faults, sieve: Sieve | None) -> None:
        self._stream = stream
        self._faults = faults
        self._sieve = sieve
        self._arriving: deque[tuple[float, bytes]] = deque()
        self._waiting_bytes = 0
        self._ended = False
        self._failure: PeerError | None = None
        self._moved = trio.Event()
        self._pumping = trio.CancelScope()
        self._closed = False

    @property
    def peer(self) -> PeerId:
        """Who is at the other end."""
        return self._stream.peer

    @property
    def protocol(self) -> str:
        """What both agreed to speak."""
        return self._stream.protocol

    async def pump(self) -> None:
        """Read what the other end sends, until it is over; run by the network."""
        with self._pumping:
            try:
                await self._read()
            except PeerError as error:
                self._failure = error
            except trio.ClosedResourceError:
                self._ended = True  # closed here, while it was read
            self._tell()

    async def _read(self) -> None:
        while not self._ended:
            data = await self._stream.receive_some(READ_BYTES)
            self._ended = not data
            loses = self._faults.loses if self._faults.orders.loss else None
            kept = self._sieve.pass_on(data, loses) if self._sieve else data
            if kept:
                self._take(kept)
            self._tell()
            while self._waiting_bytes >= WINDOW_BYTES:
                await self._moved.wait()

    def _take(self, data: bytes) -> None:
        arrives_at = self._faults.arrives_at(self.peer, len(data))
        if self._faults.is_cut(self.peer):
            self._faults.counts["held"] += 1
        self._arriving.append((arrives_at, data))
        self._waiting_bytes += len(data)

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has arrived (`net.base.Stream`)."""
        await trio.lowlevel.checkpoint()
        while True:
            if self._closed:
                raise trio.ClosedResourceError("the stream was closed here")
            if self._failure is not None and self._is_idle():
                raise self._failure
            if self._faults.is_cut(self.peer):
                await self._until_something()
            elif not self._arriving:
                if self._ended:
                    return b""
                await self._moved.wait()
            elif (arrives_at := self._arriving[0][0]) > trio.current_time():
                with trio.move_on_at(arrives_at):
                    await self._until_something()
            else:
                return self._give(max_bytes)

    def _is_idle(self) -> bool:
        """Tell whether nothing of what was sent can come any more."""
        return not self._arriving or self._faults.is_cut(self.peer)

    async def _until_something(self) -> None:
        """Wait until more has come, it is over, or other faults hold."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_then_cancel, self._moved.wait, nursery.cancel_scope)
            nursery.start_soon(_then_cancel, self._faults.changed, nursery.cancel_scope)

    def _give(self, max_bytes: int) -> bytes:
        arrives_at, data = self._arriving.popleft()
        if len(data) > max_bytes:
            self._arriving.appendleft((arrives_at, data[max_bytes:]))
        given = data[:max_bytes]
        self._waiting_bytes -= len(given)
        self._tell()
        return given

    async def send_all(self, data: bytes) -> None:
        """Send all of `data`, as fast as the node's line allows."""
        if not self._faults.orders.uplink_mbit:
            await self._stream.send_all(data)
            return
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            await self._faults.wait_for_uplink(len(piece))
            await self._stream.send_all(piece)

    async def close(self) -> None:
        """Say that we are done (`net.base.Stream`)."""
        self.stop()
        await self._stream.close()

    async def reset(self) -> None:
        """Drop the stream at once (`net.base.Stream`)."""
        self.stop()
        await self._stream.reset()

    def stop(self) -> None:
        """Read no more."""
        self._closed = True
        self._pumping.cancel()
        self._tell()

    def _tell(self) -> None:
        self._moved.set()
        self._moved = trio.Event()


async def _then_cancel(
    event: Callable[[], Awaitable[object]], scope: trio.CancelScope
) -> None:
    await event()
    scope.cancel()
