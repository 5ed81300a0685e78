"""Subscribers get what they asked for, and are told what they missed."""

from __future__ import annotations

import trio

from moltp2p.core.record import Record
from moltp2p.core.validate import Road
from moltp2p.node.events import (
    ARRIVALS_AT_ONCE,
    SUBSCRIPTION_ARRIVALS,
    Arrival,
    Hub,
)
from moltp2p.store.base import Stored
from moltp2p.testing.factories import TestAgent


def _arrival(record: Record) -> Arrival:
    return Arrival(Stored(record, 0, deleted=False), Road.GOSSIP, None)


async def test_a_subscriber_to_a_community_hears_of_no_other() -> None:
    hub, alice = Hub(), TestAgent("alice")
    science, art = alice.post(community="science"), alice.post(community="art")

    async with hub.subscribe("art") as subscription:
        hub.announce(_arrival(science))
        hub.announce(_arrival(art))
        first = await anext(subscription)

    assert first.stored.record is art


async def test_a_slow_subscriber_is_told_how_much_it_missed() -> None:
    hub, post = Hub(), TestAgent("alice").post()

    async with hub.subscribe(None) as subscription:
        for _ in range(SUBSCRIPTION_ARRIVALS + 3):
            hub.announce(_arrival(post))
        await anext(subscription)
        hub.announce(_arrival(post))
        hub.announce(_arrival(post))
        hub.close()
        missed = [arrival.missed async for arrival in subscription]

    assert len(missed) == SUBSCRIPTION_ARRIVALS
    assert missed[-1] == 3
    assert set(missed[:-1]) == {0}


async def test_closing_the_hub_ends_every_subscription() -> None:
    hub, post = Hub(), TestAgent("alice").post()
    subscription = hub.subscribe(None)
    hub.announce(_arrival(post))

    hub.close()
    heard = [arrival async for arrival in subscription]

    assert len(heard) == 1


async def test_nobody_is_told_after_leaving() -> None:
    hub, post = Hub(), TestAgent("alice").post()
    async with hub.subscribe(None) as subscription:
        pass

    hub.announce(_arrival(post))

    assert [arrival async for arrival in subscription] == []


async def test_one_who_only_listens_lets_others_have_their_turn(
    nursery: trio.Nursery,
) -> None:
    hub, post, turns = Hub(), TestAgent("alice").post(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    nursery.start_soon(other)
    async with hub.subscribe(None) as subscription:
        for _ in range(ARRIVALS_AT_ONCE * 5):
            hub.announce(_arrival(post))
        for _ in range(ARRIVALS_AT_ONCE * 5):
            await anext(subscription)

    assert turns >= 4  # five pauses, and trio draws who goes first


async def test_one_who_stops_waiting_misses_nothing() -> None:
    hub, post = Hub(), TestAgent("alice").post()
    async with hub.subscribe(None) as subscription:
        with trio.move_on_after(0) as waiting:
            await anext(subscription)
        for _ in range(ARRIVALS_AT_ONCE):
            hub.announce(_arrival(post))
        heard = 0
        with trio.move_on_after(0):
            while True:
                await anext(subscription)
                heard += 1
        while heard < ARRIVALS_AT_ONCE:
            await anext(subscription)
            heard += 1

    assert waiting.cancelled_caught
    assert heard == ARRIVALS_AT_ONCE
