"""The proof that an agent has forked goes from node to node, and readers are told."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from moltp2p.api.views import page_view, record_view
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.validate import Road
from moltp2p.node.node import Node
from moltp2p.node.settings import Role
from moltp2p.node.witness import WAIT_S
from moltp2p.store.base import Query, Stored
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.village import Village, alike, meet


async def stored(node: Node, record: RecordId) -> Stored:
    found = await node.get(record)
    assert found is not None
    return found


@pytest.mark.parametrize("road", [Road.GOSSIP, Road.SYNC])
async def test_a_fork_that_one_node_saw_is_shown_at_another(
    village: Village, autojump_clock: MockClock, road: Road
) -> None:
    left = TestAgent("carol", time_ms=EPOCH_MS)
    right = TestAgent("carol", time_ms=EPOCH_MS + 1)
    yes, no = left.post("yes"), right.post("no")
    interval = 0 if road is Road.GOSSIP else 60
    async with (
        village.open("alice", sync_interval=interval) as alice,
        village.open("bob", Role.LISTENER, sync_interval=interval) as bob,
        bob.subscribe() as arrivals,
    ):
        # Bob knows of one branch alone, and writes no records: it is told of the fork.
        await bob.take([each.wire() for each in left.records], Road.IMPORT)
        if road is Road.GOSSIP:
            await meet(bob, alice)
            await trio.sleep(3)
        before = record_view(await stored(bob, yes.id))
        both = [*left.records, no]
        await alice.take([each.wire() for each in both], Road.IMPORT)
        await trio.sleep(WAIT_S + 1)
        if road is Road.SYNC:
            village.loss = 1.0  # of gossip
            await meet(bob, alice)
            await alike([alice, bob], within_s=30)

        forks = Query(agent=alice.agent, kinds=frozenset({Kind.FORK}))
        (proof,) = (await bob.query(forks)).records
        shown = record_view(await stored(bob, yes.id))
        feed = page_view(await bob.query(Query(agent=left.id)))
        with trio.fail_after(1):
            arrival = await anext(arrivals)
            while arrival.stored.record.id != proof.record.id:
                arrival = await anext(arrivals)

        assert before["forked"] is False
        assert shown["forked"] is True
        # By gossip came the proof alone, by sync the other branch as well.
        said = 2 if road is Road.GOSSIP else 3
        assert json.dumps(feed).count('"forked": true') == said
        assert arrival.road is road
