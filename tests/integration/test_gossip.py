"""Gossip on real sockets: bursts arrive whole, and peers that come back are heard."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio

from moltp2p.net.host import open_host
from tests.gossipers import Gossiper, gossip_on
from tests.swarm import TOPIC

pytestmark = pytest.mark.slow


@asynccontextmanager
async def open_on_sockets(name: str) -> AsyncIterator[Gossiper]:
    seed = hashlib.sha256(name.encode()).digest()
    async with (
        open_host(seed, ["/ip4/127.0.0.1/tcp/0"]) as network,
        gossip_on(network) as gossiper,
    ):
        yield gossiper


def numbered(count: int, word: bytes) -> list[bytes]:
    return [b"%s %05d" % (word, number) + b"." * 290 for number in range(count)]


async def test_a_burst_of_ten_thousand_arrives_whole_and_in_order() -> None:
    datas = numbered(10_000, b"burst")
    async with open_on_sockets("alice") as alice, open_on_sockets("bob") as bob:
        await bob.dial(alice)
        await alice.meshed(bob)

        await alice.pubsub.publish(TOPIC, *datas)
        await bob.until(lambda: len(bob.heard) >= len(datas), within_s=60)

        assert bob.heard == datas
        assert alice.pubsub.stats().drops == bob.pubsub.stats().drops == {}
        assert alice.pubsub.stats().writes < 200


async def test_bursts_from_three_nodes_at_once_reach_everybody_once() -> None:
    names = ["alice", "bob", "carol"]
    async with AsyncExitStack() as stack:
        everybody = [
            await stack.enter_async_context(open_on_sockets(name)) for name in names
        ]
        for number, gossiper in enumerate(everybody):
            for other in everybody[:number]:
                await gossiper.dial(other)
        for gossiper in everybody:
            await gossiper.meshed(*(each for each in everybody if each is not gossiper))

        async with trio.open_nursery() as nursery:
            for name, gossiper in zip(names, everybody, strict=True):
                datas = numbered(500, name.encode())
                nursery.start_soon(gossiper.pubsub.publish, TOPIC, *datas)
        for gossiper in everybody:
            await gossiper.until(lambda g=gossiper: len(g.heard) >= 1000)  # type: ignore[misc]

        for name, gossiper in zip(names, everybody, strict=True):
            others = [other for other in names if other != name]
            expected = [data for o in others for data in numbered(500, o.encode())]
            assert sorted(gossiper.heard) == sorted(expected)


async def test_a_peer_that_restarts_is_heard_and_hears_again() -> None:
    async with open_on_sockets("alice") as alice:
        for word in (b"first", b"second"):
            async with open_on_sockets("bob") as bob:
                await bob.dial(alice)
                await alice.meshed(bob)
                await bob.meshed(alice)
                await alice.pubsub.publish(TOPIC, b"to bob " + word)
                await bob.pubsub.publish(TOPIC, b"to alice " + word)
                await bob.until(lambda b=bob, w=word: b"to bob " + w in b.heard)  # type: ignore[misc]
                await alice.until(lambda w=word: b"to alice " + w in alice.heard)  # type: ignore[misc]
        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [])
