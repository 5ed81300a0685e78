"""Own records are told in order, and kept for whoever comes later."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.node.relay import (
    QUEUED_RECORDS,
    TOLD_AT_ONCE,
    UNHEARD_PAUSE_S,
    Relay,
)
from moltp2p.testing.factories import TestAgent

PARAMS = NetworkParams("test-net")


class Ear:
    """Somebody who may or may not be there, and remembers what was said."""

    def __init__(self, *, present: bool) -> None:
        self.present = present
        self.heard: list[bytes] = []
        self.calls: list[tuple[str, int]] = []
        self.busy = trio.Event()
        self.busy.set()

    async def publish(self, topic: str, *messages: bytes) -> None:
        await self.busy.wait()
        self.heard += messages
        self.calls.append((topic, len(messages)))

    def has_peers(self, topic: str) -> bool:
        return self.present


def _posts(count: int) -> list[Record]:
    alice = TestAgent("alice")
    return [alice.post(str(number)) for number in range(count)]


async def test_records_are_told_in_order(nursery: trio.Nursery) -> None:
    relay, ear, posts = Relay(PARAMS), Ear(present=True), _posts(5)
    nursery.start_soon(relay.run, ear.publish, ear.has_peers)

    for post in posts:
        relay.tell(post)
    await wait_all_tasks_blocked()

    assert ear.heard == [post.wire() for post in posts]


async def test_neighbours_of_one_topic_are_told_together(
    nursery: trio.Nursery,
) -> None:
    relay, ear, alice = Relay(PARAMS), Ear(present=True), TestAgent("alice")
    communities = ["art"] * (TOLD_AT_ONCE + 1) + ["science", "art", "art"]
    posts = [alice.post(community=name) for name in communities]
    for post in posts:
        relay.tell(post)

    nursery.start_soon(relay.run, ear.publish, ear.has_peers)
    await wait_all_tasks_blocked()

    art, science = (topic_of(PARAMS, name) for name in ("art", "science"))
    assert art != science
    assert ear.calls == [(art, TOLD_AT_ONCE), (art, 1), (science, 1), (art, 2)]
    assert ear.heard == [post.wire() for post in posts]


async def test_what_nobody_heard_costs_the_next_record_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    relay, asked = Relay(PARAMS), 0

    def has_peers(_: str) -> bool:
        nonlocal asked
        asked += 1
        return False

    nursery.start_soon(relay.run, Ear(present=False).publish, has_peers)
    for post in _posts(100):
        relay.tell(post)
        await wait_all_tasks_blocked()

    assert relay.unheard == 100
    assert asked < 200


async def test_what_nobody_heard_is_told_once_somebody_comes(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    relay, ear, posts = Relay(PARAMS), Ear(present=False), _posts(3)
    nursery.start_soon(relay.run, ear.publish, ear.has_peers)
    for post in posts:
        relay.tell(post)
    await trio.sleep(UNHEARD_PAUSE_S * 3)
    unheard = relay.unheard

    ear.present = True
    await trio.sleep(UNHEARD_PAUSE_S * 1.5)

    assert unheard == 3
    assert relay.unheard == 0
    assert ear.heard == [post.wire() for post in posts]


async def test_a_publisher_that_asks_for_room_loses_nothing(
    nursery: trio.Nursery,
) -> None:
    relay, ear = Relay(PARAMS), Ear(present=True)
    ear.busy = trio.Event()
    nursery.start_soon(relay.run, ear.publish, ear.has_peers)
    (post,) = _posts(1)
    told = 0

    async def publisher() -> None:
        nonlocal told
        for _ in range(QUEUED_RECORDS * 2):
            await relay.room()
            relay.tell(post)
            told += 1

    nursery.start_soon(publisher)
    await wait_all_tasks_blocked()
    waited_at = told
    ear.busy.set()
    await wait_all_tasks_blocked()

    assert waited_at < QUEUED_RECORDS
    assert relay.dropped == 0
    assert len(ear.heard) == QUEUED_RECORDS * 2


async def test_finishing_waits_for_the_last_record_and_for_nobody_to_come(
    nursery: trio.Nursery,
) -> None:
    relay, ear, posts = Relay(PARAMS), Ear(present=True), _posts(3)
    ear.busy = trio.Event()
    nursery.start_soon(relay.run, ear.publish, ear.has_peers)
    for post in posts:
        relay.tell(post)
    finished = trio.Event()

    async def finish() -> None:
        await relay.finish()
        finished.set()

    nursery.start_soon(finish)
    await wait_all_tasks_blocked()
    was_early = finished.is_set()
    ear.busy.set()
    await wait_all_tasks_blocked()

    assert not was_early
    assert finished.is_set()
    assert len(ear.heard) == 3
    ear.present = False
    relay.tell(posts[0])
    await relay.finish()
    assert relay.unheard == 1


async def test_without_asking_the_oldest_is_dropped_and_counted() -> None:
    relay = Relay(PARAMS)
    (post,) = _posts(1)

    for _ in range(QUEUED_RECORDS + 7):
        relay.tell(post)

    assert relay.dropped == 7
