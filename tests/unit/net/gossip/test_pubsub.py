"""The driver: nothing is lost between peers that read, and nobody holds the others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import chain

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.inbox import BACKLOG_MESSAGES, BATCH_MESSAGES, Incoming
from moltp2p.net.gossip.outbox import CAPACITY, PUBLISH_MARK
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.pubsub import BATCHES, GOODBYE_S, open_pubsub
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_2, GossipSettings
from tests.gossipers import (
    SUBSCRIBE,
    Gossiper,
    gossip_on,
    messages,
    open_gossiper,
    open_raw_peer,
)
from tests.swarm import OTHER_TOPIC, TOPIC


def numbered(count: int, word: str = "", size: int = 300) -> list[bytes]:
    return [b"%s %05d " % (word.encode(), n) + b"." * size for n in range(count)]


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub(lambda *_: 0.005)


async def connect_all(*gossipers: Gossiper) -> None:
    for number, gossiper in enumerate(gossipers):
        for other in gossipers[:number]:
            await gossiper.dial(other)
    for gossiper in gossipers:
        await gossiper.meshed(*(each for each in gossipers if each is not gossiper))


async def reconnect_at_once(hub: MemoryHub, one: Gossiper, other: Gossiper) -> None:
    """Break a connection and dial as soon as that is possible at all."""
    hub.cut(one.peer, other.peer)
    hub.heal(one.peer, other.peer)
    while one.network.peers():
        await trio.lowlevel.checkpoint()
    await one.dial(other)


async def test_hanging_up_on_a_peer_that_has_just_gone_is_harmless(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "mallory") as mallory,
    ):
        await alice.dial(mallory)
        await alice.until(lambda: bool(mallory.streams))
        await alice.network.disconnect(mallory.network.peer_id)
        await alice.until(lambda: not alice.pubsub.stats().peers)

        # As a heartbeat may that finds its queue full before its stream has ended.
        alice.pubsub._peering.hang_up(mallory.network.peer_id)


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


GARBAGE = {
    "no-protobuf": (b"\x03\x02\xff\xff", "bad-rpc"),
    "an-empty-frame": (b"\x00", "bad-frame"),
    "a-frame-too-large": (b"\x81\x80\x10", "frame-too-large"),
    "a-topic-not-utf8": (b"\x06\x0a\x04\x12\x02\xff\xfe", "bad-rpc"),
    "65-messages": (b"\x82\x01" + b"\x12\x00" * 65, "bad-rpc"),
}


@pytest.mark.parametrize(("garbage", "code"), GARBAGE.values(), ids=GARBAGE)
async def test_garbage_ends_its_own_stream_and_counts_against_its_peer(
    hub: MemoryHub, autojump_clock: MockClock, garbage: bytes, code: str
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        open_raw_peer(hub, "mallory") as mallory,
    ):
        await connect_all(alice, bob)
        await alice.dial(mallory)
        stream = await mallory.open(alice, SUBSCRIBE)
        await stream.send_all(garbage)
        await alice.until(lambda: alice.network.stats().faults == {code: 1})

        await bob.pubsub.publish(TOPIC, b"undisturbed")
        await alice.until(lambda: alice.heard == [b"undisturbed"])
        again = await mallory.open(alice, SUBSCRIBE)
        await again.send_all(messages(b"better now"))
        await alice.until(lambda: alice.heard[1:] == [b"better now"])

        assert alice.network.stats().handler_bugs == {}
        assert mallory.network.peer_id in alice.pubsub.targets(TOPIC)


async def test_a_peer_that_comes_back_is_heard_and_hears(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
    ):
        await connect_all(alice, bob)
        for word in (b"first", b"second", b"third"):
            hub.cut(alice.peer, bob.peer)
            await alice.until(lambda: alice.pubsub.targets(TOPIC) == [])
            hub.heal(alice.peer, bob.peer)
            await alice.dial(bob)
            await alice.meshed(bob)
            await bob.meshed(alice)

            await alice.pubsub.publish(TOPIC, b"alice " + word)
            await bob.pubsub.publish(TOPIC, b"bob " + word)
            await bob.until(lambda w=word: b"alice " + w in bob.heard)  # type: ignore[misc]
            await alice.until(lambda w=word: b"bob " + w in alice.heard)  # type: ignore[misc]


async def test_a_peer_that_reconnects_at_once_keeps_its_new_subscriptions(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
    ):
        await connect_all(alice, bob)
        await reconnect_at_once(hub, bob, alice)
        await trio.sleep(5)

        assert alice.pubsub.targets(TOPIC) == [bob.peer]
        assert bob.pubsub.targets(TOPIC) == [alice.peer]
        assert alice.pubsub.mesh(TOPIC) == [bob.peer]
        assert bob.pubsub.mesh(TOPIC) == [alice.peer]


async def test_what_was_published_around_a_reconnection_is_announced(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
    ):
        await connect_all(alice, bob)
        hub.cut(alice.peer, bob.peer)
        await alice.pubsub.publish(TOPIC, b"into the void")
        await reconnect_at_once(hub, bob, alice)

        await bob.until(lambda: bob.heard == [b"into the void"])


async def test_subscriptions_outlive_our_own_stream(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "bob") as bob,
    ):
        await alice.dial(bob)
        await bob.open(alice, SUBSCRIBE)
        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [bob.network.peer_id])

        await bob.streams[0].reset()
        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [])
        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [bob.network.peer_id])

        assert len(bob.streams) == 2
        await alice.pubsub.publish(TOPIC, b"still here")
        await alice.until(lambda: bob.messages == [b"still here"])


async def test_subscriptions_end_with_the_stream_that_brought_them(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "bob") as bob,
    ):
        await alice.dial(bob)
        stream = await bob.open(alice, SUBSCRIBE)
        await alice.until(lambda: alice.pubsub.mesh(TOPIC) == [bob.network.peer_id])

        await stream.close()

        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [])
        assert len(alice.pubsub.stats().peers) == 1


async def test_only_the_newest_stream_of_a_peer_is_read(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "bob") as bob,
    ):
        await alice.dial(bob)
        old = await bob.open(alice, SUBSCRIBE)
        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [bob.network.peer_id])
        elsewhere = Rpc((Subscription(OTHER_TOPIC, subscribed=True),))
        new = await bob.open(alice, elsewhere)
        await alice.until(
            lambda: alice.pubsub.targets(OTHER_TOPIC) == [bob.network.peer_id]
        )

        await old.send_all(messages(b"on the old one"))
        await new.send_all(messages(b"on the new one"))
        await alice.until(lambda: bool(alice.heard))
        await trio.sleep(1)

        assert alice.heard == [b"on the new one"]
        assert alice.pubsub.targets(TOPIC) == []


async def test_a_peer_that_speaks_no_meshsub_yet_is_found_once_it_does(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_memory_network(hub, b"bob") as late,
    ):
        await alice.network.dial(late.addresses()[0])
        await trio.sleep(10)
        assert alice.pubsub.stats().peers == ()

        async with gossip_on(late) as bob:
            await alice.meshed(bob)
            await bob.pubsub.publish(TOPIC, b"here I am")
            await alice.until(lambda: alice.heard == [b"here I am"])


async def test_who_does_not_let_us_answer_is_not_listened_to(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_memory_network(hub, b"mallory") as mute,
    ):
        await mute.dial(alice.network.addresses()[0])
        stream = await mute.open_stream(alice.peer, PROTOCOLS)
        await stream.send_all(messages(b"no answer, please"))
        await trio.sleep(20)

        assert alice.heard == []
        assert alice.pubsub.stats().drops == {"no-stream-back": 1}


async def test_a_watcher_that_fell_behind_begins_anew(
    hub: MemoryHub, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moltp2p.net.watchers.WATCH_EVENTS", 0)
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
    ):
        await alice.dial(bob)
        await connect_all(alice, bob)
        hub.cut(alice.peer, bob.peer)
        await alice.until(lambda: alice.pubsub.targets(TOPIC) == [])
        hub.heal(alice.peer, bob.peer)

        await connect_all(alice, bob)


async def test_what_is_queued_is_sent_before_the_end(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "bob") as bob,
        open_memory_network(hub, b"alice") as network,
    ):
        async with gossip_on(network) as alice:
            await connect_all(alice, bob)
            await alice.pubsub.publish(TOPIC, *numbered(500))
        await bob.until(lambda: len(bob.heard) == 500)


async def test_the_end_does_not_wait_for_who_does_not_read(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with open_raw_peer(hub, "mallory", reads=False) as mallory:
        async with open_gossiper(hub, "alice") as alice:
            await alice.dial(mallory)
            await mallory.open(alice, SUBSCRIBE)
            await alice.until(lambda: len(alice.pubsub.targets(TOPIC)) == 1)
            await alice.pubsub.publish(TOPIC, *numbered(10, size=50_000))
            end = trio.current_time()
        assert trio.current_time() - end < GOODBYE_S + 1


async def test_nobody_is_served_after_the_end(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with open_memory_network(hub, b"alice") as network:
        async with (
            gossip_on(network) as alice,
            open_gossiper(hub, "bob") as bob,
        ):
            await connect_all(alice, bob)
        async with open_raw_peer(hub, "carol") as carol:
            await carol.network.dial(network.addresses()[0])
            stream = await carol.open(alice, SUBSCRIBE)
            assert await stream.receive_some(1) == b""
        assert alice.heard == []
        assert network.stats().handler_bugs == {}


async def test_a_judge_that_fails_ends_the_block_with_its_own_error(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async def failing(_: Sequence[Incoming]) -> None:
        await trio.lowlevel.checkpoint()
        raise LocalError("disk-full", "no room for the batch")

    async def hear_something() -> None:
        async with (
            open_gossiper(hub, "bob") as bob,
            open_gossiper(hub, "alice", failing) as alice,
        ):
            await connect_all(alice, bob)
            await bob.pubsub.publish(TOPIC, b"hello")
            await trio.sleep_forever()

    with pytest.raises(LocalError, match="disk-full"):
        await hear_something()


async def test_an_error_of_the_block_leaves_it_as_it_is(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async def fail() -> None:
        async with open_gossiper(hub, "alice"):
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        await fail()


async def test_publishing_what_may_not_be_says_so(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with open_gossiper(hub, "alice") as alice:
        with pytest.raises(UsageError, match="unknown-topic"):
            await alice.pubsub.publish("/no/such/topic", b"hello")
        with pytest.raises(UsageError, match="too-large"):
            await alice.pubsub.publish(TOPIC, b"." * 70_000)


async def test_the_statistics_tell_what_happened(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
    ):
        await connect_all(alice, bob)
        await alice.pubsub.publish(TOPIC, *numbered(100))
        await bob.until(lambda: len(bob.heard) == 100)
        await trio.sleep(1)

        sent, received = alice.pubsub.stats(), bob.pubsub.stats()

    assert (sent.sent_messages, sent.gossip.tally.published) == (100, 100)
    assert received.gossip.tally.accepted == 100
    assert sent.sent_bytes == received.received_bytes > 30_000
    assert sent.writes < 20
    peer, known = sent.peers[0], sent.peers[0].gossip
    assert (known.peer, known.protocol, known.outbound) == (
        bob.peer,
        MESHSUB_1_2,
        False,
    )
    assert (known.topics, known.meshes, peer.sent_messages) == ((TOPIC,), 1, 100)
    assert (peer.queued, peer.queued_bytes, peer.is_slow) == (0, 0, False)
    assert sent.drops == received.drops == dict(peer.drops) == {}
