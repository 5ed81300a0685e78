"""Agreeing on a stream's protocol: multistream-select, bounded.

libp2p's own parser runs here, fed by a reader that knows limits. Contains the
part of C1 in `protocol_muxer/multiselect_communicator.py:58` (a token that is
not UTF-8 ends the Swarm) and an unchecked length in `utils/varint.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.abc import ReadWriteCloser
from libp2p.protocol_muxer.exceptions import ProtocolNotSupportedError
from libp2p.protocol_muxer.multiselect import (
    PROTOCOL_NOT_FOUND_MSG,
    Multiselect,
)
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from moltp2p.core.errors import PeerError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


# SPEC 04: "A token longer than 1,024 bytes"
MAX_TOKEN_BYTES: Final = 1024

MAX_READS: Final = 256
"""Tokens and lengths to read before giving up: upstream reads lengths byte by
byte, and answers any number of proposals."""


class NewStream(Protocol):
    """A stream that was just opened (`net.muxed.MuxedStream`)."""

    async def read(self, max_bytes: int) -> bytes:
        """Return what has arrived, `b""` at the end."""

    async def write(self, piece: bytes) -> None:
        """Send a piece."""

    def put_back(self, data: bytes) -> None:
        """Let the next read return `data` first."""


class _Tokens(ReadWriteCloser):
    """What libp2p's multistream reads from and writes to.

    Reads ahead, so that reading a length byte by byte costs nothing, and gives
    back what lies behind the last token. What is written goes out when the other
    end must be waited for: every write costs 30 bytes of headers, and a stranger
    would get them for each token of 3 bytes.

    Args:
        stream: where both speak.
        speaks_first: whether we opened the stream. Else not a byte is sent before
            the opener has sent one.
    """

    def __init__(self, stream: NewStream, *, speaks_first: bool) -> None:
        self._stream = stream
        self._may_send = speaks_first
        self._buffer = b""
        self._unsent = b""
        self._reads = 0

    async def read(self, n: int | None = None) -> bytes:
        wanted = n or 0
        self._reads += 1
        if wanted > MAX_TOKEN_BYTES or self._reads > MAX_READS:
            raise PeerError("bad-negotiation", f"{wanted} bytes at read {self._reads}")
        while len(self._buffer) < wanted:
            if self._may_send:
                await self._flush()
            data = await self._stream.read(MAX_TOKEN_BYTES)
            if not data:
                raise PeerError("stream-reset", "ended before a protocol was agreed on")
            self._may_send = True
            self._buffer += data
        taken, self._buffer = self._buffer[:wanted], self._buffer[wanted:]
        return taken

    async def write(self, data: bytes) -> None:
        self._unsent += data

    async def _flush(self) -> None:
        data, self._unsent = self._unsent, b""
        if data:
            await self._stream.write(data)

    async def close(self) -> None:
        await self._flush()
        self._stream.put_back(self._buffer)
        self._buffer = b""

    def get_remote_address(self) -> tuple[str, int] | None:
        return None


async def propose(stream: NewStream, protocols: Sequence[str]) -> str:
    """Return the first of `protocols` that the other end speaks.

    Raises:
        PeerError: `protocol-unsupported`, `bad-negotiation`, `stream-reset`.
    """
    tokens = _Tokens(stream, speaks_first=True)
    try:
        protocol = await _first_spoken(MultiselectCommunicator(tokens), protocols)
    except (BaseLibp2pError, UnicodeDecodeError) as error:
        raise PeerError("bad-negotiation", str(error)) from error
    await tokens.close()
    return protocol


async def _first_spoken(
    communicator: MultiselectCommunicator, protocols: Sequence[str]
) -> str:
    client = MultiselectClient()
    await client.handshake(communicator)
    for protocol in protocols:
        try:
            return await client.try_select(communicator, TProtocol(protocol))
        except ProtocolNotSupportedError:
            continue
    raise PeerError("protocol-unsupported", f"the peer speaks none of {protocols}")


async def agree(stream: NewStream, protocols: Collection[str]) -> str:
    """Return the one of our `protocols` that the other end wants.

    Raises:
        PeerError: `bad-negotiation` or `stream-reset`.
    """
    tokens = _Tokens(stream, speaks_first=False)
    try:
        protocol = await _first_wanted(MultiselectCommunicator(tokens), protocols)
    except (BaseLibp2pError, UnicodeDecodeError) as error:
        raise PeerError("bad-negotiation", str(error)) from error
    await tokens.close()
    return protocol


async def _first_wanted(
    communicator: MultiselectCommunicator, protocols: Collection[str]
) -> str:
    # Upstream's own loop would answer the 4 bytes of `ls` with a list of all our
    # protocols, which is fifty times as long; here it is one that we do not speak.
    await Multiselect().handshake(communicator)
    while (protocol := await communicator.read()) not in protocols:
        await communicator.write(PROTOCOL_NOT_FOUND_MSG)
    await communicator.write(protocol)
    return protocol
