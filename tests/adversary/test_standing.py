"""Those who lie, and those who stand on liars: what becomes of them at a node."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Callable
from functools import cache, partial

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Proof
from moltp2p.core.challenge.fraud import Fraud
from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.testimony import Reveal
from moltp2p.core.challenge.work import DRAWN, is_eligible
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.proto.admission.bars import quorum_of
from moltp2p.proto.admission.census import Census
from moltp2p.proto.admission.pedigree import pedigree
from moltp2p.proto.admission.rules import Claim, State, Vouch
from moltp2p.proto.admission.view import OF_AGE_MS
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import Spoken, known_agent, prove, ticket_for
from tests.adversary.test_challenge_odds import binomial
from tests.unit.node.test_admission import NETWORK, Court, proof

MINUTE_MS = 60_000
DAY_MS = 86_400_000
LIFE_MS = 14 * DAY_MS


@pytest.fixture
async def court(nursery: trio.Nursery) -> AsyncIterator[Court]:
    """Return the court of alice, who has challenged bob; carol counts by bob."""
    alice, bob, carol = (known_agent(name) for name in ("alice", "bob", "carol"))
    court = Court(alice, open_store(NETWORK))
    nursery.start_soon(court.journal.run, court.announce)
    await court.rule(alice.records[0], bob.records[0], carol.records[0])
    await court.challenge(bob)
    assert await court.rule(proof(carol, [bob])) == ["ok"]
    yield court
    nursery.cancel_scope.cancel()


def slot_twice(bob: TestAgent, time_ms: int) -> Fraud:
    """Return two attestations by bob for one slot, both of a time."""
    subjects = known_agent("dave"), known_agent("erin")
    return Fraud.of(
        "slot",
        [
            Spoken(each, bob, ticket_for(each, [bob], 1), time_ms=time_ms)
            .attest()
            .statement
            for each in subjects
        ],
    )


def wrong_score(bob: TestAgent, time_ms: int) -> Fraud:
    """Return a session of bob's, and an attestation of it that tells another score."""
    dave = known_agent("dave")
    spoken = Spoken(dave, bob, ticket_for(dave, [bob], 1), right=3, time_ms=time_ms)
    return Fraud.of("score", [*spoken.heard(), spoken.attest(score=8).statement])


def lying_reveal(bob: TestAgent, time_ms: int) -> Fraud:
    """Return a session in which bob reveals another answer than he was bound to."""
    dave = known_agent("dave")
    spoken = Spoken(dave, bob, ticket_for(dave, [bob], 1), time_ms=time_ms)
    told = read(spoken.heard()[7], Reveal)
    lie = dataclasses.replace(
        told, answers=(("lie", *told.answers[0][1:]), told.answers[1])
    )
    heard = spoken.heard(reveal=lie)
    return Fraud.of("reveal", [heard[1], heard[3], heard[7]])


def accusation(fraud: Fraud, time_ms: int = EPOCH_MS) -> Record:
    """Return a fraud proof by mallory, whom nobody knows."""
    mallory = known_agent("mallory")
    mallory.time_ms = time_ms
    return mallory.write(Draft(Kind.FRAUD, fraud))


@pytest.mark.parametrize("cheat", [slot_twice, wrong_score, lying_reveal])
async def test_what_a_cheat_attests_afterwards_falls(
    court: Court, cheat: Callable[[TestAgent, int], Fraud]
) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    assert await court.rule(carol.post()) == ["ok"]

    fraud = accusation(cheat(bob, EPOCH_MS - MINUTE_MS))
    assert await court.rule(fraud) == ["ok"]

    assert court.agents.state(carol.id) is State.UNVERIFIED
    assert await court.rule(carol.post()) == ["unverified"]
    tree = await court.agents.pedigree(carol.id)
    assert [each.code for each in tree.attested_by] == ["attester-cheated"]
    assert court.restarted().state(carol.id) is State.UNVERIFIED


