"""Streams of ours: every wait has an end, and frames have a size.

`GuardedStream` is the one implementation of `net.base.Stream`; libp2p's streams
and those in memory stand behind it as `RawStream`. `FrameReader` and
`FrameWriter` put frames (spec 04) on any `Stream`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

import trio

from moltp2p.core.errors import PeerError
from moltp2p.proto.framing import FrameDecoder, encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moltp2p.core.ids import PeerId
    from moltp2p.net.bandwidth import Bandwidth
    from moltp2p.net.base import ConnectionLimits, Stream

READ_BYTES: Final = 256 * 1024
"""Asked of a stream at once: its whole window (libp2p's yamux: 256 KiB).
Reading less sends more window updates, at about 1 ms each."""

PIECE_BYTES: Final = 65_535 - 16 - 12
"""Written at once: one Noise message, less its tag, of one yamux frame with its header.
A frame of yamux's own 64 KiB would not fit, and cost a second message of 17 bytes."""


class RawStream(Protocol):
    """What `GuardedStream` needs of a transport's stream."""

    async def read(self, max_bytes: int) -> bytes:
        """Return what has arrived, `b""` at the end; `stream-reset` when gone."""

    async def write(self, piece: bytes) -> None:
        """Send at most `PIECE_BYTES`, however long it takes; `stream-reset`."""

    async def end(self) -> None:
        """Send nothing more, and throw away what still arrives."""

    async def abort(self) -> None:
        """Drop both directions."""


class GuardedStream:
    """A stream on which nothing hangs.

    Args:
        raw: the transport's stream.
        peer: who is at the other end.
        protocol: what both agreed to speak.
        limits: `write_s` and `close_s` are observed here.
        bandwidth: whom a write waits for; None for nobody.
    """

    def __init__(
        self,
        raw: RawStream,
        peer: PeerId,
        protocol: str,
        limits: ConnectionLimits,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._bandwidth = bandwidth
        self._raw = raw
        self._peer = peer
        self._protocol = protocol
        self._limits = limits
        self._sending = False
        self._receiving = False
        self._torn = False  # a write was cut short: what follows would be garbage
        self._closed = False

    @property
    def peer(self) -> PeerId:
        """Who is at the other end."""
        return self._peer

    @property
    def protocol(self) -> str:
        """What both agreed to speak."""
        return self._protocol

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has arrived (`net.base.Stream`)."""
        self._check_usable(busy=self._receiving)
        self._receiving = True
        try:
            return await self._raw.read(max_bytes)
        finally:
            self._receiving = False

    async def send_all(self, data: bytes) -> None:
        """Send all of `data`; each 64 KiB may wait `write_s` (`net.base.Stream`)."""
        self._check_usable(busy=self._sending)
        self._sending = True
        try:
            for start in range(0, len(data), PIECE_BYTES):
                piece = data[start : start + PIECE_BYTES]
                if self._bandwidth is not None:
                    await self._bandwidth.wait_up(len(piece))
                await self._send_piece(piece)
        finally:
            self._sending = False

    async def _send_piece(self, piece: bytes) -> None:
        whole = False
        try:
            with trio.move_on_after(self._limits.write_s):
                await self._raw.write(piece)
                whole = True
        finally:
            # Also when our own caller was cancelled: half a piece may be out.
            self._torn = not whole
        if not whole:
            await self.reset()
            raise PeerError("too-slow", f"did not read for {self._limits.write_s:g} s")

    async def close(self) -> None:
        """Say that we are done (`net.base.Stream`)."""
        if self._closed:
            return
        if self._torn:
            await self.reset()
            return
        self._closed = True
        with trio.move_on_after(self._limits.close_s, shield=True) as patience:
            await self._raw.end()
        if patience.cancelled_caught:
            await self._abort()

    async def reset(self) -> None:
        """Drop the stream at once (`net.base.Stream`)."""
        if not self._closed:
            self._closed = True
            await self._abort()

    async def _abort(self) -> None:
        with trio.move_on_after(self._limits.close_s, shield=True):
            await self._raw.abort()

    def _check_usable(self, *, busy: bool) -> None:
        if busy:
            raise trio.BusyResourceError("another task is in the same call")
        if self._closed:
            raise trio.ClosedResourceError("the stream was closed here")
        if self._torn:
            raise PeerError("stream-reset", "an earlier write was cut short")


class FrameReader:
    """Reads frames from a stream, in large reads.

    Args:
        stream: read by nobody else from now on.
        max_bytes: the longest payload to accept.
    """

    def __init__(self, stream: Stream, max_bytes: int) -> None:
        self._stream = stream
        self._decoder = FrameDecoder(max_bytes)

    async def receive(self, within_s: float = math.inf) -> bytes:
        """Return the next payload; `b""` is the end, since no frame is empty.

        Raises:
            PeerError: `bad-frame`, `frame-too-large`, `stream-reset`, or
                `too-slow` when it is not whole within `within_s` seconds.
        """
        with trio.move_on_after(within_s):
            return await self._receive()
        raise PeerError("too-slow", f"no frame within {within_s:g} s")

    async def _receive(self) -> bytes:
        while (payload := self._decoder.next_frame()) is None:
            data = await self._stream.receive_some(READ_BYTES)
            if not data:
                self._decoder.end()
                return b""
            self._decoder.feed(data)
        return payload


class FrameWriter:
    """Writes frames to a stream.

    Args:
        stream: written by nobody else from now on.
        max_bytes: the longest payload to send.
    """

    def __init__(self, stream: Stream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def send(self, *payloads: bytes) -> None:
        """Send the payloads as one frame each, in one write.

        Raises:
            UsageError: `bad-frame` when one is empty, `frame-too-large`.
            PeerError: `too-slow` or `stream-reset`.
        """
        await self._stream.send_all(encode_frames(payloads, self._max_bytes))


def encode_frames(payloads: Iterable[bytes], max_bytes: int) -> bytes:
    """Return the frames of several payloads, one after the other.

    Raises:
        UsageError: `bad-frame` or `frame-too-large`.
    """
    return b"".join(encode_frame(payload, max_bytes) for payload in payloads)
