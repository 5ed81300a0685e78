"""Reading exactly as much as Noise and multistream ask for."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError

LONGEST_READ_BYTES: Final = 128 * 1024
"""No part of Noise or multistream needs more in one piece (a Noise message is
65,535). The length in a multistream token is a stranger's word, and upstream
hands it to `recv` unchecked (`utils/varint.py:read_varint_prefixed_bytes`)."""


class ExactReader(ReadWriteCloser):
    """What Noise can run on, once it is told how to receive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @abstractmethod
    async def _receive(self) -> bytes:
        """Return what came next, of any length; empty at the end."""

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
