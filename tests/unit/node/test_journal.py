"""The one writer: groups, all or none, and what waits for a rotation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest
import trio
import trio.testing

from moltp2p.core.author import Author, Draft, Head
from moltp2p.core.codec import MAX_INT
from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road, Ruling
from moltp2p.core.verdict import Verdict
from moltp2p.node.desk import Desk, Kept
from moltp2p.node.journal import Journal
from moltp2p.node.outage import LOOK_S
from moltp2p.node.pen import Incoming
from moltp2p.store.arrivals import Came
from moltp2p.store.base import Added, Sitting, Store
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer


class FullDisk:
    """A store whose disk is full for a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False
        self.batches: list[int] = []
        self.code = "disk-full"
        self.looks = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def looked_at(self, times: int) -> None:
        """Wait until somebody looked so often; the fake clock does not wait for it."""
        for _ in range(10_000):
            if self.looks >= times:
                return
            await trio.sleep(LOOK_S)
        pytest.fail("nobody looks")

    def mend(self) -> None:
        self.looks += 1
        if self.is_full:
            raise LocalError("disk-full", "no room", "make some")

    def sit(self) -> FullSitting:
        return FullSitting(self, self._store.sit())


class FullSitting:
    """A sitting of it, at whose end nothing can be kept."""

    def __init__(self, disk: FullDisk, sitting: Sitting) -> None:
        self.held = sitting.held
        self.look_ahead = sitting.look_ahead
        self._disk = disk
        self._sitting = sitting

    def keep(
        self, records: Sequence[Record], received_at_ms: int, came: Sequence[Came]
    ) -> Added:
        if self._disk.is_full:
            raise LocalError(self._disk.code, "no room")
        self._disk.batches.append(len(records))
        return self._sitting.keep(records, received_at_ms, came)


class Bench:
    """A journal that runs, on a store in memory."""

    def __init__(self) -> None:
        self.store = FullDisk(open_store(NetworkParams("test-net")))
        self.journal = Journal(
            self.store,  # type: ignore[arg-type] # the rest of a store, by __getattr__
            NetworkParams("test-net"),
            lambda: EPOCH_MS + 60_000,
        )
        self.kept: list[Kept] = []

    def announce(self, batch: Sequence[Kept], now_ms: int) -> None:
        self.kept += batch

    async def rule(self, *records: Record) -> list[Ruling]:
        incoming = [Incoming(record.wire(), Road.GOSSIP) for record in records]
        return await self.journal.submit(
            lambda desk: desk.rule(incoming), len(incoming)
        )

    async def publish(self, agent: TestAgent) -> Record:
        draft = Draft(Kind.POST, Post("hello"), "general")
        (record,) = await self.journal.submit(
            lambda desk: desk.write(agent.author, [draft])
        )
        return record


@pytest.fixture
async def bench(nursery: trio.Nursery) -> AsyncIterator[Bench]:
    """Return a running journal."""
    bench = Bench()
    nursery.start_soon(bench.journal.run, bench.announce)
    yield bench
    nursery.cancel_scope.cancel()


def _codes(rulings: Sequence[Ruling]) -> list[str]:
    return [ruling.code for ruling in rulings]


async def test_what_is_accepted_is_stored_and_announced_before_the_answer(
    bench: Bench,
) -> None:
    alice = TestAgent("alice")
    post = alice.post()

    (ruling,) = await bench.rule(post)

    assert ruling.verdict is Verdict.ACCEPT
    assert bench.store._store.has(post.id)
    assert [kept.record.id for kept in bench.kept] == [post.id]
    assert not bench.kept[0].relay


async def test_jobs_that_wait_share_one_batch(bench: Bench) -> None:
    alice = TestAgent("alice")
    posts = [alice.post(str(number)) for number in range(20)]

    async with trio.open_nursery() as nursery:
        for post in posts:
            nursery.start_soon(bench.rule, post)

    assert sum(bench.store.batches) == 20
    assert len(bench.store.batches) <= 3


async def test_a_record_that_comes_twice_in_a_batch_is_kept_once(
    bench: Bench,
) -> None:
    post = TestAgent("alice").post()

    rulings = await bench.rule(post, post)

    assert _codes(rulings) == ["ok", "duplicate"]
    assert len(bench.kept) == 1


