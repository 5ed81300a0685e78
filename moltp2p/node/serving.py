"""Answering peers that reconcile with us, or fetch from us; bounded for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from moltp2p.core.ids import PeerId
from moltp2p.net.base import Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto import fetch_answer
from moltp2p.proto.fetch import (
    MAX_ASK_BYTES,
    MAX_PART_BYTES,
    decode_ask,
    encode_answer,
)
from moltp2p.proto.fetch_answer import (
    BUSY,
    FETCH_RATE,
    IDLE_S,
    MAX_SERVED,
    MAX_SERVED_PER_PEER,
)
from moltp2p.proto.ratelimit import Rate, RateLimiter
from moltp2p.proto.sync_messages import MAX_FRAME_BYTES, Refusal, encode_message
from moltp2p.proto.sync_responder import Responder, Scope
from moltp2p.store.base import Store

SERVING_THREADS: Final = 2
"""Threads that read the store for peers; the rest wait, and ours go on."""

RECONCILE_RATE: Final = Rate(per_s=16, burst=128)
# SPEC 06: "16 frames a second, and 128 at once"
MAX_RATED: Final = 1_024
"""Peers whose rates are kept; further ones share a bucket."""


class Server:
    """Serves `/moltp2p/reconcile/1.0.0` and `/moltp2p/fetch/1.0.0`.

    Args:
        store: what is served.
        topics: the numbers of the topics that we keep.
        since_ms: our horizon, now.
        differed: told of a peer that has not what we have.

    Attributes:
        counters: what was served, for the operator.
    """

    def __init__(
        self,
        store: Store,
        topics: Collection[int],
        since_ms: Callable[[], int],
        differed: Callable[[PeerId], None],
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._store = store
        self._topics = topics
        self._since_ms = since_ms
        self._differed = differed
        self._threads = trio.CapacityLimiter(SERVING_THREADS)
        self._streams: Counter[PeerId] = Counter()
        self._fetch_rates: RateLimiter[PeerId] = RateLimiter(FETCH_RATE, MAX_RATED)
        self._reconcile_rates: RateLimiter[PeerId] = RateLimiter(
            RECONCILE_RATE, MAX_RATED
        )

    async def reconcile(self, stream: Stream) -> None:
        """Serve one session."""
        reader = FrameReader(stream, MAX_FRAME_BYTES)
        writer = FrameWriter(stream, MAX_FRAME_BYTES)
        with self._place(stream.peer) as is_free:
            frame = await _next(reader)
            if not is_free:
                await writer.send(encode_message(Refusal("too-busy")))
                return
            responder = Responder(self._store, Scope(self._topics, self._since_ms()))
            self.counters["sessions"] += 1
            while frame:
                await self._pace(self._reconcile_rates, stream.peer, 1)
                reply = await trio.to_thread.run_sync(
                    responder.receive, frame, limiter=self._threads
                )
                await writer.send(reply)
                if responder.is_over:
                    return
                self._differed(stream.peer)
                frame = await _next(reader)

    async def fetch(self, stream: Stream) -> None:
        """Serve asks until the stream ends, or nothing more is asked."""
        reader = FrameReader(stream, MAX_ASK_BYTES)
        writer = FrameWriter(stream, MAX_PART_BYTES)
        with self._place(stream.peer) as is_free:
            while frame := await _next(reader):
                if not is_free:
                    await writer.send(encode_answer(BUSY))
                    return
                await self._answer(stream.peer, frame, writer)

    async def _answer(self, peer: PeerId, frame: bytes, writer: FrameWriter) -> None:
        ask = decode_ask(frame)
        await self._pace(self._fetch_rates, peer, fetch_answer.ask_units(ask))
        self.counters["asks"] += 1
        answers = fetch_answer.answer(ask, self._store)

        def next_frame() -> bytes | None:
            answer = next(answers, None)
            return None if answer is None else encode_answer(answer)

        while True:
            part = await trio.to_thread.run_sync(next_frame, limiter=self._threads)
            if part is None:
                return
            units = fetch_answer.sent_units(len(part))
            await self._pace(self._fetch_rates, peer, units)
            await writer.send(part)
            self.counters["sent_bytes"] += len(part)

    async def _pace(
        self, rates: RateLimiter[PeerId], peer: PeerId, units: float
    ) -> None:
        await trio.sleep(rates.wait_s(peer, units, trio.current_time()))

    @contextmanager
    def _place(self, peer: PeerId) -> Iterator[bool]:
        """Count a stream while it is served; yields whether there was room."""
        is_free = (
            self._streams[peer] < MAX_SERVED_PER_PEER
            and self._streams.total() < MAX_SERVED
        )
        if not is_free:
            self.counters["refused"] += 1
            yield False
            return
        self._streams[peer] += 1
        try:
            yield True
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]


async def _next(reader: FrameReader) -> bytes:
    """Return the next frame, or nothing once the peer is done, or asks no more."""
    with trio.move_on_after(IDLE_S):
        return await reader.receive()
    return b""
