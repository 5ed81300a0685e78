"""Bursts, and peers that do not keep up: nothing is lost between those that read."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import chain

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.inbox import BACKLOG_MESSAGES, BATCH_MESSAGES, Incoming
from moltp2p.net.gossip.outbox import CAPACITY, PUBLISH_MARK
from moltp2p.net.gossip.pubsub import BATCHES, open_pubsub
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.settings import GossipSettings
from tests.gossipers import (
    SUBSCRIBE,
    Gossiper,
    connect_all,
    messages,
    numbered,
    open_gossiper,
    open_raw_peer,
)
from tests.swarm import TOPIC


@pytest.mark.slow
async def test_a_burst_of_ten_thousand_arrives_whole_and_in_order(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    datas = numbered(10_000)

    async def slowly(batch: Sequence[Incoming]) -> None:
        await trio.sleep(len(batch) / 2000)

    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob", slowly) as bob,
    ):
        await connect_all(alice, bob)

        await alice.pubsub.publish(TOPIC, *datas)
        await bob.until(lambda: len(bob.heard) >= len(datas))

        assert bob.heard == datas
        assert alice.pubsub.stats().drops == bob.pubsub.stats().drops == {}
        assert alice.pubsub.stats().waited_s > 1


async def test_publishing_waits_for_a_peer_that_reads_and_queues_little(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async def slowly(batch: Sequence[Incoming]) -> None:
        await trio.sleep(len(batch) / 100)

    highest = 0
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob", slowly) as bob,
    ):
        await connect_all(alice, bob)
        datas = numbered(100, size=30_000)
        for data in datas:
            await alice.pubsub.publish(TOPIC, data)
            highest = max(highest, alice.pubsub.stats().peers[0].queued_bytes)
        await bob.until(lambda: len(bob.heard) >= 100)

    assert highest <= PUBLISH_MARK + 31_000
    assert bob.heard == datas


async def test_bursts_from_everybody_at_once_arrive_whole(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async def slowly(batch: Sequence[Incoming]) -> None:
        await trio.sleep(len(batch) / 200)

    async with AsyncExitStack() as stack:
        names = ["alice", "bob", "carol"]
        everybody = [
            await stack.enter_async_context(open_gossiper(hub, name, slowly))
            for name in names
        ]
        await connect_all(*everybody)
        bursts = [numbered(100, name, size=20_000) for name in names]

        async with trio.open_nursery() as nursery:
            for gossiper, burst in zip(everybody, bursts, strict=True):
                nursery.start_soon(gossiper.pubsub.publish, TOPIC, *burst)
        for gossiper in everybody:
            await gossiper.until(lambda g=gossiper: len(g.heard) >= 200)  # type: ignore[misc]

        for number, gossiper in enumerate(everybody):
            others = chain(*bursts[:number], *bursts[number + 1 :])
            assert sorted(gossiper.heard) == sorted(others)


async def test_a_burst_passes_whole_through_a_node_with_a_slower_one_behind_it(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async def slowly(batch: Sequence[Incoming]) -> None:
        await trio.sleep(len(batch) / 50)

    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        open_gossiper(hub, "carol", slowly) as carol,
    ):
        await bob.dial(alice)
        await carol.dial(bob)
        await bob.meshed(alice, carol)
        await alice.meshed(bob)
        await carol.meshed(bob)
        datas = numbered(200, size=20_000)

        await alice.pubsub.publish(TOPIC, *datas)
        await carol.until(lambda: len(carol.heard) >= len(datas))

        assert carol.heard == datas
        assert bob.pubsub.stats().drops == {}


async def test_a_peer_that_never_reads_does_not_hold_the_others(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        open_raw_peer(hub, "mallory", reads=False) as mallory,
    ):
        await connect_all(alice, bob)
        await alice.dial(mallory)
        await mallory.open(alice, SUBSCRIBE)
        await alice.until(lambda: len(alice.pubsub.targets(TOPIC)) == 2)
        start = trio.current_time()
        datas = numbered(200, size=30_000)

        for data in datas:
            await alice.pubsub.publish(TOPIC, data)
            held = {p.gossip.peer: p.queued_bytes for p in alice.pubsub.stats().peers}
            assert held.get(mallory.network.peer_id, 0) <= CAPACITY + 10_000
        took_s = trio.current_time() - start
        await bob.until(lambda: len(bob.heard) >= len(datas))

        assert bob.heard == datas
        assert took_s < 6  # one stall, or the deadline of one write
        drops = alice.pubsub.stats().drops
        await alice.until(lambda: alice.pubsub.stats().drops.get("peer-gone", 0) > 0)
        assert drops["queue-full"] > 100


async def test_messages_from_a_third_peer_pass_while_one_never_reads(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        open_raw_peer(hub, "mallory", reads=False) as mallory,
    ):
        await connect_all(alice, bob)
        await bob.dial(mallory)
        await mallory.open(bob, SUBSCRIBE)
        await bob.until(lambda: len(bob.pubsub.mesh(TOPIC)) == 2)
        datas = numbered(100, size=30_000)

        start = trio.current_time()
        await alice.pubsub.publish(TOPIC, *datas)
        await bob.until(lambda: len(bob.heard) >= len(datas))

        assert trio.current_time() - start < 6
        assert bob.heard == datas


async def test_a_flooding_peer_fills_its_own_backlog_and_no_more(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    judging = trio.Event()

    async def blocked(_: Sequence[Incoming]) -> None:
        await judging.wait()

    async with (
        open_gossiper(hub, "alice", blocked) as alice,
        open_raw_peer(hub, "mallory") as mallory,
        open_raw_peer(hub, "carol") as carol,
        trio.open_nursery() as nursery,
    ):
        for peer in (mallory, carol):
            await alice.dial(peer)
        flood = await mallory.open(alice, SUBSCRIBE)
        quiet = await carol.open(alice, SUBSCRIBE)

        async def flooding() -> None:
            for start in range(0, 10_000, 64):
                await flood.send_all(messages(*numbered(64, f"flood {start}", 1000)))

        nursery.start_soon(flooding)
        await trio.sleep(1)
        await quiet.send_all(messages(b"a word"))
        await trio.sleep(1)

        assert alice.pubsub.stats().inbox <= BACKLOG_MESSAGES + 64 + 1

        judging.set()
        await alice.until(lambda: len(alice.batches) > BATCHES)
        assert b"a word" in [each.data for each in alice.batches[BATCHES]]
        nursery.cancel_scope.cancel()


async def test_the_judge_gets_two_batches_at_once_of_all_that_waits(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    busy = busiest = 0

    async def slowly(_: Sequence[Incoming]) -> None:
        nonlocal busy, busiest
        busy += 1
        busiest = max(busy, busiest)
        await trio.sleep(0.1)
        busy -= 1

    async with (
        open_gossiper(hub, "alice", slowly) as alice,
        open_raw_peer(hub, "bob") as bob,
    ):
        await alice.dial(bob)
        stream = await bob.open(alice, SUBSCRIBE)
        for start in range(0, 400, 50):
            await stream.send_all(messages(*numbered(50, f"{start}", 20)))
        await alice.until(lambda: len(alice.heard) == 400)

    sizes = [len(batch) for batch in alice.batches]
    assert busiest == BATCHES
    assert max(sizes) <= BATCH_MESSAGES
    assert len(sizes) <= BATCHES + 3


async def test_verdicts_are_heard_in_order_whichever_comes_first(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    calls = 0

    async def judge(batch: Sequence[Incoming]) -> Sequence[Verdict]:
        nonlocal calls
        calls += 1
        await trio.sleep(0.3 if calls % 2 else 0.1)
        return [Verdict.ACCEPT] * len(batch)

    router = Gossip(GossipSettings(), random.Random(1), {TOPIC}.__contains__)
    async with (
        open_memory_network(hub, b"alice") as network,
        open_pubsub(network, router, judge, random.Random(1)) as pubsub,
        open_gossiper(hub, "carol") as carol,
        open_raw_peer(hub, "bob") as bob,
    ):
        await pubsub.join(TOPIC)
        alice = Gossiper(network, pubsub)
        await alice.dial(carol)
        await alice.meshed(carol)
        await alice.dial(bob)
        stream = await bob.open(alice, SUBSCRIBE)
        said = numbered(400, "word", 20)
        for start in range(0, 400, 50):
            await stream.send_all(messages(*said[start : start + 50]))
        await carol.until(lambda: len(carol.heard) == 400)

    assert calls > BATCHES
    assert carol.heard == said
