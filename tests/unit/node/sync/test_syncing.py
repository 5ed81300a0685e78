"""Whole nodes end with the same records, whatever befell them."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.author import Draft
from moltp2p.core.errors import UsageError
from moltp2p.core.kinds import Kind
from moltp2p.core.topics import topic_of
from moltp2p.core.validate import Road
from moltp2p.node.node import Node
from moltp2p.node.settings import Role
from moltp2p.node.status import SyncStatus
from moltp2p.node.sync.catching_up import AGAIN_S, GRACE_S, LOOK_S
from moltp2p.store.base import Query
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.patience import PATIENCE_S
from tests.village import PARAMS, Village, alike, held, meet, peer_of, post, say


async def sync_of(node: Node) -> SyncStatus:
    sync = (await node.status()).sync
    assert sync is not None
    return sync


@pytest.mark.slow
async def test_who_joins_late_ends_with_what_was_said_before(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 300)
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(bob, alice)

        took_s = await alike([alice, bob], within_s=10)

        assert len(await held(bob)) == 302
        assert took_s < 3


async def test_who_was_away_ends_with_what_was_said_meanwhile(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        async with village.open("bob") as bob:
            await meet(bob, alice)
            await say(alice, 20, "before")
            await alike([alice, bob], within_s=10)
        await say(alice, 50, "meanwhile")
        async with village.open("bob") as bob:
            await meet(bob, alice)

            await alike([alice, bob], within_s=10)

            assert len(await held(bob)) == 72


async def test_what_nobody_heard_before_a_restart_reaches_others_after_it(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        (lonely,) = await say(alice, 1, "anybody?")
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(alice, bob)

        await alike([alice, bob], within_s=10)

        assert lonely in await held(bob)


@pytest.mark.slow
async def test_a_sync_cut_off_in_the_middle_goes_on_after_a_restart(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 1_000)
    async with village.open("alice") as alice:
        async with village.open("bob") as bob:
            async with bob.subscribe() as arrivals:
                await meet(bob, alice)
                with trio.fail_after(PATIENCE_S):
                    while (await anext(arrivals)).road is not Road.SYNC:
                        pass
            some = len(await held(bob))
        async with village.open("bob") as bob:
            await meet(bob, alice)

            await alike([alice, bob], within_s=10)
            (peer,) = (await sync_of(bob)).peers

            assert 0 < some < 1_002
            assert peer.gained <= 1_002 - some


@pytest.mark.slow
async def test_a_third_of_the_gossip_lost_leaves_nothing_missing(
    village: Village, autojump_clock: MockClock, rng: random.Random
) -> None:
    async with village.open_many(5, target_peers=2) as nodes:
        for one, other in pairwise(nodes):
            await meet(one, other)
        await trio.sleep(3)
        village.loss = 0.3
        for second in range(6):
            for node in rng.sample(nodes, 2):
                await say(node, 3, f"at {second}")
            await trio.sleep(1)

        await alike(nodes, within_s=90)

        assert len(await held(nodes[0])) == 41


@pytest.mark.slow
async def test_two_halves_that_were_split_are_alike_soon_after(
    village: Village, autojump_clock: MockClock, rng: random.Random
) -> None:
    async with village.open_many(8, target_peers=3) as nodes:
        for number, node in enumerate(nodes):
            await meet(node, *rng.sample(nodes[:number], min(number, 3)))
        await trio.sleep(3)
        halves = [[peer_of(node) for node in half] for half in (nodes[:4], nodes[4:])]
        village.hub.partition(*halves)
        for second in range(15):
            for node in rng.sample(nodes, 2):
                await say(node, 2, f"at {second}")
            await trio.sleep(1)
        apart = {frozenset(await held(node)) for node in nodes}

        village.hub.heal_all()
        await meet(nodes[0], nodes[-1])  # one link between the halves will do
        took_s = await alike(nodes, within_s=60)

        assert len(apart) > 1
        assert took_s < 30
        assert len(await held(nodes[0])) == 68


async def test_what_came_by_sync_is_told_to_subscribers_and_gossiped_to_nobody(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        (said,) = await say(alice, 1)
    async with (
        village.open("alice") as alice,
        village.open("bob") as bob,
        bob.subscribe() as arrivals,
    ):
        await meet(bob, alice)
        with trio.fail_after(PATIENCE_S):
            while (arrival := await anext(arrivals)).stored.record.id != said:
                pass
        gossip = (await bob.status()).gossip

        assert (arrival.road, arrival.peer) == (Road.SYNC, peer_of(alice))
        assert gossip is not None
        assert gossip.counters["published"] <= 1  # its own inception


async def test_deletions_travel_and_what_is_deleted_comes_bare(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        (regretted,) = await alice.publish(post("oh"))
        await alice.publish(
            Draft(Kind.DELETE, community="general", refs={"target": regretted.id})
        )
        async with village.open("bob") as bob:
            await meet(bob, alice)
            await alike([alice, bob], within_s=10)
            stored = await bob.get(regretted.id)

            assert stored is not None
            assert stored.deleted
            assert stored.record.body is None


async def test_a_record_by_a_key_never_heard_of_brings_the_whole_chain(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol", time_ms=EPOCH_MS)
    chain = [carol.incept(), carol.rotate(), carol.rotate()]
    told = carol.post("under my third key")
    # With rounds off, nothing but the record itself can bring its chain.
    async with (
        village.open("alice", Role.LISTENER, sync_interval=0) as alice,
        village.open("bob", Role.LISTENER, sync_interval=0) as bob,
    ):
        await meet(bob, alice)
        await trio.sleep(2)
        await alice.take([record.wire() for record in chain], Road.IMPORT)
        await alice.take([told.wire()], Road.IMPORT)
        online = alice._online
        assert online is not None
        topic = topic_of(PARAMS, told.header.community)
        await online.pubsub.publish(topic, told.wire())

        await alike([alice, bob], within_s=5)

        assert told.id in await held(bob)


async def test_a_gap_is_filled_by_whoever_showed_it(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("alice", sync_interval=0) as alice,
        village.open("bob", sync_interval=0) as bob,
    ):
        await meet(bob, alice)
        await trio.sleep(2)
        village.loss = 1.0
        missed = await say(alice, 30, "missed")
        await trio.sleep(200)  # past all that gossip remembers
        village.loss = 0.0
        before = await held(bob)
        await say(alice, 1, "heard")

        took_s = await alike([alice, bob], within_s=15)

        assert not before & set(missed)
        assert took_s < 8
        assert (await sync_of(bob)).counters["gained_by_errands"] == 30


async def test_who_follows_a_part_gets_that_part_and_asks_for_no_more(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        for number in range(20):
            await say(alice, 5, f"{number}")
        async with village.open("bob", communities=("c-1",)) as bob:
            await meet(bob, alice)
            await trio.sleep(30)
            await say(alice, 5, "later")
            await trio.sleep(30)
            theirs, ours = await held(alice), await held(bob)
            sync = await sync_of(bob)
            by_community = {
                stored.record.header.community
                for record in ours
                if (stored := await bob.get(record)) is not None
            }

            assert 20 < len(ours) < len(theirs)
            assert "c-1" in by_community
            assert sync.counters["wanted"] == sync.counters["unwanted"] == 0
            assert sync.peers[0].agreed_s is not None


@pytest.mark.slow
async def test_two_peers_at_once_bring_nothing_twice(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(alice, bob)
        await say(alice, 600)
        await alike([alice, bob], within_s=20)
        await trio.sleep(200)  # past all that gossip remembers
        async with village.open("carol", sync_interval=0) as carol:
            await meet(carol, alice, bob)
            await trio.sleep(2)
            async for _ in carol.sync():
                pass
            await alike([alice, bob, carol], within_s=20)
            gained = [peer.gained for peer in (await sync_of(carol)).peers]
            rulings = (await carol.status()).rulings

            assert sum(gained) == 602
            assert min(gained) > 0
            assert rulings.get("duplicate", 0) <= 2
            assert rulings["ok"] == 603


async def test_a_node_says_how_it_stands_with_each_peer(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 10)
    async with (
        village.open("alice", sync_interval=0) as alice,
        village.open("bob", sync_interval=0) as bob,
    ):
        await meet(bob, alice)
        await trio.sleep(5)
        before = (await sync_of(bob)).peers
        steps = [step async for step in bob.sync()]
        again = [step async for step in bob.sync()]

        assert [(each.behind, each.agreed_s) for each in before] == [(None, None)]
        (peer,) = steps[-1].peers
        # A node tells its inception to whoever comes.
        assert (peer.behind, peer.gained, peer.failure) == (0, 10, None)
        assert again[-1].peers[0].gained == 10
        assert again[-1].peers[0].agreed_s == pytest.approx(0.0, abs=1.0)


async def test_alone_a_sync_ends_at_once(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        steps = [step async for step in alice.sync()]

    assert [step.peers for step in steps] == [[]]


@pytest.mark.parametrize("rotates", [False, True])
async def test_an_agent_that_lost_its_records_gets_them_back_before_it_writes(
    village: Village, autojump_clock: MockClock, *, rotates: bool
) -> None:
    async with village.open("bob") as bob:
        async with village.open("alice") as alice:
            await meet(alice, bob)
            await say(alice, 5, "before")
            if rotates:
                await alice.rotate()
                await say(alice, 5, "under a new key")
            await alike([alice, bob], within_s=10)
        village.forget("alice")
        async with village.open("alice") as alice:
            with pytest.raises(UsageError, match="behind"):
                await say(alice, 1, "too early")
            await meet(alice, bob)
            await trio.sleep(10)
            (after,) = await alice.publish(post("as if nothing had been"))
            await alike([alice, bob], within_s=10)

            page = await bob.query(Query(agent=alice.agent, limit=100))
            places = [stored.record.header.seq for stored in page.records]
            assert places == sorted(set(places), reverse=True)
            assert after.header.seq == places[0] == (12 if rotates else 6)


async def test_peers_that_never_heard_of_it_do_not_let_an_agent_begin_anew(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 1)
    village.forget("alice")
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(alice, bob)
        await trio.sleep(60)

        with pytest.raises(UsageError, match="behind"):
            await say(alice, 1)


async def test_beside_peers_that_learn_of_it_only_now_a_restored_agent_waits_a_minute(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 5)
    village.put_back("alice", village.copy("alice"))
    async with village.open("alice") as alice, village.open("bob") as bob:
        began = trio.current_time()
        await meet(alice, bob)
        await alike([alice, bob], within_s=10)
        await trio.sleep_until(began + AGAIN_S - 1)
        with pytest.raises(UsageError, match="behind"):
            await say(alice, 1)

        await trio.sleep_until(began + AGAIN_S + GRACE_S + 3 * LOOK_S)
        (after,) = await alice.publish(post("nobody knew more"))

        assert after.header.seq == 6


async def test_who_comes_within_that_minute_and_knows_more_is_heard_first(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice, village.open("carol") as carol:
        await meet(alice, carol)
        await say(alice, 5, "before the backup")
        backup = village.copy("alice")
        await say(alice, 5, "since the backup")
        await alike([alice, carol], within_s=10)
    village.put_back("alice", backup)
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(alice, bob)
        await trio.sleep(AGAIN_S / 2)
        async with village.open("carol") as carol:
            await meet(alice, carol)
            await trio.sleep(GRACE_S + 3 * LOOK_S)
            (after,) = await alice.publish(post("after all that was written"))

    assert after.header.seq == 11


@pytest.mark.long
async def test_twenty_nodes_split_for_a_minute_are_alike_within_half_a_minute(
    village: Village, autojump_clock: MockClock, rng: random.Random
) -> None:
    async with village.open_many(20, target_peers=6) as nodes:
        for number, node in enumerate(nodes):
            await meet(node, *rng.sample(nodes[:number], min(number, 3)))
        await trio.sleep(5)
        village.loss = 0.3
        halves = [[peer_of(node) for node in half] for half in (nodes[:10], nodes[10:])]
        village.hub.partition(*halves)
        for second in range(60):
            for node in rng.sample(nodes, 4):
                await say(node, 2, f"at {second}")
            await trio.sleep(1)

        village.hub.heal_all()
        for one, other in zip(nodes[:3], nodes[10:13], strict=True):
            await meet(one, other)
        took_s = await alike(nodes, within_s=60)

        assert took_s < 30
        assert len(await held(nodes[0])) == 500
