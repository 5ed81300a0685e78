"""Our side of the gossip tests: host, router and driver, with a judge to watch."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.net.base import ConnectionLimits, Network
from moltp2p.net.gossip.inbox import Incoming
from moltp2p.net.gossip.pubsub import PubSub, open_pubsub
from moltp2p.net.host import open_host
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.settings import GossipSettings
from tests.interop.js_peer import WAIT_S

TOPIC = "/moltp2p/1/test-net/agents"
OTHER_TOPIC = "/moltp2p/1/test-net/shard/0"
INVALID = b"invalid "
"""What our judge rejects begins so."""

LOOK_AGAIN_S = 0.02

PATIENT = ConnectionLimits(
    dial_s=WAIT_S, handshake_s=WAIT_S, negotiate_s=WAIT_S, write_s=WAIT_S
)
"""On a busy machine, the other process may not be run for seconds."""


async def eventually(claim: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Wait until `claim` holds of our side, which has no event for everything.

    Raises:
        AssertionError: it did not within `within_s` seconds.
    """
    with trio.move_on_after(within_s):
        while not claim():  # noqa: ASYNC110 - see above
            await trio.sleep(LOOK_AGAIN_S)
        return
    raise AssertionError(f"did not come about within {within_s} s")


@dataclass(slots=True)
class Ours:
    """A router of ours on a host of ours.

    Attributes:
        heard: what reached the judge, in order.
    """

    network: Network
    pubsub: PubSub
    heard: list[Incoming] = field(default_factory=list)

    @property
    def peer(self) -> PeerId:
        """Who we are."""
        return self.network.peer_id

    @property
    def address(self) -> str:
        """Where we listen."""
        return self.network.addresses()[0]

    def data(self, topic: str = TOPIC) -> list[bytes]:
        """Return the data of the messages that reached the judge on a topic."""
        return [each.data for each in self.heard if each.topic == topic]

    def protocol_of(self, peer: PeerId) -> str | None:
        """Return which meshsub we speak to a peer, or None."""
        for each in self.pubsub.stats().gossip.peers:
            if each.peer == peer:
                return each.protocol
        return None

    def subscribers(self, topic: str = TOPIC) -> set[PeerId]:
        """Return the peers that we know to be in a topic."""
        peers = self.pubsub.stats().gossip.peers
        return {each.peer for each in peers if topic in each.topics}


@asynccontextmanager
async def open_ours(
    name: str = "ours", settings: GossipSettings | None = None
) -> AsyncIterator[Ours]:
    """Run host, router and driver, subscribed to `TOPIC`."""
    heard: list[Incoming] = []

    async def judge(batch: Sequence[Incoming]) -> list[Verdict]:
        await trio.lowlevel.checkpoint()
        heard.extend(batch)
        return [
            Verdict.REJECT if each.data.startswith(INVALID) else Verdict.ACCEPT
            for each in batch
        ]

    seed = hashlib.sha256(name.encode()).digest()
    topics = {TOPIC, OTHER_TOPIC}
    rng = random.Random(name)
    router = Gossip(settings or GossipSettings(), rng, topics.__contains__)
    async with (
        open_host(seed, ["/ip4/127.0.0.1/tcp/0"], limits=PATIENT) as network,
        open_pubsub(network, router, judge, rng) as pubsub,
    ):
        await pubsub.join(TOPIC)
        yield Ours(network, pubsub, heard)