@pytest.mark.parametrize("cheat", [slot_twice, wrong_score, lying_reveal])
async def test_what_a_cheat_had_attested_before_stands(
    court: Court, cheat: Callable[[TestAgent, int], Fraud]
) -> None:
    bob, carol, frank = (known_agent(name) for name in ("bob", "carol", "frank"))
    court.now_ms = EPOCH_MS + 30 * MINUTE_MS

    fraud = accusation(cheat(bob, EPOCH_MS + MINUTE_MS), EPOCH_MS + 2 * MINUTE_MS)
    later = proof(frank, [bob], EPOCH_MS + 3 * MINUTE_MS)
    assert await court.rule(fraud, frank.records[0], later) == ["ok"] * 3

    assert court.agents.state(carol.id) is State.CHALLENGER
    assert court.agents.state(frank.id) is State.UNVERIFIED


async def test_a_cheat_that_fell_takes_along_who_stood_on_whom_it_attested(
    court: Court,
) -> None:
    bob, carol, dave = (known_agent(name) for name in ("bob", "carol", "dave"))
    await court.rule(dave.records[0], proof(dave, [carol]))
    assert court.agents.state(dave.id) is State.CHALLENGER

    await court.rule(accusation(slot_twice(bob, EPOCH_MS - MINUTE_MS)))

    assert court.agents.state(dave.id) is State.UNVERIFIED
    assert await court.rule(dave.post()) == ["unverified"]


async def test_nobody_is_convicted_by_a_key_that_is_not_its_own(court: Court) -> None:
    """Mallory signs with a key of hers what names bob as its issuer."""
    bob, carol, mallory = (known_agent(name) for name in ("bob", "carol", "mallory"))
    dave = known_agent("dave")
    key = PublicKey(mallory.id)
    framed = [
        Spoken(dave, mallory, ticket_for(dave, [mallory], 1), name=name)
        .attest(issuer=bob.id, key=key)
        .statement
        for name in ("one", "two")
    ]

    assert await court.rule(accusation(Fraud.of("slot", framed))) == ["ok"]

    assert court.agents.state(carol.id) is State.CHALLENGER


async def test_two_proofs_with_one_slot_are_each_good_until_somebody_sees_both(
    court: Court,
) -> None:
    bob, dave, erin = (known_agent(name) for name in ("bob", "dave", "erin"))
    proofs = [proof(each, [bob]) for each in (dave, erin)]
    for each, record in zip((dave, erin), proofs, strict=True):
        assert await court.rule(each.records[0], record) == ["ok", "ok"]
        assert court.agents.state(each.id) is State.CHALLENGER

    both = [prove(each, [bob]).attested[0].statement for each in (dave, erin)]
    assert await court.rule(accusation(Fraud.of("slot", both))) == ["ok"]

    for each in (dave, erin):
        assert court.agents.state(each.id) is State.UNVERIFIED


async def test_an_attestation_from_the_future_helps_nobody(court: Court) -> None:
    bob, dave = known_agent("bob"), known_agent("dave")
    ahead_ms = court.now_ms + 11 * MINUTE_MS
    early = Spoken(dave, bob, ticket_for(dave, [bob], 1), time_ms=ahead_ms)
    claims_now = Proof(ticket_for(dave, [bob], 1), (early.attest(),))
    dave.time_ms = court.now_ms

    codes = await court.rule(dave.records[0], dave.write(Draft(Kind.PROOF, claims_now)))
    assert codes == ["ok", "bad-attestation"]

    dave = known_agent("dave")
    assert await court.rule(proof(dave, [bob], ahead_ms)) == ["from-the-future"]
    assert court.agents.state(dave.id) is State.UNVERIFIED


# A large network, in the view of one who knows all of it

KNOWN = 304
"""One of the row of numbers, so that a reader asks for as much as it ever does."""
NOW_MS = EPOCH_MS + 20 * DAY_MS


