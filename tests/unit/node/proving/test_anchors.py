"""Nodes without an agent, on a network that admits by proof."""

from __future__ import annotations

import dataclasses

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.ids import RecordId
from moltp2p.node.node import Node
from moltp2p.node.settings import Role
from tests.village import PARAMS, Village, held, meet, post

WITHIN_S = 300.0


@pytest.fixture
def place(village: Village) -> Village:
    """Return a village in which only agents may speak."""
    village.params = dataclasses.replace(PARAMS, admission=True)
    return village


async def counts(node: Node) -> None:
    """Wait until a node's agent has proved to be one."""
    with trio.fail_after(WITHIN_S), node.proving.prove() as events:
        async for _ in events:
            pass


async def holds(node: Node, record: RecordId) -> None:
    """Wait until a record has come to a node."""
    with trio.fail_after(WITHIN_S):
        async with node.subscribe() as arrivals:
            if record in await held(node):
                return
            async for arrival in arrivals:
                if arrival.stored.record.id == record:
                    return


@pytest.mark.parametrize("role", [Role.LISTENER, Role.BOOTSTRAP])
async def test_it_takes_what_the_agents_say_that_its_peers_count(
    place: Village, role: Role, autojump_clock: MockClock
) -> None:
    async with (
        place.open("alice", solver="oracle") as alice,
        place.open("bob", solver="oracle") as bob,
        place.open("here", role) as here,
    ):
        await meet(alice, bob)
        await meet(here, alice)
        await counts(alice)
        await counts(bob)
        (said,) = await bob.publish(post())

        await holds(here, said.id)


async def test_it_takes_nothing_from_who_proved_nothing(
    place: Village, autojump_clock: MockClock
) -> None:
    async with (
        place.open("alice", solver="oracle") as alice,
        place.open("bob", solver="oracle") as bob,
        place.open("carol") as carol,
        place.open("here", Role.LISTENER) as here,
    ):
        await meet(alice, bob, carol)
        await meet(here, alice)
        await counts(alice)
        (said,) = await alice.publish(post())
        await holds(here, said.id)

        assert carol.agent is not None
        assert here.agents.admitted_until_ms(carol.agent) is None


async def test_it_goes_by_whoever_comes_when_there_is_nobody_to_dial(
    place: Village, autojump_clock: MockClock
) -> None:
    async with (
        place.open("here", Role.BOOTSTRAP) as here,
        place.open("alice", solver="oracle") as alice,
        place.open("bob", solver="oracle") as bob,
    ):
        await meet(alice, here, bob)
        await meet(bob, here)
        await counts(alice)
        (said,) = await alice.publish(post())

        await holds(here, said.id)
