"""A whole node of ours and js-libp2p: real records, signed, judged and stored."""

from __future__ import annotations

import dataclasses
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import parse
from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.core.validate import Road
from moltp2p.node.config import Config
from moltp2p.node.events import Arrival, Subscription
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.status import GossipStatus, Status
from moltp2p.node.world import real_world
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.interop.conftest import OpenJs
from tests.interop.js_peer import MESHSUB_1_1, MESHSUB_1_2, WAIT_S, JsOptions, JsPeer
from tests.interop.ours import LOOK_AGAIN_S

pytestmark = pytest.mark.slow

NETWORK = NetworkParams("test-net")
AGENTS = topic_of(NETWORK, None)
GENERAL = topic_of(NETWORK, "general")
TOPICS = (AGENTS, GENERAL)
PROTOCOLS = pytest.mark.parametrize("protocol", [MESHSUB_1_1, MESHSUB_1_2])


@asynccontextmanager
async def open_test_node(home: Path) -> AsyncIterator[Node]:
    """Run a node with an agent, whose clock stands a minute after the test agents'."""
    Home(home).init_agent(secrets.token_bytes)
    world = dataclasses.replace(real_world(), now_ms=lambda: EPOCH_MS + 60_000)
    async with open_node(Config(home, NETWORK), world=world) as node:
        yield node


async def until(node: Node, claim: Callable[[Status], bool]) -> Status:
    """Wait until `claim` holds of what the node says of itself."""
    with trio.fail_after(WAIT_S):
        while True:
            status = await node.status()
            if claim(status):
                return status
            await trio.sleep(LOOK_AGAIN_S)


async def until_gossip(
    node: Node, claim: Callable[[GossipStatus], bool]
) -> GossipStatus:
    """Wait until `claim` holds of what the node says of gossip."""
    status = await until(node, lambda now: now.gossip is not None and claim(now.gossip))
    assert status.gossip is not None
    return status.gossip


async def joined(js: JsPeer, node: Node) -> None:
    """Connect js to the node, and wait until they are in each other's meshes."""
    before = await until_gossip(node, lambda _: True)
    for topic in TOPICS:
        await js.subscribe(topic)
    await js.dial(before.addresses[0])
    await js.until(lambda: all(js.mesh.get(topic) for topic in TOPICS))
    await until_gossip(
        node,
        lambda now: all(now.mesh[topic] == before.mesh[topic] + 1 for topic in TOPICS),
    )


async def next_arrival(arrivals: Subscription) -> Arrival:
    with trio.fail_after(WAIT_S):
        return await anext(arrivals)


@PROTOCOLS
async def test_js_receives_the_records_that_a_node_of_ours_publishes(
    open_js: OpenJs, tmp_path: Path, protocol: str
) -> None:
    js_options = JsOptions(protocols=[protocol])
    async with open_test_node(tmp_path) as node, open_js(js_options) as js:
        await joined(js, node)

        texts = ["hello", "long " * 8_000]
        drafts = [Draft(Kind.POST, Post(text), "general") for text in texts]
        records = await node.publish(*drafts)
        await js.until(lambda: len(js.data(GENERAL)) == 2 and bool(js.data(AGENTS)))

        assert js.data(GENERAL) == [record.wire() for record in records]
        (inception,) = map(parse, js.data(AGENTS))
        assert inception.header.agent == node.agent
        assert parse(js.data(GENERAL)[0]).is_signed()


@PROTOCOLS
async def test_a_node_of_ours_stores_the_records_that_js_publishes(
    open_js: OpenJs, tmp_path: Path, protocol: str
) -> None:
    alice = TestAgent("alice", NETWORK.id)
    inception = alice.incept()
    posts = [alice.post("hello"), alice.post("long " * 8_000)]
    js_options = JsOptions(protocols=[protocol])
    async with open_test_node(tmp_path) as node, open_js(js_options) as js:
        await joined(js, node)

        async with node.subscribe() as arrivals:
            await js.publish(AGENTS, inception.wire())
            await js.publish(GENERAL, *[post.wire() for post in posts])
            arrived = [await next_arrival(arrivals) for _ in range(3)]

        assert [each.stored.record for each in arrived] == [inception, *posts]
        assert {(each.road, each.peer) for each in arrived} == {(Road.GOSSIP, js.peer)}
        for record in (inception, *posts):
            stored = await node.get(record.id)
            assert stored is not None
            assert stored.record.wire() == record.wire()


