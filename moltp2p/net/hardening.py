"""What libp2p 0.8.1 leaves open in sockets and yamux, closed from outside.

Each part names the upstream defect; a test in tests/tripwire/ shows it on the
bare library, and fails on the day that it is mended and the part can go.
The defects of its Swarm and BasicHost (C1, C3, stale connections) are contained
by not running them: `net/switch.py` and `net/host.py` stand in their place.
"""

from __future__ import annotations

import math
import socket
import struct
from typing import TYPE_CHECKING, Final

import trio
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_ACK,
    TYPE_PING,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    Yamux,
)

from moltp2p.net.exact_reader import ExactReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from libp2p.abc import ISecureConn
    from libp2p.peer.id import ID
    from libp2p.stream_muxer.yamux.yamux import YamuxStream

    from moltp2p.net.bandwidth import Bandwidth

RECEIVE_BYTES: Final = 256 * 1024
"""Asked of the kernel at once: a system call per yamux header would be slow."""

SILENT_S: Final = 30
"""How long sent bytes may stay unacknowledged before the kernel gives up. Yamux
pings every 30 s, so a peer whose machine vanished is noticed within a minute;
the default would be a quarter of an hour."""

STREAM_BUFFER_BYTES: Final = 512 * 1024
"""Kept unread for one stream. The window is 256 KiB; upstream grants up to half as
much again, by counting a read twice (`_auto_tune_and_send_window_update`)."""

# SPEC 04: "more than 2,097,152 bytes"
UNREAD_BYTES: Final = 2_097_152
"""Kept unread for all streams of a connection. Each stream has a window of its own,
so that 64 of them entitle a peer to more memory than a stranger should hold."""


class BoundedSocket(ExactReader):
    """A TCP connection on which every write has an end.

    H14: a peer that stops reading blocks upstream's writes, and `close`, for
    ever (`yamux.py:788, 851`). Here a write that the kernel does not take
    within `write_s` ends the connection.

    A cancelled write would leave half a Noise message on the wire and make
    garbage of all that follows, so a write is shielded; its deadline bounds it.

    Args:
        stream: the connection; owned from now on.
        write_s: how long a write may wait for the peer to read.
        bandwidth: counts what goes either way, and says when to read on.

    Attributes:
        bandwidth: the same.
    """

    def __init__(
        self, stream: trio.SocketStream, write_s: float, bandwidth: Bandwidth
    ) -> None:
        super().__init__()
        self._stream = stream
        self._write_s = write_s
        self.bandwidth = bandwidth
        self._read_at = -math.inf
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_S * 1000)

    async def _receive(self) -> bytes:
        # The wait stands before the read: cancelled, it costs no bytes.
        if self._read_at > trio.current_time():
            await trio.sleep_until(self._read_at)
        count = self.bandwidth.read_bytes or RECEIVE_BYTES
        try:
            data = await self._stream.receive_some(count)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(str(error)) from error
        self._read_at = self.bandwidth.received(len(data))
        return bytes(data)

    async def write(self, data: bytes) -> None:
        """Send all of `data`, or end the connection."""
        self.bandwidth.sent(len(data))
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


class _Unread(bytearray):
    """What arrived on one stream and was not read yet, bounded."""

    def __init__(self, buffers: _Buffers) -> None:
        super().__init__()
        self._buffers = buffers

    def extend(self, data: bytes) -> None:  # type: ignore[override]
        # TooSlowError is the one exception on which upstream's read loop hangs up.
        if len(self) + len(data) > STREAM_BUFFER_BYTES:
            raise trio.TooSlowError("the peer ignores the receive window")
        if self._buffers.unread_bytes + len(data) > UNREAD_BYTES:
            raise trio.TooSlowError("the peer fills too many streams at once")
        super().extend(data)


class _Buffers(dict[int, bytearray]):
    @property
    def unread_bytes(self) -> int:
        return sum(map(len, self.values()))

    def __setitem__(self, stream_id: int, buffer: bytearray) -> None:
        unread = _Unread(self)
        unread += buffer
        super().__setitem__(stream_id, unread)


