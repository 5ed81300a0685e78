"""A proof that its agent takes back, and an agent that proves itself by hand."""

from __future__ import annotations

import dataclasses

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import UsageError
from moltp2p.node.node import Node
from moltp2p.node.proving.telling import Event
from moltp2p.proof.oracle import told_answer
from moltp2p.proto.admission.rules import State
from tests.village import PARAMS, Village, meet, post

WITHIN_S = 600.0


@pytest.fixture
def place(village: Village) -> Village:
    """Return a village in which only agents may speak."""
    village.params = dataclasses.replace(PARAMS, admission=True)
    return village


async def prove(node: Node, *, by_hand: bool = False) -> list[Event]:
    """Wait until a node's agent has proved to be one; answer what is asked by hand."""
    told: list[Event] = []
    with trio.fail_after(WITHIN_S), node.proving.prove(by_hand=by_hand) as events:
        async for event in events:
            told.append(event)
            if event["event"] == "task":
                answer = told_answer(str(event["text"]))
                node.proving.answer(int(str(event["number"])), answer)
    return told


async def test_a_revoked_proof_is_proved_anew_only_when_somebody_wants_it(
    place: Village, autojump_clock: MockClock
) -> None:
    async with (
        place.open("alice", solver="oracle") as alice,
        place.open("bob", solver="oracle") as bob,
    ):
        await meet(alice, bob)
        await prove(alice)
        await alice.proving.revoke()
        await trio.sleep(WITHIN_S)

        own = alice.proving.status().own
        assert own.state is State.UNVERIFIED
        assert own.revoked_ms is not None
        assert alice.agent is not None
        # Who has challenged it itself believes it no longer than others.
        assert bob.agents.state(alice.agent) is State.UNVERIFIED
        assert bob.agents.admitted_until_ms(alice.agent) == own.revoked_ms
        with pytest.raises(UsageError) as caught:
            await alice.publish(post())
        assert caught.value.code == "proof-expired"

        told = await prove(alice)
        assert told[-1]["event"] == "proved"
        assert alice.proving.status().own.revoked_ms is None
        await alice.publish(post())


async def test_a_revoked_proof_stays_revoked_after_a_restart(
    place: Village, autojump_clock: MockClock
) -> None:
    async with place.open("bob", solver="oracle") as bob:
        async with place.open("alice", solver="oracle") as alice:
            await meet(alice, bob)
            await prove(alice)
            await alice.proving.revoke()
        async with place.open("alice", solver="oracle") as alice:
            await meet(alice, bob)
            await trio.sleep(WITHIN_S)

            assert alice.proving.status().own.state is State.UNVERIFIED


async def test_tasks_go_to_whoever_asks_for_them_by_hand(
    place: Village, autojump_clock: MockClock
) -> None:
    async with (
        place.open("alice", solver="oracle") as alice,
        place.open("bob", solver="oracle") as bob,
    ):
        await prove_alone(alice)
        await meet(alice, bob)
        told = await prove(alice, by_hand=True)

    assert sum(each["event"] == "task" for each in told) >= 8
    assert told[-1]["event"] == "proved"


async def prove_alone(node: Node) -> None:
    """See that a node without peers says what it waits for."""
    with trio.fail_after(WITHIN_S), node.proving.prove() as events:
        event = await anext(events)
    assert event["event"] == "waiting"
    assert "--bootstrap" in str(event["message"])
