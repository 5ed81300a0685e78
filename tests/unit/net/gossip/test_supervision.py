"""Peers that are slow, faulty or too loud: scored, paced, and in the end dropped."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from moltp2p.net.base import ConnectionLimits
from moltp2p.net.gossip.pacing import RPC_RATE
from moltp2p.net.gossip.rpc_codec import encode_rpc, frame
from moltp2p.net.memory import MemoryHub
from moltp2p.proto.gossip.rpc import Rpc
from tests.gossipers import (
    SUBSCRIBE,
    Gossiper,
    RawPeer,
    messages,
    open_gossiper,
    open_raw_peer,
)
from tests.swarm import TOPIC

CROWD = 6


def score(gossiper: Gossiper, raw: RawPeer) -> float | None:
    """Return what a driver's router thinks of a peer; None when it is not there."""
    scores = {p.peer: p.score.score for p in gossiper.pubsub.stats().gossip.peers}
    return scores.get(raw.network.peer_id)


async def talk(gossiper: Gossiper, size: int = 30_000) -> None:
    """Publish for ever, 120 kB a second."""
    number = 0
    while True:
        await gossiper.pubsub.publish(TOPIC, b"%06d" % number + b"." * size)
        await trio.sleep(0.25)
        number += 1


@pytest.mark.parametrize("name", ["alice", "al1", "al5", "al7"])
async def test_a_peer_that_does_not_read_is_scored_and_dropped_within_30_s(
    hub: MemoryHub, autojump_clock: MockClock, name: str
) -> None:
    # A name is a moment at which heartbeats begin.
    async with (
        open_gossiper(hub, name) as alice,
        open_gossiper(hub, "bob") as bob,
        open_raw_peer(hub, "mallory", reads=False) as mallory,
        trio.open_nursery() as nursery,
    ):
        await alice.dial(bob)
        await alice.dial(mallory)
        await mallory.open(alice, SUBSCRIBE)
        await alice.until(lambda: len(alice.pubsub.targets(TOPIC)) == 2)
        nursery.start_soon(talk, alice)
        start = trio.current_time()

        await alice.until(lambda: (score(alice, mallory) or 0) < 0)
        scored_s = trio.current_time() - start
        behind_s = max(peer.behind_s for peer in alice.pubsub.stats().peers)
        await alice.until(lambda: len(alice.network.peers()) == 1)
        dropped_s = trio.current_time() - start
        nursery.cancel_scope.cancel()

    assert behind_s > 0
    # A stream to it is full after two seconds, and reset after five more; of those
    # the last three heartbeats see that nothing moves. Five faults are forgiven: it
    # is the second stream that brings it down, and never the third.
    assert scored_s < 16
    assert dropped_s < 30
    stats = alice.pubsub.stats()
    assert stats.slow_peers == 1
    assert stats.drops["peer-gone"] > 0
    assert alice.network.stats().faults["too-slow"] == 1


async def test_our_own_limit_on_bandwidth_is_held_against_nobody(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    limits = ConnectionLimits(up_bytes_s=64 * 1024)
    async with (
        open_gossiper(hub, "alice", limits=limits) as alice,
        trio.open_nursery() as nursery,
        AsyncExitStack() as stack,
    ):
        for number in range(CROWD):
            bob = open_gossiper(hub, f"bob {number}")
            await alice.dial(await stack.enter_async_context(bob))
        await alice.until(lambda: len(alice.pubsub.targets(TOPIC)) == CROWD)
        nursery.start_soon(talk, alice)  # to all of them, twelve times what may go up
        await trio.sleep(90)
        here = len(alice.network.peers())
        nursery.cancel_scope.cancel()

    assert here == CROWD
    assert alice.pubsub.stats().slow_peers == 0
    assert "too-slow" not in alice.network.stats().faults
    assert alice.network.stats().limits["up_bytes_s"].refused > 10


async def test_a_peer_that_was_dropped_for_being_slow_may_only_pull(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "mallory", reads=False) as mallory,
        trio.open_nursery() as nursery,
    ):
        await alice.dial(mallory)
        await mallory.open(alice, SUBSCRIBE)
        nursery.start_soon(talk, alice)
        await alice.until(lambda: alice.pubsub.stats().slow_peers == 1, within_s=40)
        await alice.until(lambda: not alice.network.peers())
        nursery.cancel_scope.cancel()

        await alice.dial(mallory)
        await mallory.open(alice, SUBSCRIBE)
        await alice.until(lambda: len(alice.pubsub.targets(TOPIC)) == 1)

        explained = alice.pubsub.stats().gossip.peers[0].score
        assert explained.means == "kept-out"
        assert explained.blame == explained.faults
        assert alice.pubsub.mesh(TOPIC) == []


