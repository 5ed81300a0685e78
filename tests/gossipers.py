"""Gossip drivers on a network in memory, and a peer that says what a test wants."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.net.base import ConnectionLimits, Network, Stream
from moltp2p.net.gossip.inbox import Incoming
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.pubsub import PubSub, open_pubsub
from moltp2p.net.gossip.rpc_codec import decode_rpc, encode_rpc, frame
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.net.streams import READ_BYTES
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Message, Rpc, Subscription
from moltp2p.proto.gossip.settings import GossipSettings
from tests.swarm import TOPIC, TOPICS

SUBSCRIBE = Rpc(subscriptions=(Subscription(TOPIC, subscribed=True),))

Pause = Callable[[Sequence[Incoming]], Awaitable[None]]


@dataclass
class Gossiper:
    """A driver that accepts everything.

    Attributes:
        network: its place in the hub, or on sockets.
        pubsub: the driver.
        batches: what it was given to judge, in order.
    """

    network: Network
    pubsub: PubSub
    batches: list[Sequence[Incoming]] = field(default_factory=list)

    @property
    def peer(self) -> PeerId:
        """Who it is."""
        return self.network.peer_id

    @property
    def heard(self) -> list[bytes]:
        """What it has judged, in order."""
        return [incoming.data for batch in self.batches for incoming in batch]

    async def dial(self, other: Gossiper | RawPeer) -> None:
        """Connect to another."""
        await self.network.dial(other.network.addresses()[0])

    async def until(self, claim: Callable[[], bool], within_s: float = 30) -> None:
        """Wait until a claim holds; there is no event for everything."""
        with trio.fail_after(within_s):
            while not claim():  # noqa: ASYNC110 - see above
                await trio.sleep(0.05)

    async def meshed(self, *others: Gossiper) -> None:
        """Wait until others are in the mesh."""
        peers = {other.peer for other in others}
        await self.until(lambda: peers <= set(self.pubsub.mesh(TOPIC)))


async def no_pause(_: Sequence[Incoming]) -> None:
    """Judge at once."""
    await trio.lowlevel.checkpoint()


@asynccontextmanager
async def gossip_on(
    network: Network, pause: Pause = no_pause, settings: GossipSettings | None = None
) -> AsyncIterator[Gossiper]:
    """Run a driver on a network, subscribed to `TOPIC`."""
    batches: list[Sequence[Incoming]] = []
    called: list[trio.Event] = []

    async def judge(batch: Sequence[Incoming]) -> Sequence[Verdict]:
        before, judged = called[-1:], trio.Event()
        called[:] = [judged]
        await pause(batch)
        for other in before:  # in the order of the calls, as a node does
            await other.wait()
        batches.append(batch)
        judged.set()
        return [Verdict.ACCEPT] * len(batch)

    rng = random.Random(network.peer_id)
    router = Gossip(settings or GossipSettings(), rng, TOPICS.__contains__)
    async with open_pubsub(network, router, judge, rng) as pubsub:
        await pubsub.join(TOPIC)
        yield Gossiper(network, pubsub, batches)


@asynccontextmanager
async def open_gossiper(
    hub: MemoryHub,
    name: str,
    pause: Pause = no_pause,
    *,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[Gossiper]:
    """Run a driver in a hub, subscribed to `TOPIC`."""
    async with (
        open_memory_network(hub, name.encode(), limits=limits) as network,
        gossip_on(network, pause) as gossiper,
    ):
        yield gossiper


@dataclass
class RawPeer:
    """A peer without a router.

    Attributes:
        network: its place in the hub.
        heard: the RPCs that it was sent, in order.
        streams: the streams that were opened to it.
    """

    network: Network
    heard: list[Rpc] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)

    @property
    def messages(self) -> list[bytes]:
        """The data of all messages that it was sent, in order."""
        return [message.data for rpc in self.heard for message in rpc.messages]

    async def open(self, other: Gossiper, *first: Rpc) -> Stream:
        """Open a stream to a driver and say something on it."""
        stream = await self.network.open_stream(other.peer, PROTOCOLS)
        for rpc in first:
            await stream.send_all(frame([encode_rpc(rpc)]))
        return stream


def messages(*datas: bytes) -> bytes:
    """Return one frame with messages."""
    rpc = Rpc(messages=tuple(Message(TOPIC, data) for data in datas))
    return frame([encode_rpc(rpc)])


@asynccontextmanager
async def open_raw_peer(
    hub: MemoryHub,
    name: str,
    *,
    reads: bool = True,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[RawPeer]:
    """Run a peer that takes what it is sent, or never reads."""
    async with open_memory_network(hub, name.encode(), limits=limits) as network:
        peer = RawPeer(network)

        async def serve(stream: Stream) -> None:
            peer.streams.append(stream)
            if not reads:
                await trio.sleep_forever()
            decoder = FrameDecoder(1 << 20)
            try:
                while data := await stream.receive_some(READ_BYTES):
                    decoder.feed(data)
                    while (payload := decoder.next_frame()) is not None:
                        peer.heard.append(decode_rpc(payload))
            except PeerError:
                return  # the driver's stream ended

        for protocol in PROTOCOLS:
            network.handle(protocol, serve)
        yield peer


def numbered(count: int, word: str = "", size: int = 300) -> list[bytes]:
    """Return so many messages, each another."""
    return [b"%s %05d " % (word.encode(), n) + b"." * size for n in range(count)]


async def connect_all(*gossipers: Gossiper) -> None:
    """Connect everybody with everybody, and wait for their meshes."""
    for number, gossiper in enumerate(gossipers):
        for other in gossipers[:number]:
            await gossiper.dial(other)
    for gossiper in gossipers:
        await gossiper.meshed(*(each for each in gossipers if each is not gossiper))
