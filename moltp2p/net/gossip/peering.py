"""The streams to and from each peer, and the order in which the router hears of them.

libp2p pubsub speaks on two streams with a peer, one each way. They come and go
on their own, and a peer that reconnects at once may be heard on its new stream
before its old connection is known to be gone. So:

- The router knows a peer (`PeerJoined`) exactly while our stream to it is open.
- A peer's subscriptions live as long as the stream that brought them. When ours
  breaks and theirs does not, they are told to the router again.
- Nothing is read from a peer before it can be answered.

    connected ─► open ours ─► PeerJoined ─► write what waits ─► PeerLeft ─► again
    theirs opens ──► wait for PeerJoined ──► RpcReceived … ──► unsubscribe all
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerDown, PeerInfo, PeerUp, Stream
from moltp2p.net.gossip.inbox import Inbox
from moltp2p.net.gossip.outbox import Outbox
from moltp2p.net.gossip.pacing import Pacing
from moltp2p.net.gossip.pubsub_stats import Traffic
from moltp2p.net.gossip.rpc_codec import MAX_FRAME_BYTES, decode_rpc
from moltp2p.net.streams import READ_BYTES
from moltp2p.proto.address import parse_address
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.events import GossipEvent, PeerJoined, PeerLeft, RpcReceived
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_1, MESHSUB_1_2

PROTOCOLS: Final = (MESHSUB_1_2, MESHSUB_1_1)

JOIN_S: Final = 15.0
"""How long a peer that speaks to us may keep us from speaking to it."""

RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0
"""Between attempts to open our stream: doubling, while the peer is connected."""

GATHER_S: Final = 0.002
GATHER_BYTES: Final = 16 * 1024
"""After a write, the next gathers for so long, unless so much waits already. A
first message after a quiet time is not delayed; in a burst a node of six writes
a tenth as often, and carries four times as much (spec/decisions/0006)."""

REWATCH_S: Final = 0.1
FRAMES_AT_ONCE: Final = 16
"""Frames of one read handled before others have their turn."""


@dataclass(slots=True, eq=False)
class _Line:
    """One peer: our stream to it, and its to us.

    Attributes:
        peer: who it is.
        connected_at: which connection we talk on; None when there is none.
        talking: ends our stream and the attempts to open it.
        writing: ends our stream, so that another is opened.
        joined: set while our stream is open.
        reading: ends the reading of its newest stream to us.
        topics: what that stream subscribed to, while ours is not open.
    """

    peer: PeerId
    connected_at: float | None = None
    talking: trio.CancelScope = field(default_factory=trio.CancelScope)
    writing: trio.CancelScope = field(default_factory=trio.CancelScope)
    joined: trio.Event = field(default_factory=trio.Event)
    reading: trio.CancelScope | None = None
    topics: tuple[str, ...] = ()


class Peering:
    """Keeps one stream each way with every peer that speaks meshsub.

    Args:
        network: whose peers they are.
        router: asked for a peer's subscriptions.
        inbox: reading stops while a peer's part of it is full.
        handle: gives an event to the router, and does what it answers.
        on_moved: called when something left a queue, or a queue is gone.
        rng: spreads attempts to open a stream.

    Attributes:
        outboxes: the queue to each peer that the router knows.
        traffic: counters; those of queues that are gone are in them.
        pacing: how fast peers are read.
    """

    def __init__(
        self,
        *,
        network: Network,
        router: Gossip,
        inbox: Inbox,
        handle: Callable[[GossipEvent], None],
        on_moved: Callable[[], None],
        rng: random.Random,
    ) -> None:
        self.outboxes: dict[PeerId, Outbox] = {}
        self.traffic = Traffic()
        self.pacing = Pacing(router)
        self._network = network
        self._router = router
        self._inbox = inbox
        self._handle = handle
        self._on_moved = on_moved
        self._rng = rng
        self._lines: dict[PeerId, _Line] = {}
        self._closed = False

    async def run(self) -> None:
        """Follow the network's comings and goings, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                async for event in self._network.watch():
                    match event:
                        case PeerUp(info):
                            self._connected(info, nursery)
                        case PeerDown(peer):
                            self._disconnected(peer)
                # We fell behind, and missed who left; or the network is closing.
                present = {info.peer for info in self._network.peers()}
                for peer in [*self._lines]:
                    if peer not in present:
                        self._disconnected(peer)
                await trio.sleep(REWATCH_S)

    def close(self) -> None:
        """Stop reading, and serve nobody who comes later."""
        self._closed = True
        for line in self._lines.values():
            if line.reading is not None:
                line.reading.cancel()

    def hang_up(self, peer: PeerId) -> None:
        """End our stream to a peer; another is opened later."""
        # A peer that has just gone has a queue still, until its stream has ended.
        if line := self._lines.get(peer):
            line.writing.cancel()

    # Our stream.

    def _connected(self, info: PeerInfo, nursery: trio.Nursery) -> None:
        line = self._line(info.peer)
        if line.connected_at == info.connected_at:
            return
        line.talking.cancel()
        line.talking = trio.CancelScope()
        line.connected_at = info.connected_at
        nursery.start_soon(self._talk, line, line.talking, info)

    def _disconnected(self, peer: PeerId) -> None:
        if line := self._lines.get(peer):
            line.talking.cancel()
            line.connected_at = None
            self._tidy(line)

    async def _talk(
        self, line: _Line, talking: trio.CancelScope, info: PeerInfo
    ) -> None:
        """Keep our stream to a peer open for as long as it is connected."""
        failures = 0
        with talking:
            while True:
                stream = await self._open(line.peer)
                if stream is None:
                    failures += 1
                else:
                    failures = 0
                    await self._use(line, stream, info)
                ceiling = min(MAX_RETRY_S, RETRY_S * 2 ** min(failures, 10))
                await trio.sleep(self._rng.uniform(ceiling / 2, ceiling))

    async def _open(self, peer: PeerId) -> Stream | None:
        try:
            return await self._network.open_stream(peer, PROTOCOLS)
        except PeerError:
            # It may not speak meshsub at all, or not yet: it has just started.
            return None

    async def _use(self, line: _Line, stream: Stream, info: PeerInfo) -> None:
        box = Outbox()
        address = parse_address(info.address)
        ip = None if address.relay else address.endpoint.ip  # else all share a relay's
        joined = PeerJoined(line.peer, stream.protocol, info.outbound, ip)
        try:
            self._join(line, box, joined)
            async with trio.open_nursery() as nursery:
                line.writing = nursery.cancel_scope
                nursery.start_soon(self._notice_reset, stream, nursery.cancel_scope)
                await self._write(box, stream)
                nursery.cancel_scope.cancel()
        finally:
            self._leave(line, box)
            await stream.close()

    def _join(self, line: _Line, box: Outbox, joined: PeerJoined) -> None:
        self.outboxes[line.peer] = box
        self._handle(joined)
        again = tuple(Subscription(topic, subscribed=True) for topic in line.topics)
        if again:
            self._handle(RpcReceived(line.peer, Rpc(subscriptions=again)))
        line.topics = ()
        line.joined.set()

    def _leave(self, line: _Line, box: Outbox) -> None:
        box.abandon()
        self.traffic.drops.update(box.drops)
        self.traffic.sent_messages += box.sent_messages
        if self.outboxes.get(line.peer) is box:
            if line.reading is not None:
                line.topics = tuple(self._router.topics_of(line.peer))
            line.joined = trio.Event()
            self._handle(PeerLeft(line.peer))
            del self.outboxes[line.peer]
        self._on_moved()

    async def _write(self, box: Outbox, stream: Stream) -> None:
        """Send what waits, as much at once as a write carries, until it fails."""
        while True:
            await box.wait()
            data = box.take()
            self._on_moved()
            try:
                await stream.send_all(data)
            except PeerError as error:
                self.traffic.drops[f"write-{error.code}"] += 1
                return
            box.sent()
            self._on_moved()
            self.traffic.writes += 1
            self.traffic.sent_bytes += len(data)
            if box.message_bytes < GATHER_BYTES:
                await trio.sleep(GATHER_S)

    async def _notice_reset(self, stream: Stream, writing: trio.CancelScope) -> None:
        """End the writing once the peer resets our stream; it says nothing on it."""
        try:
            await stream.receive_some(1)
        except PeerError:
            writing.cancel()

    # Theirs.

    async def serve(self, stream: Stream) -> None:
        """Read a peer's stream to us; its newest one is the only one.

        Raises:
            PeerError: `bad-frame`, `frame-too-large`, `bad-rpc` or `stream-reset`.
        """
        if self._closed:
            return
        line = self._line(stream.peer)
        if line.reading is not None:
            line.reading.cancel()
            self._unsubscribe_all(line)
        with trio.CancelScope() as reading:
            line.reading = reading
            try:
                await self._read(line, stream)
            except PeerError as error:
                if error.code != "stream-reset":
                    # js-libp2p opens a stream that we ended again only after we
                    # have opened a new one; until then it would be mute.
                    line.writing.cancel()
                raise
            finally:
                if line.reading is reading:
                    line.reading = None
                    self._unsubscribe_all(line)
                    self._tidy(line)

    async def _read(self, line: _Line, stream: Stream) -> None:
        decoder = FrameDecoder(MAX_FRAME_BYTES)
        while data := await stream.receive_some(READ_BYTES):
            self.traffic.received_bytes += len(data)
            decoder.feed(data)
            handled = 0
            while (payload := decoder.next_frame()) is not None:
                if not line.joined.is_set() and not await self._joined_in_time(line):
                    self.traffic.drops["no-stream-back"] += 1
                    return
                self.traffic.received_rpcs += 1
                self._handle(RpcReceived(line.peer, decode_rpc(payload)))
                await self._inbox.wait_for_room(line.peer)
                await self.pacing.after_rpc(line.peer)
                handled += 1
                if handled % FRAMES_AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()
        decoder.end()

    async def _joined_in_time(self, line: _Line) -> bool:
        with trio.move_on_after(JOIN_S):
            while not line.joined.is_set():
                await line.joined.wait()
        return line.joined.is_set()

    def _unsubscribe_all(self, line: _Line) -> None:
        line.topics = ()
        topics = self._router.topics_of(line.peer)
        gone = tuple(Subscription(topic, subscribed=False) for topic in topics)
        if gone:
            self._handle(RpcReceived(line.peer, Rpc(subscriptions=gone)))

    # Bookkeeping.

    def _line(self, peer: PeerId) -> _Line:
        return self._lines.setdefault(peer, _Line(peer))

    def _tidy(self, line: _Line) -> None:
        """Forget a peer that is not connected and no longer read from."""
        if line.connected_at is None and line.reading is None:
            self._lines.pop(line.peer, None)
