"""Streams inside one process: bounded pipes that take time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.net.streams import GuardedStream

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from moltp2p.core.ids import PeerId
    from moltp2p.net.bandwidth import Bandwidth
    from moltp2p.net.base import ConnectionLimits, Stream

WINDOW_BYTES: Final = 256 * 1024
"""Sent and not yet read, in one direction of a stream, as in libp2p's yamux;
whoever sends more waits."""


class Pipe:
    """One direction of a stream.

    Args:
        latency_s: seconds until what is written can be read.
    """

    def __init__(self, latency_s: float) -> None:
        self._broken = False
        self._ended = False
        self._latency_s = latency_s
        self._chunks: deque[tuple[float, bytes]] = deque()  # when it arrives, what
        self._held_bytes = 0
        self._discards = False
        self._changed = trio.lowlevel.ParkingLot()

    async def write(self, piece: bytes) -> None:
        """Put all of `piece` in, waiting for room."""
        await trio.lowlevel.checkpoint()
        rest = piece
        while rest:
            self._check()
            if self._discards:
                return
            room = WINDOW_BYTES - self._held_bytes
            if room > 0:
                self._push(rest[:room])
                rest = rest[room:]
            else:
                await self._changed.park()

    async def read(self, max_bytes: int) -> bytes:
        """Take what has arrived, at most `max_bytes`; `b""` at the end."""
        await trio.lowlevel.checkpoint()
        while True:
            self._check()
            if not self._chunks:
                await self._changed.park()
            elif (arrives := self._chunks[0][0]) > trio.current_time():
                with trio.move_on_at(arrives):
                    await self._changed.park()
            else:
                return self._take(max_bytes)

    @property
    def spent(self) -> bool:
        """Whether nothing will ever pass again."""
        drained = self._discards or not self._held_bytes
        return self._broken or (self._ended and drained)

    def end(self) -> None:
        """Let the reader find the end after what was written."""
        self._ended = True
        self._push(b"")

    def discard(self) -> None:
        """Throw away what is in it and what still comes: nobody reads any more."""
        self._discards = True
        self._chunks.clear()
        self._held_bytes = 0
        self._changed.unpark_all()

    def break_off(self) -> None:
        """Fail both ends from now on."""
        self._broken = True
        self._changed.unpark_all()

    def _push(self, chunk: bytes) -> None:
        self._chunks.append((trio.current_time() + self._latency_s, chunk))
        self._held_bytes += len(chunk)
        self._changed.unpark_all()

    def _take(self, max_bytes: int) -> bytes:
        now = trio.current_time()
        taken = bytearray()
        while self._chunks and self._chunks[0][0] <= now and len(taken) < max_bytes:
            arrives, chunk = self._chunks[0]
            if not chunk:
                break  # the end stays in place, for whoever reads again
            room = max_bytes - len(taken)
            taken += chunk[:room]
            self._chunks.popleft()
            if len(chunk) > room:
                self._chunks.appendleft((arrives, chunk[room:]))
        self._held_bytes -= len(taken)
        self._changed.unpark_all()
        return bytes(taken)

    def _check(self) -> None:
        if self._broken:
            raise PeerError("stream-reset", "the stream was reset, or its connection")


class MemoryStream:
    """One end of a stream (`net.streams.RawStream`).

    Args:
        inward: what the other end writes.
        outward: what we write.
    """

    def __init__(self, inward: Pipe, outward: Pipe) -> None:
        self._inward = inward
        self._outward = outward

    async def read(self, max_bytes: int) -> bytes:
        """Return what has arrived."""
        return await self._inward.read(max_bytes)

    async def write(self, piece: bytes) -> None:
        """Send a piece."""
        await self._outward.write(piece)

    async def end(self) -> None:
        """Send nothing more, and throw away what still arrives."""
        await trio.lowlevel.checkpoint()
        self._outward.end()
        self._inward.discard()

    async def abort(self) -> None:
        """Drop both directions."""
        await trio.lowlevel.checkpoint()
        self.drop()

    def drop(self) -> None:
        """Drop both directions, without a checkpoint."""
        self._inward.break_off()
        self._outward.break_off()


class MemoryOffer:
    """A stream that one end opened and the other has not taken up yet.

    Args:
        stream: the accepting end of it.
        wanted: the protocols of the opener, best first.
        opener: who opens it.
        limits: those of the accepting end.
        bandwidth: likewise.
    """

    def __init__(
        self,
        stream: MemoryStream,
        wanted: Sequence[str],
        opener: PeerId,
        limits: ConnectionLimits,
        bandwidth: Bandwidth,
    ) -> None:
        self._bandwidth = bandwidth
        self._stream = stream
        self._wanted = wanted
        self._opener = opener
        self._limits = limits
        self._protocol: str | None = None
        self._code = ""
        self._answered = trio.Event()

    async def accept(self, protocols: Collection[str]) -> Stream:
        """Agree on the first of the wanted protocols that is among `protocols`."""
        await trio.lowlevel.checkpoint()
        common = [protocol for protocol in self._wanted if protocol in protocols]
        if not common:
            self._refuse("protocol-unsupported")
            raise PeerError("protocol-unsupported", f"none of {self._wanted} is ours")
        self._protocol = common[0]
        self._answered.set()
        return GuardedStream(
            self._stream, self._opener, common[0], self._limits, self._bandwidth
        )

    async def reset(self) -> None:
        """Refuse it."""
        self.withdraw()

    @property
    def answered(self) -> bool:
        """Whether the other end has decided."""
        return self._answered.is_set()

    def withdraw(self) -> None:
        """Fail both ends, as when the connection is gone."""
        self._stream.drop()
        self._refuse("stream-reset")

    async def answer(self) -> str:
        """Return the agreed protocol, once the other end has decided."""
        await self._answered.wait()
        if self._protocol is None:
            raise PeerError(self._code, f"{self._wanted} refused by the other end")
        return self._protocol

    def _refuse(self, code: str) -> None:
        self._code = self._code or code
        self._answered.set()