async def test_a_peer_that_keeps_up_is_not_behind(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        trio.open_nursery() as nursery,
    ):
        await alice.dial(bob)
        await alice.meshed(bob)
        nursery.start_soon(talk, alice)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
        stats = alice.pubsub.stats()

    assert stats.slow_peers == 0
    assert [peer.behind_s for peer in stats.peers] == [0]
    assert stats.gossip.peers[0].score.blame == 0


async def test_what_a_peer_breaks_elsewhere_counts_here(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "mallory") as mallory,
    ):
        await alice.dial(mallory)
        await mallory.open(alice, SUBSCRIBE)
        await alice.until(lambda: len(alice.pubsub.targets(TOPIC)) == 1)

        for _ in range(8):
            alice.network.report(mallory.network.peer_id, "bad-frame")
        await trio.sleep(2)

        explained = alice.pubsub.stats().gossip.peers[0].score
        assert -60 <= explained.faults < -50
        assert explained.means == "kept-out"


async def test_a_loud_peer_is_read_slower_and_nobody_else_is(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    empty = frame([encode_rpc(SUBSCRIBE)])
    async with (
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        open_raw_peer(hub, "mallory") as mallory,
    ):
        await alice.dial(bob)
        await bob.meshed(alice)
        await alice.dial(mallory)
        stream = await mallory.open(alice)
        start = trio.current_time()
        count = int(RPC_RATE.burst + 5 * RPC_RATE.per_s)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, empty * count)
            await bob.pubsub.publish(TOPIC, b"hello")
            await alice.until(lambda: alice.heard == [b"hello"])
            heard_s = trio.current_time() - start
        await alice.until(lambda: alice.pubsub.stats().received_rpcs >= count)
        took_s = trio.current_time() - start

    assert heard_s < 0.2
    assert took_s == pytest.approx(5, abs=0.5)
    assert alice.pubsub.stats().paused_s == pytest.approx(5, abs=0.5)


async def test_a_graylisted_peer_is_hardly_read(
    hub: MemoryHub, autojump_clock: MockClock
) -> None:
    async with (
        open_gossiper(hub, "alice") as alice,
        open_raw_peer(hub, "mallory") as mallory,
    ):
        await alice.dial(mallory)
        stream = await mallory.open(alice, SUBSCRIBE)
        await alice.until(lambda: len(alice.pubsub.mesh(TOPIC)) == 1)
        # What it takes to be graylisted: GRAFT within a backoff, again and again.
        graft = frame([encode_rpc(Rpc(graft=(TOPIC,)))])
        prune = frame([encode_rpc(SUBSCRIBE)])
        await stream.send_all(prune)
        alice.pubsub._router._links.backoffs.extend(
            TOPIC, mallory.network.peer_id, trio.current_time() + 60
        )
        alice.pubsub._router._links.meshes[TOPIC].remove(mallory.network.peer_id)
        await stream.send_all(graft * 30)
        await alice.until(lambda: (score(alice, mallory) or 0) < -2500)
        before = alice.pubsub.stats()

        await stream.send_all(messages(b"unheard") * 1000)
        await trio.sleep(5)
        after = alice.pubsub.stats()

    assert alice.heard == []
    assert after.drops["graylisted"] > before.drops.get("graylisted", 0)
    assert after.received_rpcs - before.received_rpcs < 130 + 5 * 64
