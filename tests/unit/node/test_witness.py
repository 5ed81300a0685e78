"""A node that notices a fork proves it, once, and only if nobody else did."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from moltp2p.core.author import Draft
from moltp2p.core.facts import Overlay
from moltp2p.core.forks import Fork, Forked, parse_fork, place_of, prove
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.node.desk import Desk
from moltp2p.node.journal import Journal
from moltp2p.node.pen import Incoming
from moltp2p.node.witness import FORKS_A_DAY, WAIT_S, Suspicions, Witness, Write
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NETWORK = NetworkParams("test-net")


async def inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call without a thread: a clock that jumps would not wait for one."""
    return function(*arguments)


class Scene:
    """A store, a witness, and an agent that writes what the witness says."""

    def __init__(self) -> None:
        self.store = open_store(NETWORK)
        self.suspicions = Suspicions()
        self.author = TestAgent("watcher")
        self.written: list[Record] = []

    def witness(self, write: Write | None) -> Witness:
        return Witness(self.store, NETWORK.id, random.Random(7), write, inline)

    async def write(self, drafts: Sequence[Draft]) -> None:
        records = [self.author.write(draft) for draft in drafts]
        self.written += records
        self.hear(*self.author.records)

    def hear(self, *records: Record) -> None:
        """Judge and keep records; suspect them all."""
        bench = Bench(NETWORK, EPOCH_MS + 10**8, Road.SYNC)
        for record in records:
            keep = judge(record.wire(), bench, Overlay(self.store)).keep
            self.store.add([keep] if keep else [], EPOCH_MS)
        self.suspicions.add(records)

    def proven(self) -> list[Forked]:
        """Return what the written records prove."""
        bodies = [record.body for record in self.written]
        return [place_of(parse_fork(body)) for body in bodies if body is not None]


@pytest.fixture
async def scene(nursery: trio.Nursery) -> AsyncIterator[Scene]:
    scene = Scene()
    nursery.start_soon(scene.witness(scene.write).run, scene.suspicions)
    yield scene
    nursery.cancel_scope.cancel()


def twins(name: str = "alice") -> tuple[TestAgent, TestAgent]:
    return TestAgent(name), TestAgent(name, time_ms=EPOCH_MS + 1)


def fork_of(one: Record, other: Record) -> Fork:
    fork = prove(one, other, [])
    assert fork is not None
    return fork


async def test_two_posts_at_one_place_are_proven_within_a_minute(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()

    scene.hear(left.post("yes"), right.post("no"))
    await trio.sleep(WAIT_S + 1)

    assert scene.store.count() == 2 + 2  # both branches are kept
    assert scene.proven() == [Forked(left.id, 1)]
    assert scene.store.forks(left.id, 10) == [(1, scene.written[0].id)]


async def test_a_second_inception_is_not_kept_and_proven_all_the_same(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()

    scene.hear(left.incept(), right.incept())
    await trio.sleep(WAIT_S + 1)

    assert scene.proven() == [Forked(left.id, 0)]


async def test_a_second_rotation_from_one_link_is_proven(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()
    first = left.incept()
    right.records = [first]

    scene.hear(first, left.rotate(), right.rotate())
    await trio.sleep(WAIT_S + 1)

    assert scene.proven() == [Forked(left.id, 1)]


async def test_a_fork_after_a_rotation_is_proven_with_its_chain(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()
    first, rotation = left.incept(), left.rotate()
    right.records, right.generation = [first, rotation], 1

    scene.hear(first, rotation, left.post("yes"), right.post("no"))
    await trio.sleep(WAIT_S + 1)

    assert scene.proven() == [Forked(left.id, 2)]


async def test_who_waited_longer_finds_it_proven_and_writes_nothing(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()
    fork = fork_of(left.post("yes"), right.post("no"))
    scene.hear(left.records[-1], right.records[-1])

    scene.hear(TestAgent("bob").write(Draft(Kind.FORK, fork)))
    await trio.sleep(WAIT_S + 1)

    assert scene.written == []


async def test_a_fork_seen_again_is_proven_once(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()
    for _ in range(3):
        scene.hear(left.incept(), right.incept())
        await trio.sleep(WAIT_S + 1)
        left.records, right.records = [], []

    assert len(scene.written) == 1


async def test_old_records_that_come_late_are_no_forks(
    scene: Scene, autojump_clock: MockClock
) -> None:
    alice = TestAgent("alice")
    for number in range(20):
        alice.post(f"{number}")

    scene.hear(*reversed(alice.records))
    await trio.sleep(WAIT_S + 1)

    assert scene.written == []


async def test_an_agent_that_forks_on_and_on_is_proven_to_eight_times(
    scene: Scene, autojump_clock: MockClock
) -> None:
    left, right = twins()
    left.incept()
    right.incept()
    for number in range(30):
        scene.hear(left.post(f"a {number}"), right.post(f"b {number}"))
        await trio.sleep(WAIT_S + 1)

    assert len(scene.written) == 8


async def test_many_who_fork_do_not_make_a_storm(
    scene: Scene, autojump_clock: MockClock
) -> None:
    for number in range(2 * FORKS_A_DAY):
        left, right = twins(f"agent {number}")
        scene.hear(left.post("yes"), right.post("no"))
        if number % 40 == 0:
            await trio.sleep(WAIT_S + 1)
    await trio.sleep(WAIT_S + 1)

    assert FORKS_A_DAY // 2 < len(scene.written) <= FORKS_A_DAY + 1


async def test_a_node_without_an_agent_writes_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    scene = Scene()
    nursery.start_soon(scene.witness(None).run, scene.suspicions)
    left, right = twins()

    scene.hear(left.post("yes"), right.post("no"))
    await trio.sleep(WAIT_S + 1)

    assert scene.store.forks(left.id, 10) == []
    nursery.cancel_scope.cancel()


async def test_suspicions_are_bounded_and_the_newest_stay() -> None:
    suspicions = Suspicions()
    alice = TestAgent("alice")
    posts = [alice.post(f"{number}") for number in range(300)]

    suspicions.add(posts)
    await wait_all_tasks_blocked()

    assert await suspicions.take() == posts[300 - 256]


async def test_the_journal_suspects_what_finds_its_place_taken_and_nothing_else(
    nursery: trio.Nursery,
) -> None:
    store = open_store(NETWORK)
    journal = Journal(store, NETWORK, lambda: EPOCH_MS + 60_000)
    nursery.start_soon(journal.run, lambda batch, now_ms: None)
    left, right = twins()
    inceptions = [left.incept(), right.incept()]
    branches = [left.post("yes"), right.post("no")]
    other = TestAgent("bob")
    innocent = [other.post(f"{number}") for number in range(5)]

    for batch in (reversed([*other.records, *innocent]), inceptions, branches):
        incoming = [Incoming(record.wire(), Road.SYNC) for record in batch]

        def rule(desk: Desk, incoming: list[Incoming] = incoming) -> list[str]:
            return [each.code for each in desk.rule(incoming)]

        await journal.submit(rule, len(incoming))

    assert await journal.suspicions.take() == inceptions[1]
    assert (await journal.suspicions.take()).id == branches[1].id
    assert len(journal.suspicions) == 0
    nursery.cancel_scope.cancel()
