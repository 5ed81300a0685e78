"""A stream in the place of a socket: what a relayed connection runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from libp2p.io.exceptions import ConnectionClosedError

from moltp2p.core.errors import PeerError
from moltp2p.net.exact_reader import ExactReader

if TYPE_CHECKING:
    from moltp2p.net.base import Stream

READ_BYTES: Final = 128 * 1024


class StreamWire(ExactReader):
    """A stream in the place of a socket (`net.hardening.BoundedSocket`).

    Args:
        stream: through the relay; owned from now on.
        nursery: where it is reset, since `abort` cannot wait.
    """

    bandwidth = None  # what passes is counted on the relay's connection

    def __init__(self, stream: Stream, nursery: trio.Nursery) -> None:
        super().__init__()
        self._stream = stream
        self._nursery = nursery
        self._is_aborted = False
        self._reading = trio.CancelScope()

    async def _receive(self) -> bytes:
        if self._is_aborted:
            raise ConnectionClosedError("the stream was dropped")
        try:
            # A reset of ours does not wake who reads.
            with self._reading:
                return await self._stream.receive_some(READ_BYTES)
        except (PeerError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(str(error)) from error
        finally:
            self._reading = trio.CancelScope()
        raise ConnectionClosedError("the stream was dropped")

    async def write(self, data: bytes) -> None:
        """Send all of `data`; half a Noise message would make garbage of the rest."""
        try:
            with trio.CancelScope(shield=True):  # the stream's own deadline bounds it
                await self._stream.send_all(data)
        except (PeerError, trio.ClosedResourceError) as error:
            self.abort()
            raise ConnectionClosedError(str(error)) from error

    def abort(self) -> None:
        """Drop the stream soon; whoever reads or writes is told."""
        if not self._is_aborted:
            self._is_aborted = True
            self._reading.cancel()
            self._nursery.start_soon(self._stream.reset)

    async def close(self) -> None:
        """Drop the stream (`ReadWriteCloser`)."""
        self.abort()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Return nothing: the other end is behind the relay."""
        return None
