"""One libp2p connection: yamux over Noise over TCP (`net.switch.Connection`)."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.stream_muxer.yamux.yamux import (
    GO_AWAY_NORMAL,
    TYPE_GO_AWAY,
    YAMUX_HEADER_FORMAT,
    YamuxStream,
)

from moltp2p.core.errors import PeerError
from moltp2p.net.hardening import BoundedYamux
from moltp2p.net.muxed import MuxedStream
from moltp2p.net.negotiation import agree, propose
from moltp2p.net.streams import GuardedStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from libp2p.abc import ISecureConn

    from moltp2p.net.base import ConnectionLimits, Stream
    from moltp2p.net.containment import Offer
    from moltp2p.net.hardening import BoundedSocket
    from moltp2p.net.stream_wire import StreamWire
    from moltp2p.proto.address import Address

GO_AWAY: Final = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_GO_AWAY, 0, 0, GO_AWAY_NORMAL)


class LibP2PConnection:
    """A secured connection.

    Args:
        secured: the Noise session.
        socket: what it runs on; closing it ends everything above.
        address: the other end, and who it proved to be.
        limits: ours.
        outbound: whether we dialled.
    """

    def __init__(
        self,
        secured: ISecureConn,
        socket: BoundedSocket | StreamWire,
        address: Address,
        limits: ConnectionLimits,
        *,
        outbound: bool,
    ) -> None:
        self.address = address
        self.outbound = outbound
        self._socket = socket
        self._limits = limits
        peer = ID.from_string(address.peer)
        self._yamux = BoundedYamux(secured, peer, outbound=outbound)
        self._nursery: trio.Nursery | None = None
        self._closing = False
        self._lingering = 0

    async def run(self, offered: Callable[[Offer], Awaitable[None]]) -> None:
        """Carry streams until the connection ends."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._yamux.start)
                self._nursery = nursery
                try:
                    await self._accept(offered)
                finally:
                    # Before the nursery has closed, or whoever closes a stream then
                    # could not start a task, and would raise.
                    self._nursery = None
                nursery.cancel_scope.cancel()
        finally:
            self._socket.abort()
            # Wakes whoever still reads a stream. Upstream does so only where its
            # read loop ends by itself; no lock it needs is held across a wait.
            with trio.CancelScope(shield=True):
                await self._yamux._cleanup_on_error()  # noqa: SLF001

    async def _accept(self, offered: Callable[[Offer], Awaitable[None]]) -> None:
        async for stream in self._yamux.new_stream_receive_channel:
            muxed, close_s = self._muxed(stream), self._limits.close_s
            await offered(_Offer(muxed, self._guarded, close_s))

    async def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream (`net.base.Network.open_stream`)."""
        await self._yamux.event_started.wait()
        stream = self._muxed(await self._open())
        try:
            protocol = await propose(stream, protocols)
        except BaseException:  # cancelled, too: its number would stay taken
            with trio.move_on_after(self._limits.close_s, shield=True):
                await stream.abort()
            raise
        return self._guarded(stream, protocol)

    def _guarded(self, stream: MuxedStream, protocol: str) -> Stream:
        return GuardedStream(
            stream,
            self.address.peer,
            protocol,
            self._limits,
            self._socket.bandwidth,
        )

    async def _open(self) -> YamuxStream:
        if not self._yamux.stream_backlog_semaphore.value:
            raise PeerError("too-many-streams", "too many streams are open already")
        try:
            # Upstream forgets a stream whose opening is cancelled, and its slot;
            # the socket's deadline bounds the wait.
            with trio.CancelScope(shield=True):
                return await self._yamux.open_stream()
        except BaseLibp2pError as error:
            raise PeerError("stream-reset", str(error)) from error
        raise AssertionError("a shield swallows nothing")

    def _muxed(self, stream: YamuxStream) -> MuxedStream:
        return MuxedStream(stream, self._yamux, self._linger)

    def _linger(self, task: Callable[[], Awaitable[None]]) -> bool:
        """Run a closed stream's task, unless a peer leaves too many unclosed."""
        if self._nursery is None or self._lingering >= self._limits.streams_per_peer:
            return False
        self._lingering += 1
        self._nursery.start_soon(self._let_linger, task)
        return True

    async def _let_linger(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        finally:
            self._lingering -= 1

    async def close(self) -> None:
        """Say goodbye, within `close_s`, and end the connection."""
        if self._closing:
            return
        self._closing = True
        with trio.move_on_after(self._limits.close_s, shield=True):
            with suppress(BaseLibp2pError):  # gone already
                await self._yamux._write_frame(GO_AWAY)  # noqa: SLF001
        self._socket.abort()


class _Offer:
    """A stream that the peer opened (`net.containment.Offer`)."""

    def __init__(
        self,
        stream: MuxedStream,
        guarded: Callable[[MuxedStream, str], Stream],
        close_s: float,
    ) -> None:
        self._stream = stream
        self._guarded = guarded
        self._close_s = close_s

    async def accept(self, protocols: Collection[str]) -> Stream:
        return self._guarded(self._stream, await agree(self._stream, protocols))

    async def reset(self) -> None:
        with trio.move_on_after(self._close_s, shield=True):
            await self._stream.abort()
