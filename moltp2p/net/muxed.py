"""A stream of libp2p's yamux, as `GuardedStream` wants it.

Upstream hides why a stream ended, loses data when a read is cancelled, and keeps
what a finished stream received; each is put right here, beside its reason.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream

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
            data = await self._muxer.read_stream(self._stream.stream_id, max_bytes)
        except BaseLibp2pError as error:
            self._forget()
            # Upstream reports a reset, or the loss of the connection, as a clean
            # end (`yamux.py:1060`): half a message would pass for a whole one.
            if self._lost():
                raise PeerError("stream-reset", str(error)) from error
            return b""
        # The bytes are ours now: cancelled between here and the caller, upstream's
        # `YamuxStream.read` loses them. The socket's own deadline bounds the write.
        with trio.CancelScope(shield=True):
            await self._credit()
        return data

    async def _credit(self) -> None:
        """Open the window again once half of it was read, as go-yamux does.

        Upstream does so at each read when told how much was read: a frame back for
        each message, and a window that grows by what was credited twice.
        """
        try:
            await self._stream._auto_tune_and_send_window_update(bytes_read=0)  # noqa: SLF001
        except BaseLibp2pError:
            return  # the connection is gone, which the next read will say

    async def write(self, piece: bytes) -> None:
        """Send a piece."""
        try:
            await self._stream.write(piece)
        except BaseLibp2pError as error:
            if self._lost() or self._stream.closed:
                raise PeerError("stream-reset", str(error)) from error
            # Upstream's own limit, on a window that stays shut (`yamux.py:280`).
            raise PeerError("too-slow", str(error)) from error

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