class _Held:
    """The connection as yamux's read loop sees it: it holds answers back.

    A Noise message is taken whole, and handed out in parts: upstream copies what is
    left of it at each header.

    Yamux answers a ping, and a new stream, from within its read loop. Sent at once,
    each answer of 12 bytes is a Noise message and a system call of its own. Here
    they go with the next frame that is written, and at the latest when the loop
    would wait for the peer: whoever sends 5,000 pings at once gets one answer.

    Args:
        secured: the connection.
        flush: sends what is held back, by calling `write` in its turn.
    """

    def __init__(
        self, secured: ISecureConn, flush: Callable[[], Awaitable[None]]
    ) -> None:
        self._secured = secured
        self._flush = flush
        self._answers = b""
        self._message = b""
        self._read_to = 0

    def hold(self, answer: bytes) -> None:
        """Let `answer` be sent later."""
        self._answers += answer

    @property
    def unread_bytes(self) -> int:
        """How much can be read without waiting for the peer."""
        return len(self._message) - self._read_to

    async def read(self, n: int) -> bytes:
        """Return exactly `n` bytes, or fewer at the end of the connection."""
        while self.unread_bytes < n:
            if self._answers:
                await self._flush()
            more = await self._secured.read()
            if not more:
                break
            self._message = self._message[self._read_to :] + more
            self._read_to = 0
        taken = self._message[self._read_to : self._read_to + n]
        self._read_to += len(taken)
        return taken

    async def write(self, data: bytes) -> None:
        """Send what was held back, and then `data`."""
        answers, self._answers = self._answers, b""
        if answers or data:
            await self._secured.write(answers + data)

    async def close(self) -> None:
        """Close the connection."""
        await self._secured.close()


ANSWERS: Final = frozenset({(TYPE_PING, FLAG_ACK), (TYPE_WINDOW_UPDATE, FLAG_ACK)})
"""Frames that only yamux's read loop writes."""


class BoundedYamux(Yamux):
    """Yamux whose receive window is enforced.

    C4: upstream only logs a peer that sends beyond the window, and buffers all
    of it (`yamux.py:1542`). It also reads 16 MiB of one frame before it looks for
    the stream that they are for (`yamux.py:1254`).
    """

    def __init__(self, secured: ISecureConn, peer: ID, *, outbound: bool) -> None:
        super().__init__(secured, peer, is_initiator=outbound)
        self._held = _Held(secured, self._flush)
        self.secured_conn = self._held  # type: ignore[assignment]
        self.stream_buffers = _Buffers()

    async def _write_frame(self, data: bytes) -> None:
        _, kind, flags, _, _ = struct.unpack_from(YAMUX_HEADER_FORMAT, data)
        if (kind, flags) in ANSWERS:
            self._held.hold(data)
            await trio.lowlevel.checkpoint()
        else:
            await self._write(data)

    async def _write(self, data: bytes) -> None:
        # As upstream, less a switch of tasks for a lock that nobody holds, and one
        # after the write, which has been one itself.
        try:
            self._write_lock.acquire_nowait()
        except trio.WouldBlock:
            await self._write_lock.acquire()
        try:
            await self._held.write(data)
        finally:
            self._write_lock.release()

    async def _flush(self) -> None:
        await self._write(b"")

    async def _read_data_body(self, length: int) -> bytes:
        if length > STREAM_BUFFER_BYTES:
            raise trio.TooSlowError("a frame larger than any window")
        if length <= self._held.unread_bytes:
            return await self._held.read(length)
        return await super()._read_data_body(length)


def keep_window(stream: YamuxStream) -> None:
    """Keep the receive window of `stream` as it is.

    Upstream doubles it every few reads, up to 16 MiB, which a stranger may then
    fill on each stream that it can open.
    """
    stream._apply_autotune_epoch = _no_growth  # type: ignore[method-assign,assignment]  # noqa: SLF001


def _no_growth(_buffered: int) -> int:
    return 0
