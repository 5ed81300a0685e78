"""A stream of libp2p's yamux, as `GuardedStream` wants it.

Upstream hides why a stream ended, loses data when a read is cancelled, and keeps
what a finished stream received; each is put right here, beside its reason.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.yamux.yamux import (
    TYPE_DATA,
    YAMUX_HEADER_FORMAT,
    Yamux,
    YamuxStream,
)

from moltp2p.core.errors import PeerError
from moltp2p.net.hardening import keep_window
from moltp2p.net.streams import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LINGER_S: Final = 60
"""How long a stream that we closed waits for the peer to close it too; then it
is reset. Generous, since a reset may cost the peer what it has not read yet."""


class MuxedStream:
    """Implements `net.streams.RawStream`.

    Args:
        stream: the yamux stream.
        muxer: the connection it is on.
        linger: runs a task while the connection lives; False when it runs too many.
    """

    def __init__(
        self,
        stream: YamuxStream,
        muxer: Yamux,
        linger: Callable[[Callable[[], Awaitable[None]]], bool],
    ) -> None:
        self._stream = stream
        self._muxer = muxer
        self._start_lingering = linger
        self._pending = b""  # read while agreeing on the protocol
        keep_window(stream)

    def put_back(self, data: bytes) -> None:
        """Let the next read return `data` first."""
        self._pending = data + self._pending

    async def read(self, max_bytes: int) -> bytes:
        """Return what has arrived."""
        if self._pending:
            data, self._pending = self._pending[:max_bytes], self._pending[max_bytes:]
            return data
        try:
            data = await self._read(max_bytes)
        except BaseLibp2pError as error:
            self._forget()
            # Upstream reports a reset, or the loss of the connection, as a clean
            # end (`yamux.py:1060`): half a message would pass for a whole one.
            if self._lost():
                raise PeerError("stream-reset", str(error)) from error
            return b""
        await self._credit()
        return data

    async def _read(self, max_bytes: int) -> bytes:
        """Read as upstream does, but without a lock while the stream is well.

        Nothing waits between looking at the buffer and taking from it, so the lock
        guards nothing, and would cost two switches of tasks a read.
        """
        while self._is_well():
            buffer = self._muxer.stream_buffers[self._id]
            if buffer:
                await trio.lowlevel.checkpoint()
                if taken := bytes(buffer[:max_bytes]):
                    del buffer[: len(taken)]
                    return taken
                continue  # it was reset meanwhile
            await self._muxer.stream_events[self._id].wait()
            if self._id in self._muxer.stream_events:
                self._muxer.stream_events[self._id] = trio.Event()
        return await self._muxer.read_stream(self._id, max_bytes)

    def _is_well(self) -> bool:
        """Return whether the stream is there, and the peer may still say more."""
        stream, muxer = self._stream, self._muxer
        ended = stream.closed or stream.recv_closed or stream.reset_received
        here = self._id in muxer.stream_buffers and self._id in muxer.stream_events
        return here and not ended and not muxer.event_shutting_down.is_set()

    async def _credit(self) -> None:
        """Open the window again once half of it was read, as go-yamux does.

        Upstream does so at each read when told how much was read: a frame back for
        each message, and a window that grows by what was credited twice.
        """
        stream = self._stream
        unread = len(self._muxer.stream_buffers.get(self._id, b""))
        missing = stream.target_recv_window - stream.recv_window - unread
        if missing < stream.target_recv_window // 2:
            return
        try:
            # The bytes are ours now: cancelled between here and the caller, upstream's
            # `YamuxStream.read` loses them. The socket's own deadline bounds the write.
            with trio.CancelScope(shield=True):
                await stream._auto_tune_and_send_window_update(bytes_read=0)  # noqa: SLF001
        except BaseLibp2pError:
            return  # the connection is gone, which the next read will say

    async def write(self, piece: bytes) -> None:
        """Send a piece."""
        try:
            await self._write(piece)
        except BaseLibp2pError as error:
            if self._lost() or self._stream.closed:
                raise PeerError("stream-reset", str(error)) from error
            # Upstream's own limit, on a window that stays shut (`yamux.py:280`).
            raise PeerError("too-slow", str(error)) from error

    async def _write(self, piece: bytes) -> None:
        """Write as upstream does, but without its locks while the window has room.

        Only one task writes here, and none waits between the look and the taking.
        """
        stream = self._stream
        if stream.send_closed or stream.closed or stream.send_window < len(piece):
            await stream.write(piece)
            return
        stream.send_window -= len(piece)
        header = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_DATA, 0, self._id, len(piece))
        await self._muxer._write_frame(header + piece)  # noqa: SLF001

    async def end(self) -> None:
        """Send nothing more; see to it that yamux forgets the stream."""
        try:
            await self._stream.close()
        except BaseLibp2pError:
            return
        unfinished = not self._stream.closed
        unread = self._muxer.stream_buffers.get(self._id)
        if (unfinished or unread) and not self._start_lingering(self._linger):
            await self.abort()

    async def _linger(self) -> None:
        """Read to the peer's own end, throwing it away.

        Without this, a peer that never closes leaves an entry, and up to a window
        of bytes, in yamux for as long as the connection lives.
        """
        with trio.move_on_after(LINGER_S) as patience:
            try:
                while await self.read(READ_BYTES):
                    pass
            except PeerError:
                return
        if patience.cancelled_caught:
            await self.abort()

    async def abort(self) -> None:
        """Drop both directions."""
        if unread := self._muxer.stream_buffers.get(self._id):
            unread.clear()  # else yamux keeps it for another minute or more
        with suppress(BaseLibp2pError):  # gone already
            await self._stream.reset()
        self._forget()

    @property
    def _id(self) -> int:
        return self._stream.stream_id

    def _lost(self) -> bool:
        return self._stream.reset_received or self._muxer.event_shutting_down.is_set()

    def _forget(self) -> None:
        # Upstream's reader leaves an event behind for a stream that is gone.
        if self._id not in self._muxer.streams:
            self._muxer.stream_events.pop(self._id, None)
