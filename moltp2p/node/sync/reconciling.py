"""Finding out what one peer has that we lack, over one stream (spec 06, section 3).

Reading the store blocks, so what a session computes is computed in a worker thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.net.base import Network, Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.sync.initiator import Initiator, Outcome
from moltp2p.proto.sync.messages import MAX_FRAME_BYTES, PROTOCOL, Window
from moltp2p.store.base import Store

FRAME_S: Final = 15.0  # SPEC 06: "an answer within 15 seconds"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of one session.

    Attributes:
        outcome: how it ended; None when it was only to tell whether something differs.
        need: topics and ids of what the peer has and we lack.
    """

    outcome: Outcome | None
    need: tuple[tuple[int, RecordId], ...] = ()


async def compare(
    network: Network, peer: PeerId, store: Store, window: Window, *, probe: bool
) -> Comparison:
    """Compare a window with a peer.

    Args:
        network: where the peer is.
        peer: who it is.
        store: what we hold.
        window: what to compare.
        probe: whether to stop once it is known that something differs.

    Raises:
        PeerError: what `Initiator.receive` raises; `stream-reset`, `too-slow`; as
            `Network.open_stream`.
        LocalError: `store-failed`, `store-damaged`.
    """
    stream = await network.open_stream(peer, [PROTOCOL])
    try:
        return await _converse(stream, Initiator(store, window), probe=probe)
    finally:
        await stream.close()


async def _converse(stream: Stream, initiator: Initiator, *, probe: bool) -> Comparison:
    reader = FrameReader(stream, MAX_FRAME_BYTES)
    writer = FrameWriter(stream, MAX_FRAME_BYTES)
    need: list[tuple[int, RecordId]] = []
    await writer.send(await trio.to_thread.run_sync(initiator.open))
    while True:
        frame = await reader.receive(FRAME_S)
        if not frame:
            raise PeerError("stream-reset", "the stream ended within a session")
        step = await trio.to_thread.run_sync(initiator.receive, frame)
        need += step.need
        if step.reply is None:
            return Comparison(step.outcome, tuple(need))
        if probe:
            return Comparison(None)
        await writer.send(step.reply)