async def test_a_bad_draft_keeps_its_whole_job_out_and_no_other(bench: Bench) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    await bench.rule(alice.incept())
    drafts = [
        Draft(Kind.POST, Post("fine"), "general"),
        Draft(Kind.POST, Post(""), "general"),
    ]
    outcome: dict[str, object] = {}

    async def publish() -> None:
        try:
            await bench.journal.submit(lambda desk: desk.write(alice.author, drafts))
        except UsageError as error:
            outcome["code"] = error.code

    async def receive() -> None:
        outcome["rulings"] = _codes(await bench.rule(bob.post()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish)
        nursery.start_soon(receive)

    assert outcome == {"code": "bad-body", "rulings": ["ok"]}
    head = bench.store._store.head(alice.id)
    assert head is not None
    assert head.seq == 0


async def test_drafts_of_one_job_take_their_places_in_order(bench: Bench) -> None:
    alice = TestAgent("alice")
    await bench.rule(alice.incept())
    drafts = [Draft(Kind.POST, Post(str(n)), "general") for n in range(3)]

    first, second = [
        await bench.journal.submit(lambda desk: desk.write(alice.author, drafts))
        for _ in range(2)
    ]

    records = [alice.records[0], *first, *second]
    assert [record.header.seq for record in records] == list(range(7))
    assert [record.header.prev for record in records[1:]] == [
        record.id for record in records[:-1]
    ]
    assert all(kept.relay for kept in bench.kept[1:])


async def test_publishers_at_once_never_take_the_same_place(bench: Bench) -> None:
    alice = TestAgent("alice")
    await bench.rule(alice.incept())
    draft = Draft(Kind.POST, Post("me too"), "general")
    written: list[Record] = []

    async def publish() -> None:
        written.extend(
            await bench.journal.submit(lambda desk: desk.write(alice.author, [draft]))
        )

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(publish)

    assert sorted(record.header.seq for record in written) == list(range(1, 51))


async def test_a_full_disk_refuses_everybody_and_ends_by_itself(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    alice = TestAgent("alice")
    await bench.rule(alice.incept())
    outage = bench.journal.outage
    bench.store.is_full = True
    for _ in range(3):
        with pytest.raises(LocalError, match="disk-full"):
            await bench.publish(alice)
        assert outage.is_read_only
    assert bench.store.looks == 0, "who wants to write makes nobody look"

    await bench.store.looked_at(5)
    assert bench.store.looks <= trio.current_time() / LOOK_S
    assert outage.is_read_only
    bench.store.is_full = False
    await outage.wait_over()

    assert (await bench.publish(alice)).header.seq == 1
    assert outage.error is None


async def test_while_nothing_can_be_written_nothing_is_judged(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    alice = TestAgent("alice")
    await bench.rule(alice.incept())
    bench.store.is_full = True
    with pytest.raises(LocalError, match="disk-full"):
        await bench.publish(alice)
    worked: list[Desk] = []

    for _ in range(100):
        with pytest.raises(LocalError, match="disk-full"):
            await bench.journal.submit(worked.append)

    assert worked == []
    assert bench.store.batches == [1]


async def test_those_who_keep_asking_do_not_keep_the_node_from_looking(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    alice = TestAgent("alice")
    await bench.rule(alice.incept())
    bench.store.is_full = True

    async def insist() -> Record:
        while True:
            try:
                return await bench.publish(alice)
            except LocalError:
                await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(insist)
        await bench.store.looked_at(2)
        bench.store.is_full = False

    assert bench.store._store.count() == 6


async def test_damage_that_one_record_met_does_not_refuse_the_others(
    bench: Bench,
) -> None:
    alice = TestAgent("alice")
    await bench.rule(alice.incept())
    bench.store.is_full, bench.store.code = True, "store-damaged"
    with pytest.raises(LocalError, match="store-damaged"):
        await bench.publish(alice)
    error = bench.journal.outage.error
    assert error is not None
    assert error.code == "store-damaged"

    bench.store.is_full = False

    assert (await bench.publish(alice)).header.seq == 1
    assert bench.journal.outage.error is None


async def test_a_record_by_the_new_key_waits_for_the_rotation(bench: Bench) -> None:
    alice = TestAgent("alice")
    inception = alice.incept()
    rotation = alice.rotate()
    early = alice.post("before you know my key")

    first = await bench.rule(early, inception)
    waiting = len(bench.journal.pen)
    second = await bench.rule(rotation)

    assert _codes(first) == ["key-unknown", "ok"]
    assert waiting == 1
    assert _codes(second) == ["ok"]
    assert len(bench.journal.pen) == 0
    assert bench.store._store.has(early.id)
    released = [kept for kept in bench.kept if kept.record.id == early.id]
    assert [kept.relay for kept in released] == [True]


async def test_rotations_out_of_order_are_put_in_order(bench: Bench) -> None:
    alice = TestAgent("alice")
    inception, first = alice.incept(), alice.rotate()
    second, post = alice.rotate(), alice.post()

    for record in (post, second, first, inception):
        await bench.rule(record)

    chain = bench.store._store.key_chain(alice.id)
    assert chain is not None
    assert [link.record for link in chain.links] == [inception.id, first.id, second.id]
    assert bench.store._store.has(post.id)


async def test_a_thief_loses_what_it_wrote_at_or_after_the_rotation(
    bench: Bench,
) -> None:
    alice, thief = TestAgent("alice"), TestAgent("alice")
    inception = alice.incept()
    thief.records.append(inception)
    forged = thief.post("send me your tokens")
    await bench.rule(inception, forged)
    held_before = bench.store._store.has(forged.id)

    await bench.rule(alice.rotate())
    again = await bench.rule(forged, thief.post("and again"))

    assert held_before
    assert not bench.store._store.has(forged.id)
    assert _codes(again) == ["key-superseded", "key-superseded"]


async def test_a_thief_at_the_last_place_is_let_go_of_by_a_rotation_before_it(
    bench: Bench,
) -> None:
    alice = TestAgent("alice")
    inception, post = alice.incept(), alice.post()
    thief = Head(MAX_INT - 1, post.id)
    stolen = Draft(Kind.POST, Post("mine now"), "general")
    last = alice.author.write(stolen, thief, EPOCH_MS)
    await bench.rule(inception, post, last)
    draft = Draft(Kind.POST, Post("hello"), "general")
    write = partial(Desk.write, author=alice.author, drafts=[draft])
    own = Author(alice.id, "test-net", signer("alice", 1))

    def rotate(desk: Desk) -> list[Record]:
        head = desk.head_before(alice.id, post.header.seq + 1)
        return desk.keep_own([own.rotate(head, signer("alice", 2).public, EPOCH_MS)])

    with pytest.raises(UsageError, match="sequence-full"):
        await bench.journal.submit(write)
    (rotation,) = await bench.journal.submit(rotate)

    assert rotation.header.seq == post.header.seq + 1
    assert rotation.header.prev == post.id
    assert not bench.store._store.has(last.id)
    assert bench.store._store.head(alice.id) == Head(rotation.header.seq, rotation.id)


async def test_a_thief_cannot_rotate(bench: Bench) -> None:
    alice = TestAgent("alice")
    inception = alice.incept()
    mallory = Author(alice.id, "test-net", signer("mallory"))
    forged = mallory.rotate(alice.head, signer("mallory", 1).public, EPOCH_MS)

    rulings = await bench.rule(inception, forged)

    assert _codes(rulings) == ["ok", "not-committed"]
    chain = bench.store._store.key_chain(alice.id)
    assert chain is not None
    assert len(chain.links) == 1


async def test_whoever_waits_is_answered_when_the_writer_ends() -> None:
    bench = Bench()
    told: list[str] = []

    async def wait() -> None:
        try:
            await bench.journal.submit(lambda desk: desk.now_ms)
        except UsageError as error:
            told.append(error.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(wait)
        with trio.CancelScope() as ended:
            ended.cancel()
            await bench.journal.run(bench.announce)
    await wait()

    assert told == ["store-closed"] * 3


async def test_a_bug_in_a_job_leaves_nobody_waiting() -> None:
    bench = Bench()
    told: list[str] = []

    async def wait() -> None:
        with pytest.raises(UsageError) as caught, trio.CancelScope(shield=True):
            await bench.journal.submit(lambda _: 1 // 0)
        told.append(caught.value.code)

    with pytest.RaisesGroup(ZeroDivisionError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(bench.journal.run, bench.announce)

    assert told == ["store-closed"]
