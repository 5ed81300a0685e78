"""Waiting for who reads, not for who does not, and never in a circle."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio
from trio.testing import MockClock

from moltp2p.net.gossip.backpressure import PUBLISH_S, Backpressure
from moltp2p.net.gossip.outbox import (
    FORWARD_MARK,
    PATIENCE_S,
    PUBLISH_MARK,
    STALL_S,
    WRITE_BYTES,
    Outbox,
    Parcel,
)
from tests.swarm import TOPIC, id_of

Rule = Callable[[Callable[[], list[Outbox]]], Awaitable[None]]


def full(size: int = FORWARD_MARK + 1000) -> Outbox:
    box = Outbox()
    fill(box, size)
    return box


def fill(box: Outbox, size: int = FORWARD_MARK + 1000) -> None:
    number = 0
    while box.message_bytes < size:
        number += 1
        key = b"%d %f" % (number, trio.current_time())
        box.put_message(id_of(key), Parcel(TOPIC, b"." * 1000))


async def waited_s(
    wait: Rule, boxes: list[Outbox], within_s: float = math.inf
) -> float:
    """Return how long a rule waits for queues."""
    start = trio.current_time()
    with trio.move_on_after(within_s):
        await wait(lambda: boxes)
    return trio.current_time() - start


async def drain(box: Outbox, pressure: Backpressure, every_s: float) -> None:
    """Take a write's worth at a time, as a peer that reads."""
    while True:
        await trio.sleep(every_s)
        if len(box):
            box.take()
            box.sent()
            pressure.on_moved()


async def test_nobody_waits_while_there_is_room(autojump_clock: MockClock) -> None:
    pressure = Backpressure()
    some_room = full(PUBLISH_MARK - 1000)

    assert await waited_s(pressure.before_publishing, [some_room, Outbox()]) == 0
    assert await waited_s(pressure.before_judging, [full(FORWARD_MARK - 1000)]) == 0
    assert await waited_s(pressure.before_judging, []) == 0


async def test_both_wait_for_a_peer_that_reads(autojump_clock: MockClock) -> None:
    pressure = Backpressure()
    box = full()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain, box, pressure, 0.5)

        assert await waited_s(pressure.before_judging, [box]) == 0.5
        assert await waited_s(pressure.before_publishing, [box]) == 1.0
        assert not box.is_slow
        nursery.cancel_scope.cancel()


async def test_judging_waits_for_a_stuck_peer_only_until_it_is_stalled(
    autojump_clock: MockClock,
) -> None:
    pressure = Backpressure()
    box = full()

    first = await waited_s(pressure.before_judging, [box])
    second = await waited_s(pressure.before_judging, [box])

    assert (first, second) == (STALL_S, 0)
    assert box.is_slow


async def test_publishing_waits_longer_where_everybody_is_behind(
    autojump_clock: MockClock,
) -> None:
    pressure = Backpressure()

    assert await waited_s(pressure.before_publishing, [full()]) == PUBLISH_S
    assert await waited_s(pressure.before_publishing, [full(), full()]) == PUBLISH_S
    assert await waited_s(pressure.before_publishing, [full(), Outbox()]) == STALL_S


async def test_publishing_to_one_peer_that_reads_never_gives_up(
    autojump_clock: MockClock,
) -> None:
    pressure = Backpressure()
    box = full()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain, box, pressure, 4.0)
        for _ in range(50):
            await waited_s(pressure.before_publishing, [box])
            fill(box, PUBLISH_MARK + 1)
        nursery.cancel_scope.cancel()

    assert not box.is_slow
    assert box.drops == {}


async def test_a_peer_that_reads_too_slowly_uses_up_the_patience_of_judging(
    autojump_clock: MockClock,
) -> None:
    pressure = Backpressure()
    box = full()
    total = 0.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain, box, pressure, 1.5)
        while not box.is_slow:
            total += await waited_s(pressure.before_judging, [box])
            fill(box)
        nursery.cancel_scope.cancel()

    assert PATIENCE_S <= total <= 3 * PATIENCE_S


async def test_a_slow_peer_is_waited_for_again_once_it_has_caught_up(
    autojump_clock: MockClock,
) -> None:
    pressure = Backpressure()
    box = full()
    await waited_s(pressure.before_judging, [box])
    while box.message_bytes > WRITE_BYTES:
        box.take()
    fill(box)

    assert await waited_s(pressure.before_judging, [box]) > 0


async def test_who_is_gone_is_not_waited_for(autojump_clock: MockClock) -> None:
    pressure = Backpressure()
    boxes = [full()]

    async def leave() -> None:
        await trio.sleep(1)
        boxes.clear()
        pressure.on_moved()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        assert await waited_s(pressure.before_publishing, boxes) == 1
    assert pressure.waited_s == 1