def with_flipped_bit(wire: bytes, part: bytes) -> bytes:
    """Return `wire` with the last bit of `part`, which it contains, changed."""
    damaged = bytearray(wire)
    damaged[wire.index(part) + len(part) - 1] ^= 1
    return bytes(damaged)


def has_ruled(code: str, status: Status) -> bool:
    return bool(status.rulings.get(code))


async def test_a_node_of_ours_refuses_what_is_no_valid_record_and_listens_on(
    open_js: OpenJs, tmp_path: Path
) -> None:
    alice = TestAgent("alice", NETWORK.id)
    inception, post = alice.incept(), alice.post("hello")
    refused = {
        "malformed": (AGENTS, b"no record"),
        "wrong-network": (AGENTS, TestAgent("bob", "other-net").incept().wire()),
        "wrong-topic": (AGENTS, alice.post("wrong topic").wire()),
        "bad-signature": (GENERAL, with_flipped_bit(post.wire(), post.sign1)),
        "body-mismatch": (GENERAL, with_flipped_bit(post.wire(), b"hello")),
    }
    async with open_test_node(tmp_path) as node:
        before = await node.status()
        # Each from a peer of its own: two such from one, and it is heard no more.
        for code, (topic, data) in refused.items():
            async with open_js(JsOptions(code)) as mallory:
                await joined(mallory, node)
                await mallory.publish(topic, data)
                await until(node, partial(has_ruled, code))
        async with open_js(JsOptions()) as js, node.subscribe() as arrivals:
            await joined(js, node)
            await js.publish(AGENTS, inception.wire())
            await js.publish(GENERAL, post.wire())
            arrived = [await next_arrival(arrivals) for _ in range(2)]

        assert [each.stored.record for each in arrived] == [inception, post]
        status = await node.status()
        assert status.store.records == before.store.records + 2
        expected = dict.fromkeys(refused, 1) | {"ok": 2}
        assert Counter(status.rulings) - Counter(before.rulings) == expected


async def test_two_records_that_are_not_valid_silence_a_peer(
    open_js: OpenJs, tmp_path: Path
) -> None:
    alice = TestAgent("alice", NETWORK.id)
    async with (
        open_test_node(tmp_path) as node,
        open_js(JsOptions("mallory")) as mallory,
    ):
        await joined(mallory, node)

        await mallory.publish(AGENTS, b"no record", b"nor this")
        await until_gossip(node, lambda now: now.counters["rejected"] == 2)
        await mallory.publish(AGENTS, alice.incept().wire())

        await until_gossip(node, lambda now: bool(now.dropped.get("graylisted")))
        assert await node.get(alice.records[0].id) is None


async def test_a_node_of_ours_survives_garbage_from_js(
    open_js: OpenJs, tmp_path: Path
) -> None:
    alice = TestAgent("alice", NETWORK.id)
    async with (
        open_test_node(tmp_path) as node,
        open_js(JsOptions("mallory")) as mallory,
        open_js(JsOptions()) as js,
    ):
        await joined(mallory, node)
        await joined(js, node)

        assert node.peer_id is not None
        answer = await mallory.send_raw(node.peer_id, MESHSUB_1_1, b"\x02\xff\xff")
        async with node.subscribe() as arrivals:
            await js.publish(AGENTS, alice.incept().wire())
            arrival = await next_arrival(arrivals)

        assert answer.end == "reset"
        assert arrival.stored.record == alice.records[0]
        faults = {each.peer: each.faults for each in await node.peers()}
        assert faults == {mallory.peer: 1, js.peer: 0}


async def test_a_node_of_ours_counts_what_js_signed_by_itself(
    open_js: OpenJs, tmp_path: Path
) -> None:
    alice = TestAgent("alice", NETWORK.id)
    signing = JsOptions("signing", policy="StrictSign")
    async with (
        open_test_node(tmp_path) as node,
        open_js(signing) as signer,
        open_js(JsOptions()) as js,
    ):
        await joined(signer, node)
        await joined(js, node)

        async with node.subscribe() as arrivals:
            await signer.publish(AGENTS, alice.incept().wire())
            gossip = await until_gossip(node, lambda now: bool(now.dropped))
            await js.publish(AGENTS, alice.records[0].wire())
            arrival = await next_arrival(arrivals)

        assert gossip.dropped == {"message-stamped": 1}
        assert arrival.peer == js.peer
        assert {each.peer for each in await node.peers()} == {signer.peer, js.peer}
