"""What libp2p 0.8.1 leaves open in sockets and yamux, closed from outside.

Each part names the upstream defect; a test in tests/tripwire/ shows it on the
bare library, and fails on the day that it is mended and the part can go.
The defects of its Swarm and BasicHost (C1, C3, stale connections) are contained
by not running them: `net/switch.py` and `net/host.py` stand in their place.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import trio
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.stream_muxer.yamux.yamux import Yamux

from moltp2p.core.errors import PeerError
from moltp2p.proto.address import Endpoint, parse_ip

if TYPE_CHECKING:
    from libp2p.abc import ISecureConn
    from libp2p.peer.id import ID
    from libp2p.stream_muxer.yamux.yamux import YamuxStream

RECEIVE_BYTES: Final = 256 * 1024
"""Asked of the kernel at once: a system call per yamux header would be slow."""

LONGEST_READ_BYTES: Final = 128 * 1024
"""No part of Noise or multistream needs more in one piece (a Noise message is
65,535). The length in a multistream token is a stranger's word, and upstream
hands it to `recv` unchecked (`utils/varint.py:read_varint_prefixed_bytes`)."""

SILENT_S: Final = 30
"""How long sent bytes may stay unacknowledged before the kernel gives up. Yamux
pings every 30 s, so a peer whose machine vanished is noticed within a minute;
the default would be a quarter of an hour."""

STREAM_BUFFER_BYTES: Final = 512 * 1024
"""Kept unread for one stream. The window is 256 KiB; upstream grants up to half as
much again, by counting a read twice (`_auto_tune_and_send_window_update`)."""


class BoundedSocket(ReadWriteCloser):
    """A TCP connection on which every write has an end.

    H14: a peer that stops reading blocks upstream's writes, and `close`, for
    ever (`yamux.py:788, 851`). Here a write that the kernel does not take
    within `write_s` ends the connection.

    A cancelled write would leave half a Noise message on the wire and make
    garbage of all that follows, so a write is shielded; its deadline bounds it.

    Args:
        stream: the connection; owned from now on.
        write_s: how long a write may wait for the peer to read.
    """

    def __init__(self, stream: trio.SocketStream, write_s: float) -> None:
        self._stream = stream
        self._write_s = write_s
        self._buffer = bytearray()
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_S * 1000)

    async def read(self, n: int | None = None) -> bytes:
        """Return exactly `n` bytes, or fewer at the end of the connection.

        Exactly, because upstream's `read_exactly` gives up after a hundred short
        reads, so that a Noise message in small segments ended a connection.
        """
        wanted = 1 if n is None else n
        if wanted > LONGEST_READ_BYTES:
            raise ConnectionClosedError(f"the peer announced {wanted} bytes")
        while len(self._buffer) < wanted:
            data = await self._receive()
            if not data:
                break
            self._buffer += data
        taken = bytes(self._buffer[: len(self._buffer) if n is None else n])
        del self._buffer[: len(taken)]
        return taken

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(str(error)) from error

    async def write(self, data: bytes) -> None:
        """Send all of `data`, or end the connection."""
        try:
            with trio.move_on_after(self._write_s, shield=True) as patience:
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.abort()
            raise ConnectionClosedError(str(error)) from error
        if patience.cancelled_caught:
            self.abort()
            raise ConnectionClosedError(f"not read for {self._write_s:g} s")

    def abort(self) -> None:
        """Close at once; whoever reads or writes is told."""
        self._stream.socket.close()

    async def close(self) -> None:
        """Close at once (`ReadWriteCloser`)."""
        self.abort()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Return host and port of the other end.

        H15: upstream expects two values of `getpeername`, and IPv6 gives four
        (`io/trio.py:104`), so that no limit or deny list knew the address.
        """
        try:
            host, port = self._stream.socket.getpeername()[:2]
        except OSError:
            return None
        return host, port

    def remote(self) -> Endpoint:
        """Return the other end.

        Raises:
            PeerError: `stream-reset` when it is gone already.
        """
        address = self.get_remote_address()
        if address is None:
            raise PeerError("stream-reset", "the connection ended at once")
        return Endpoint(parse_ip(address[0]), address[1])


class _Unread(bytearray):
    """What arrived on one stream and was not read yet, bounded."""

    def extend(self, data: bytes) -> None:  # type: ignore[override]
        if len(self) + len(data) > STREAM_BUFFER_BYTES:
            # The one exception on which upstream's read loop hangs up.
            raise trio.TooSlowError("the peer ignores the receive window")
        super().extend(data)


class _Buffers(dict[int, bytearray]):
    def __setitem__(self, stream_id: int, buffer: bytearray) -> None:
        super().__setitem__(stream_id, _Unread(buffer))


class BoundedYamux(Yamux):
    """Yamux whose receive window is enforced.

    C4: upstream only logs a peer that sends beyond the window, and buffers all
    of it (`yamux.py:1542`).
    """

    def __init__(self, secured: ISecureConn, peer: ID, *, outbound: bool) -> None:
        super().__init__(secured, peer, is_initiator=outbound)
        self.stream_buffers = _Buffers()


def keep_window(stream: YamuxStream) -> None:
    """Keep the receive window of `stream` as it is.

    Upstream doubles it every few reads, up to 16 MiB, which a stranger may then
    fill on each stream that it can open.
    """
    stream._apply_autotune_epoch = _no_growth  # type: ignore[method-assign,assignment]  # noqa: SLF001


def _no_growth(_buffered: int) -> int:
    return 0
