"""A body that is missing is asked of peers where it is welcome, and nowhere else."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from moltp2p.core.record import Record
from moltp2p.core.validate import Road
from moltp2p.node.desk import Desk
from moltp2p.node.node import Node
from moltp2p.node.pen import Incoming
from moltp2p.node.settings import Role
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.village import Village, meet


async def take(node: Node, *records: Record) -> None:
    await node.take([record.wire() for record in records], Road.IMPORT)


async def wanted(node: Node) -> int:
    """Return how much a node wants to fetch, or has tried to."""
    sync = (await node.status()).sync
    assert sync is not None
    return sync.counters["wanted"] + sync.counters.get("errands", 0)


async def has_body(node: Node, record: Record) -> bool:
    stored = await node.get(record.id)
    assert stored is not None
    return stored.record.body is not None


async def test_who_reads_a_bare_header_gets_its_body_from_a_peer(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol", time_ms=EPOCH_MS)
    post = carol.post()
    async with (
        village.open("alice", Role.LISTENER, sync_interval=0) as alice,
        village.open("bob", Role.LISTENER, sync_interval=0) as bob,
    ):
        await take(alice, *carol.records)
        await take(bob, carol.records[0], post.without_body())
        await meet(bob, alice)
        await trio.sleep(2)

        assert not await has_body(bob, post)
        await trio.sleep(2)
        assert await has_body(bob, post)
        assert await wanted(bob) == 1


async def test_nobody_is_asked_for_a_body_that_is_not_welcome(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol", time_ms=EPOCH_MS)
    dropped, deleted = carol.post("dropped"), carol.post("deleted")
    held = list(carol.records)
    deletion = carol.delete(deleted)
    async with (
        village.open("alice", Role.LISTENER, sync_interval=0) as alice,
        village.open("bob", Role.LISTENER, sync_interval=0) as bob,
    ):
        await take(alice, *held)  # it has both bodies, and has not heard the deletion
        await take(bob, *held, deletion)
        await bob.drop(dropped.id)
        await meet(bob, alice)
        await trio.sleep(2)

        for post in (dropped, deleted):
            assert not await has_body(bob, post)
        await trio.sleep(5)
        for post in (dropped, deleted):
            assert not await has_body(bob, post)
        assert await wanted(bob) == 0


async def test_a_body_that_comes_all_the_same_is_not_taken(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol", time_ms=EPOCH_MS)
    post = carol.post()
    async with village.open("bob", Role.LISTENER) as bob:
        await take(bob, *carol.records)
        await bob.drop(post.id)

        (ruling,) = await bob.take([post.wire()], Road.SYNC)

        assert ruling.code == "duplicate"
        assert not await has_body(bob, post)
        assert await bob.undrop(post.id)
        (again,) = await bob.take([post.wire()], Road.SYNC)
        assert again.code == "ok"
        assert await has_body(bob, post)


async def test_a_drop_between_a_judgement_and_its_batch_holds(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol", time_ms=EPOCH_MS)
    early, late = carol.post("early"), carol.post("late")
    wires = [record.wire() for record in carol.records]
    async with village.open("alice", Role.LISTENER) as alice:

        def work(desk: Desk) -> None:
            """Do as a group of jobs does in which somebody drops what others bring."""
            alice._store.drop(early.id, 1)
            desk.rule([Incoming(wire, Road.IMPORT) for wire in wires])
            alice._store.drop(late.id, 1)

        await alice._journal.submit(work)

        for post in (early, late):
            stored = await alice.get(post.id)
            assert stored is not None
            assert (stored.record.body, stored.dropped) == (None, True)
        assert list(alice._store.verify()) == []
