"""Asking one peer for records, over one stream (spec 06, section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.sync.fetch import (
    MAX_ASK_BYTES,
    MAX_PART_BYTES,
    PROTOCOL,
    Ask,
    Collector,
    End,
    encode_ask,
)
from moltp2p.proto.sync.fetch_answer import ANSWER_S

FRAME_S: Final = 10.0  # SPEC 06: "a frame of an answer within 10 seconds"

Take = Callable[[tuple[bytes, ...]], Awaitable[None]]
"""Takes records as they come, not yet looked at; may wait."""


class Fetching:
    """Asks a peer, one ask after the other. Made by `open_fetching`."""

    def __init__(self, stream: Stream) -> None:
        self._reader = FrameReader(stream, MAX_PART_BYTES)
        self._writer = FrameWriter(stream, MAX_ASK_BYTES)

    async def ask(self, ask: Ask, take: Take) -> End:
        """Ask, pass on what comes, and return how the answer ended.

        Raises:
            PeerError: as `Collector.receive`; `stream-reset`, `too-slow`.
        """
        await self._writer.send(encode_ask(ask))
        collector = Collector(ask)
        waited_s = 0.0
        while collector.ended is None:
            began = trio.current_time()
            frame = await self._reader.receive(min(FRAME_S, ANSWER_S - waited_s))
            # The time that we take ourselves is not the peer's.
            waited_s += trio.current_time() - began
            if not frame:
                raise PeerError("stream-reset", "the stream ended within an answer")
            if wires := collector.receive(frame):
                await take(wires)
        return collector.ended


@asynccontextmanager
async def open_fetching(network: Network, peer: PeerId) -> AsyncIterator[Fetching]:
    """Open a stream for asks to a peer, for the length of the block.

    Raises:
        PeerError: as `Network.open_stream`.
    """
    stream = await network.open_stream(peer, [PROTOCOL])
    try:
        yield Fetching(stream)
    finally:
        await stream.close()
