"""The driver: streams that come and go, garbage, and how it all ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.net.gossip.inbox import Incoming
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.pubsub import GOODBYE_S
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.proto.gossip.rpc import Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_2
from tests.gossipers import (
    SUBSCRIBE,
    Gossiper,
    connect_all,
    gossip_on,
    messages,
    numbered,
    open_gossiper,
    open_raw_peer,
)
from tests.swarm import OTHER_TOPIC, TOPIC


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
