"""Answering peers that reconcile with us, or fetch from us; bounded for each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from moltp2p.core.ids import PeerId
from moltp2p.net.base import Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.ratelimit import Rate, RateLimiter
from moltp2p.proto.sync import fetch_answer
from moltp2p.proto.sync.fetch import (
    MAX_ASK_BYTES,
    MAX_PART_BYTES,
    decode_ask,
    encode_answer,
)
from moltp2p.proto.sync.fetch_answer import (
    ANSWER_S,
    BUSY,
    FETCH_RATE,
    IDLE_S,
    MAX_SERVED,
    MAX_SERVED_PER_PEER,
)
from moltp2p.proto.sync.messages import MAX_FRAME_BYTES, Refusal, encode_message
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.store.base import Store

SERVING_THREADS: Final = 2
"""Threads that read the store for peers; the rest wait, and ours go on."""

RECONCILE_RATE: Final = Rate(per_s=16, burst=128)
# SPEC 06: "16 frames a second, and 128 at once"
THINKING_RATE: Final = Rate(per_s=0.1, burst=4.0)
# SPEC 06: "a tenth of a second of processor time a second, and 4 seconds at once"
ALL_THINKING_RATE: Final = Rate(per_s=0.5, burst=15.0)
"""Seconds of processor time for the comparisons of one peer, and of all. A frame can
be made that costs some seconds, and nobody sees that before it is answered."""
PATIENCE_S: Final = 10.0
"""The longest that a peer is let wait, since it gives up after 15; then it is refused,
which costs neither of the two its standing."""
MAX_RATED: Final = 1_024
"""Peers whose rates are kept; further ones share a bucket."""


class Server:
    """Serves `/moltp2p/reconcile/1.0.0` and `/moltp2p/fetch/1.0.0`.

    A place is held while a frame is answered, and by nobody who only might ask.

    Args:
        store: what is served.
        topics: the numbers of the topics that we keep.
        since_ms: our horizon, now.
        differed: told of a peer that has not what we have.
        thought_s: seconds of processor time that the calling thread has taken.

    Attributes:
        counters: what was served, for the operator.
    """

    def __init__(
        self,
        store: Store,
        topics: Collection[int],
        since_ms: Callable[[], int],
        differed: Callable[[PeerId], None],
        thought_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._store = store
        self._topics = topics
        self._since_ms = since_ms
        self._differed = differed
        self._thought_s = thought_s
        self._threads = trio.CapacityLimiter(SERVING_THREADS)
        self._places: Counter[PeerId] = Counter()
        self._fetch_rates: RateLimiter[PeerId] = RateLimiter(FETCH_RATE, MAX_RATED)
        self._frame_rates: RateLimiter[PeerId] = RateLimiter(RECONCILE_RATE, MAX_RATED)
        self._thinking: RateLimiter[PeerId] = RateLimiter(THINKING_RATE, MAX_RATED)
        self._all_thinking: RateLimiter[None] = RateLimiter(ALL_THINKING_RATE, 1)

    async def reconcile(self, stream: Stream) -> None:
        """Serve one session."""
        reader = FrameReader(stream, MAX_FRAME_BYTES)
        writer = FrameWriter(stream, MAX_FRAME_BYTES)
        responder = Responder(self._store, Scope(self._topics, self._since_ms()))
        self.counters["sessions"] += 1
        while frame := await _next(reader):
            with self._place(stream.peer) as is_free:
                reply = None
                if is_free:
                    reply = await self._respond(stream.peer, responder, frame)
                if reply is None:
                    self.counters["refused"] += 1
                    await writer.send(encode_message(Refusal("too-busy")))
                    return
                await writer.send(reply)
            if responder.is_over:
                return
            self._differed(stream.peer)

    async def fetch(self, stream: Stream) -> None:
        """Serve asks until the stream ends, or nothing more is asked."""
        reader = FrameReader(stream, MAX_ASK_BYTES)
        writer = FrameWriter(stream, MAX_PART_BYTES)
        while frame := await _next(reader):
            with self._place(stream.peer) as is_free:
                if not is_free:
                    self.counters["refused"] += 1
                    await writer.send(encode_answer(BUSY))
                    return
                with trio.move_on_after(ANSWER_S) as patience:
                    await self._answer(stream.peer, frame, writer)
            if patience.cancelled_caught:
                return  # by now it has given up

    async def _respond(
        self, peer: PeerId, responder: Responder, frame: bytes
    ) -> bytes | None:
        """Return the answer to a frame, perhaps after a while; None for too busy."""
        now = trio.current_time()
        wait_s = max(self._frame_rates.wait_s(peer, 1, now), self._wait_s(peer))
        if wait_s > PATIENCE_S:
            return None
        await trio.sleep(wait_s)
        async with self._threads:
            # Others were answered meanwhile.
            if self._wait_s(peer) > PATIENCE_S:
                return None
            return await self._think(peer, responder, frame)

    def _wait_s(self, peer: PeerId) -> float:
        """Return how long until so much was not thought, for a peer and in all."""
        now = trio.current_time()
        return max(
            self._thinking.wait_s(peer, 0, now), self._all_thinking.wait_s(None, 0, now)
        )

    async def _think(self, peer: PeerId, responder: Responder, frame: bytes) -> bytes:
        took_s = 0.0

        def respond() -> bytes:
            nonlocal took_s
            began_s = self._thought_s()
            try:
                return responder.receive(frame)
            finally:
                took_s = self._thought_s() - began_s

        try:
            return await trio.to_thread.run_sync(respond)
        finally:
            now = trio.current_time()
            self._thinking.wait_s(peer, took_s, now)
            self._all_thinking.wait_s(None, took_s, now)

    async def _answer(self, peer: PeerId, frame: bytes, writer: FrameWriter) -> None:
        ask = decode_ask(frame)
        await self._pace(peer, fetch_answer.ask_units(ask))
        self.counters["asks"] += 1
        answers = fetch_answer.answer(ask, self._store)

        def next_frame() -> bytes | None:
            answer = next(answers, None)
            return None if answer is None else encode_answer(answer)

        while True:
            async with self._threads:
                part = await trio.to_thread.run_sync(next_frame)
            if part is None:
                return
            await self._pace(peer, fetch_answer.sent_units(len(part)))
            await writer.send(part)
            self.counters["sent_bytes"] += len(part)

    async def _pace(self, peer: PeerId, units: float) -> None:
        now = trio.current_time()
        await trio.sleep(self._fetch_rates.wait_s(peer, units, now))

    @contextmanager
    def _place(self, peer: PeerId) -> Iterator[bool]:
        """Count a frame while it is answered; yields whether there is room for it."""
        is_free = (
            self._places[peer] < MAX_SERVED_PER_PEER
            and self._places.total() < MAX_SERVED
        )
        self._places[peer] += is_free
        try:
            yield is_free
        finally:
            self._places[peer] -= is_free
            if not self._places[peer]:
                del self._places[peer]


async def _next(reader: FrameReader) -> bytes:
    """Return the next frame, or nothing once the peer is done, or asks no more."""
    with trio.move_on_after(IDLE_S):
        return await reader.receive()
    return b""
