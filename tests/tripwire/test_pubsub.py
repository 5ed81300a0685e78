"""Why the gossip router is ours: what libp2p's own pubsub does for a stranger.

Each test shows a defect of the bare library, and fails on the day it is mended. When
all of them fail, `proto/gossip/router.py` is still wanted (scores that are kept,
messages known by their content), but not for these reasons.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from libp2p import new_host
from libp2p.crypto import ed25519
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.mcache import MessageCache, default_msg_id_fn
from libp2p.pubsub.pb import rpc_pb2 as pb
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

from moltp2p.core.ids import PeerId
from moltp2p.net.gossip.rpc_codec import encode_rpc, frame
from moltp2p.net.host import open_host
from moltp2p.proto.gossip.rpc import Message, Rpc
from tests.tripwire.bare import Bare, mended, open_bare

pytestmark = pytest.mark.slow

TOPIC = "topic"
MESHSUB = "/meshsub/1.1.0"
MALLORY = ID.from_string("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")


def bare_router() -> GossipSub:
    return GossipSub([TProtocol(MESHSUB)], degree=8, degree_low=6, degree_high=12)


@asynccontextmanager
async def subscribed() -> AsyncIterator[Bare]:
    """Run a bare host that has joined a topic."""
    async with open_bare() as bare:
        router = bare_router()
        pubsub = Pubsub(bare.host, router, strict_signing=False)
        async with background_trio_service(router), background_trio_service(pubsub):
            await pubsub.wait_until_ready()
            await pubsub.subscribe(TOPIC)
            yield bare


class Spawned(trio.abc.Instrument):
    """Counts the tasks that begin."""

    count = 0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


async def test_c2_each_message_of_an_rpc_becomes_a_task() -> None:
    """Each is found again by looking through all of them: time that grows squared."""
    messages = 300
    rpc = Rpc(
        messages=tuple(Message(TOPIC, bytes([n % 256]) * 9) for n in range(messages))
    )
    async with subscribed() as bare, open_host(b"s" * 32, []) as stranger:
        peer = await stranger.dial(bare.address)
        assert peer == PeerId(bare.peer)
        stream = await stranger.open_stream(peer, [MESHSUB])
        await trio.testing.wait_all_tasks_blocked(0.05)
        spawned = Spawned()
        trio.lowlevel.add_instrument(spawned)
        await stream.send_all(frame([encode_rpc(rpc)]))
        with trio.move_on_after(5):
            while spawned.count < messages:  # noqa: ASYNC110 - nothing tells of it
                await trio.sleep(0.05)
        trio.lowlevel.remove_instrument(spawned)

    if spawned.count < messages:
        mended("C2, a task for each message", "nothing: the router is ours")


class Sent(GossipSub):
    """A router that keeps what it would send."""

    def __init__(self) -> None:
        super().__init__([TProtocol(MESHSUB)], 8, 6, 12)
        self.mcache = MessageCache(3, 5)
        self.pubsub = object()  # type: ignore[assignment]
        self.answered: list[pb.RPC] = []

    def send_rpc(self, peer_id: ID, rpc: pb.RPC, priority: bool = False) -> None:
        self.answered.append(rpc)


async def answers(router: Sent, wanted: Sequence[bytes]) -> int:
    """Return how many messages an IWANT of these ids is answered with."""
    before = sum(len(rpc.publish) for rpc in router.answered)
    names = [name.hex().encode() for name in wanted]  # as upstream spells them
    await router.handle_iwant(pb.ControlIWant(messageIDs=names), MALLORY)
    return sum(len(rpc.publish) for rpc in router.answered) - before


async def test_c5_an_id_is_served_as_often_as_it_is_named() -> None:
    router = Sent()
    message = pb.Message(
        data=bytes(1000), topicIDs=[TOPIC], from_id=MALLORY.to_bytes(), seqno=b"1"
    )
    router.mcache.put(message)

    many = await answers(router, [default_msg_id_fn(message)] * 500)

    if many < 500:
        mended("C5, IWANT that names an id many times", "nothing: the router is ours")


async def test_c5_a_message_is_served_again_with_each_request() -> None:
    router = Sent()
    message = pb.Message(
        data=bytes(1000), topicIDs=[TOPIC], from_id=MALLORY.to_bytes(), seqno=b"1"
    )
    router.mcache.put(message)

    served = [await answers(router, [default_msg_id_fn(message)]) for _ in range(5)]

    if sum(served) < 5:
        mended("C5, IWANT that is repeated", "nothing: the router is ours")


async def test_the_cache_knows_no_message_by_the_name_that_was_chosen() -> None:
    """Lazy gossip fails with content ids: the cache is keyed by sender and number."""
    cache = MessageCache(3, 5)
    message = pb.Message(data=b"x", topicIDs=[TOPIC], from_id=b"me", seqno=b"1")
    cache.put(message)

    if default_msg_id_fn(message) not in cache.msgs:
        mended("the cache's keys", "nothing: the router is ours")


async def test_a_burst_of_our_own_is_dropped_by_default() -> None:
    if not bare_router().spam_protection_enabled:
        mended("spam protection against oneself", "nothing: the router is ours")


def test_a_host_offers_plaintext_unless_told_otherwise() -> None:
    host = new_host(key_pair=ed25519.create_new_key_pair())
    offered = host.get_network().upgrader.security_multistream.transports  # type: ignore[attr-defined]

    if not any("plaintext" in str(name) for name in offered):
        mended("plaintext among the defaults", "a comment in net/host.py")