def owns(agent: AgentId, key: PublicKey) -> bool:
    return PublicKey(agent) == key


def claim(
    agent: AgentId, issuers: list[AgentId], time_ms: int, size: int, value: bytes
) -> Claim:
    vouches = tuple(
        Vouch(each, PublicKey(each), time_ms, time_ms + LIFE_MS) for each in issuers
    )
    return Claim(RecordId(value), agent, time_ms, value, size, vouches)


@cache
def grown() -> tuple[Census, list[AgentId]]:
    """Return a census in which 304 challengers are of age, and those."""
    rng = random.Random(5)
    me = AgentId(bytes(32))
    census = Census(me, owns, NOW_MS)
    everybody = [AgentId(rng.randbytes(32)) for _ in range(KNOWN - 1)]
    direct, others = everybody[:40], everybody[40:]
    ages = OF_AGE_MS + DAY_MS, DAY_MS
    for agent in direct:
        census.challenge(agent, NOW_MS - 3 * DAY_MS, NOW_MS + DAY_MS)
    claims = [
        claim(agent, rng.sample(direct, 4), NOW_MS - age_ms, KNOWN, rng.randbytes(32))
        for agent in everybody
        for age_ms in ages
    ]
    census.prove(*claims)
    assert census.is_mature
    assert census.challengers == KNOWN
    return census, others


@pytest.mark.slow
@pytest.mark.parametrize("percent", [2, 5, 10, 20, 33])
@pytest.mark.parametrize("times", [1, 2.5, 5])
def test_colluders_let_in_as_many_as_theory_says(
    percent: int, times: float, rng: random.Random
) -> None:
    """Those who attest whatever a ticket of theirs draws them for, answers or not."""
    census, others = grown()
    colluders = others[: KNOWN * percent // 100]
    size, tries = int(KNOWN * times), 1_500
    stranger = AgentId(b"script".ljust(32))

    hits = 0
    for _ in range(tries):
        value = rng.randbytes(32)
        drawn = [each for each in colluders if is_eligible(value, size, each)]
        proved = claim(stranger, drawn[:DRAWN], NOW_MS, size, value)
        hits += census.view.until_ms(proved) is not None

    quorum = quorum_of(KNOWN, size, 4)
    odds = 1 - binomial(quorum - 1, len(colluders), DRAWN / size)
    assert binomial(hits, tries, odds) >= 0.005
    assert 1 - binomial(hits - 1, tries, odds) >= 0.005 if hits else True


def test_whom_colluders_let_in_cannot_let_others_in_before_they_are_of_age() -> None:
    census, others = grown()
    rng = random.Random(6)
    fakes = [AgentId(rng.randbytes(32)) for _ in range(5)]
    for fake in fakes:
        census.prove(claim(fake, others[:4], NOW_MS, KNOWN, rng.randbytes(32)))
    assert all(census.state(fake) is State.VERIFIED for fake in fakes)

    last = AgentId(rng.randbytes(32))
    census.prove(claim(last, fakes[:4], NOW_MS, KNOWN, rng.randbytes(32)))

    assert census.state(last) is State.UNVERIFIED
    codes = {each.code for each in pedigree(census, last).attested_by}
    assert codes == {"attester-too-young"}
    grown.cache_clear()


def test_strangers_who_attest_each_other_for_weeks_move_nothing() -> None:
    census, _ = grown()
    rng = random.Random(7)
    ring = [AgentId(rng.randbytes(32)) for _ in range(40)]
    before, bars = dict(census.agents()), census.bars()

    for age_ms in (10 * DAY_MS, OF_AGE_MS + 1, 1):
        draw = partial(rng.sample, ring)
        census.prove(
            *(
                claim(each, draw(k=4), NOW_MS - age_ms, size, rng.randbytes(32))
                for each in ring
                for size in (1, KNOWN, 10**6)
            )
        )

    assert dict(census.agents()) == before
    assert census.bars() == bars
