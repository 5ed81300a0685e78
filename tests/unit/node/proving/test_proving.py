"""An agent gets its proof, keeps it fresh, and gets to know others, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import parse_proof
from moltp2p.core.errors import PeerError
from moltp2p.core.kinds import Kind
from moltp2p.net.base import Stream
from moltp2p.node.proving.challenging import FIRST_PEERS
from moltp2p.proto.admission.rules import State
from moltp2p.proto.challenge.messages import PROTOCOL
from moltp2p.testing.proofs import known_agent, prove
from tests.provers import House, Town, open_houses

ALL = ("alice", "bob", "carol", "dave", "erin")
OTHERS = ALL[1:]


async def until(is_so: Callable[[], object], within_s: float = 600) -> None:
    with trio.fail_after(within_s):
        while not is_so():  # noqa: ASYNC110  # of what nobody signals
            await trio.sleep(0.5)


@asynccontextmanager
async def applying(*known: str) -> AsyncIterator[Town]:
    """Let alice apply, who counts some of the others."""
    async with open_houses(*ALL) as town, trio.open_nursery() as nursery:
        town.announce(*OTHERS)
        town["alice"].count(*known)
        nursery.start_soon(town["alice"].applying.run)
        yield town
        nursery.cancel_scope.cancel()


def proofs(town: Town) -> list[str]:
    return [each.header.agent.hex()[:8] for each in town.of_kind(Kind.PROOF)]


def is_proved(house: House) -> bool:
    return house.agents.own().expires_ms is not None


async def test_an_agent_gets_its_proof_from_those_who_count(
    autojump_clock: MockClock,
) -> None:
    async with applying("bob", "carol") as town:
        alice = town["alice"]
        await until(lambda: is_proved(alice))

        assert alice.agents.own().state is State.CHALLENGER
        (record,) = town.of_kind(Kind.PROOF)
        issuers = parse_proof(record.body or b"").issuers
        assert issuers <= {town[name].agent.id for name in ("bob", "carol")}


async def test_nobody_is_asked_who_does_not_count(autojump_clock: MockClock) -> None:
    async with applying() as town:
        await trio.sleep(3_000)

        assert proofs(town) == []
        assert all(not town[name].challenging.counters for name in OTHERS)
        assert town["alice"].applying.phase == "waiting"


async def test_a_proof_is_renewed_from_the_tenth_day_on(
    autojump_clock: MockClock,
) -> None:
    async with applying("bob", "carol") as town:
        alice = town["alice"]
        await until(lambda: is_proved(alice))
        first = alice.agents.own()

        town.advance(9.9)
        town.announce(*OTHERS)
        alice.count("bob", "carol")
        await trio.sleep(100)
        assert len(proofs(town)) == 1

        town.advance(0.1)
        town.announce(*OTHERS)
        await until(lambda: len(proofs(town)) == 2)
        assert (alice.agents.own().expires_ms or 0) > (first.expires_ms or 0)
        old, new = (parse_proof(each.body or b"") for each in town.of_kind(Kind.PROOF))
        assert old.value != new.value


async def test_a_revocation_while_it_proves_itself_costs_it_nothing(
    autojump_clock: MockClock,
) -> None:
    """What is proved afterwards counts; the attestations may be from before."""
    async with applying("bob", "carol") as town:
        alice = town["alice"]
        alice.solver.think_s = 5
        await until(lambda: alice.solver.asked)

        await alice.publish(Draft(Kind.REVOCATION))
        await until(lambda: is_proved(alice))

        assert alice.agents.own().state is State.CHALLENGER


async def test_after_a_revocation_it_proves_itself_when_it_is_asked_to(
    autojump_clock: MockClock,
) -> None:
    async with applying("bob", "carol") as town:
        alice = town["alice"]
        await until(lambda: is_proved(alice))

        await alice.publish(Draft(Kind.REVOCATION))
        # Bob has challenged it himself; that was before it took all back.
        assert town["bob"].agents.state(alice.agent.id) is State.UNVERIFIED
        await trio.sleep(600)
        assert len(proofs(town)) == 1
        alice.applying.want()
        await until(lambda: len(proofs(town)) == 2)

        assert alice.agents.own().state is State.CHALLENGER


async def test_a_challenger_that_stalls_keeps_nobody_from_a_proof(
    autojump_clock: MockClock,
) -> None:
    async with applying("bob", "carol", "dave") as town:

        async def stall(stream: Stream) -> None:
            await trio.sleep_forever()

        town["bob"].network.handle(PROTOCOL, stall)
        await until(lambda: is_proved(town["alice"]))


async def test_a_challenger_that_calls_every_ticket_weak_keeps_nobody_from_a_proof(
    autojump_clock: MockClock,
) -> None:
    async with applying("bob", "carol", "dave") as town:
        town["bob"].desk.weigh = _weak  # type: ignore[assignment]
        await until(lambda: is_proved(town["alice"]), 3_000)


def _weak(*_: object) -> None:
    raise PeerError("weak-ticket", "its size is less than a million")


@pytest.mark.parametrize("rounds", [1, 2])
async def test_an_agent_answers_two_checks_a_day_by_one(
    rounds: int, autojump_clock: MockClock
) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("alice")
        bob, alice = town["bob"], town["alice"]
        (live,) = bob.agents.challengers(town.clock.now_ms())

        codes = list[str]()
        for _ in range(3):
            codes.append((await bob.challenging.check(live, rounds)).code)
            await trio.sleep(1)  # until alice has seen him out

        assert codes == ["passed", "passed", "declined"]
        assert alice.challenging.counters == {"passed": 2, "declined": 1}


async def test_spot_checks_come_at_random_hours_one_in_three_days(
    autojump_clock: MockClock,
) -> None:
    async with open_houses("alice", "bob", "carol") as town:
        bob = town["bob"]
        bob.count("alice", "carol")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.challenging.spot)
            for _ in range(30):
                await trio.sleep(86_400 / 2)
                town.announce("alice", "carol")
            nursery.cancel_scope.cancel()

        # Of a mean of 10, Poisson: outside of this once in 10,000 tests.
        checks = bob.challenging.counters["check-passed"]
        assert 1 <= checks <= 23
        assert all(says.rounds == 1 for says in town.attested(bob.agent.id))


async def test_a_newcomer_challenges_three_and_then_one_an_hour_whom_others_count(
    autojump_clock: MockClock,
) -> None:
    names = ("alice", *(f"other {n}" for n in range(9)))
    async with open_houses(*names) as town, trio.open_nursery() as nursery:
        alice, others = town["alice"], names[1:]
        town.announce(*others)
        for name in others:
            await alice.network.dial(town[name].network.addresses()[0])
        nursery.start_soon(alice.challenging.acquaint)
        met = alice.challenging._met
        await until(lambda: len(met) == FIRST_PEERS)
        await trio.sleep(600)
        assert len(met) == FIRST_PEERS

        for name in others:
            await _prove_for_others(town[name])
        await until(lambda: len(met) == FIRST_PEERS + 4)
        await trio.sleep(3_000)
        assert len(met) == FIRST_PEERS + 4
        await until(lambda: len(met) == len(others), 3 * 3_600)
        nursery.cancel_scope.cancel()


async def _prove_for_others(house: House) -> None:
    """Publish a proof by somebody whom alice does not know."""
    await house.publish(Draft(Kind.PROOF, prove(house.agent, [known_agent("zoe")])))
