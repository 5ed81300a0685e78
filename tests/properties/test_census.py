"""Who counts follows from what is known, and not from the order in which it came."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.proto.admission.census import Census
from moltp2p.proto.admission.rules import Claim, Place, Vouch
from moltp2p.proto.admission.view import OF_AGE_MS

DAY_MS = 86_400_000
LIFE_MS = 14 * DAY_MS
NOW_MS = 1_000 * DAY_MS
ME = AgentId(b"me".ljust(32))


def agent(number: int) -> AgentId:
    return AgentId(hashlib.sha256(b"agent %d" % number).digest())


def claim(subject: int, issuers: list[int], time_ms: int, size: int = 1) -> Claim:
    name = b"%d %r %d" % (subject, issuers, time_ms)
    digest = hashlib.sha256(name).digest()
    vouches = tuple(
        Vouch(agent(each), PublicKey(agent(each)), time_ms, time_ms + LIFE_MS)
        for each in issuers
    )
    return Claim(RecordId(digest), agent(subject), time_ms, digest, size, vouches)


@dataclass(frozen=True)
class Challenged:
    subject: int
    time_ms: int


@dataclass(frozen=True)
class Convicted:
    subject: int
    since_ms: int


@dataclass(frozen=True)
class Revoked:
    subject: int
    time_ms: int


Event = Challenged | Claim | Convicted | Revoked


def owns_first_key(who: AgentId, key: PublicKey) -> bool:
    return PublicKey(who) == key


def tell(census: Census, event: Event) -> set[AgentId]:
    match event:
        case Challenged(subject, time_ms):
            return census.challenge(agent(subject), time_ms, time_ms + LIFE_MS)
        case Claim():
            return census.prove(event)
        case Convicted(subject, since_ms):
            return census.convict(agent(subject), since_ms)
        case Revoked(subject, time_ms):
            return census.revoke(agent(subject), time_ms)


def count(events: list[Event], now_ms: int = NOW_MS) -> Census:
    census = Census(ME, owns_first_key, now_ms)
    for event in events:
        before = dict(census.agents())
        moved = tell(census, event)
        after = census.agents()
        changed = {a for a in {*before, *after} if before.get(a) != after.get(a)}
        assert moved == changed
    return census


def network(rng: random.Random, agents: int) -> list[Event]:
    """Return what happened in some network of its last days."""
    everybody = range(agents)
    events: list[Event] = [
        Challenged(subject, NOW_MS - rng.randint(0, 16 * DAY_MS))
        for subject in rng.sample(everybody, max(1, agents // 6))
    ]
    for subject in everybody:
        for _ in range(rng.randint(0, 3)):
            issuers = rng.sample(everybody, rng.randint(1, min(agents, 6)))
            time_ms = NOW_MS - rng.randint(-DAY_MS // 288, 20 * DAY_MS)
            events.append(claim(subject, issuers, time_ms, rng.choice([1, 20, 200])))
    for subject in rng.sample(everybody, agents // 10):
        events.append(Convicted(subject, NOW_MS - rng.randint(0, 14 * DAY_MS)))
        events.append(
            Revoked(rng.choice(everybody), NOW_MS - rng.randint(0, 20 * DAY_MS))
        )
    return events


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_the_order_of_events_does_not_matter(seed: int, agents: int) -> None:
    rng = random.Random(seed)
    events = network(rng, agents)
    in_order = count(events)

    rng.shuffle(events)
    shuffled = count(events)

    assert dict(shuffled.agents()) == dict(in_order.agents())
    assert shuffled.bars() == in_order.bars()


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_time_that_passes_is_as_good_as_having_come_later(
    seed: int, agents: int
) -> None:
    rng = random.Random(seed)
    events = network(rng, agents)
    waited = count(events, NOW_MS - 15 * DAY_MS)
    for days in range(15, -16, -1):
        now_ms = NOW_MS - days * DAY_MS
        waited.advance(now_ms)
        late = count(events, now_ms)
        assert dict(waited.agents()) == dict(late.agents())


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_everybody_is_held_up_by_those_above(seed: int, agents: int) -> None:
    census = count(network(random.Random(seed), agents))

    for who, place in census.agents().items():
        if place.depth == 0:
            continue
        bar = census.bars()[place.depth - 1]
        assert any(
            sum(
                census.view.objection(each, place.depth, proof) is None
                for each in proof.vouches
            )
            >= bar.quorum(proof.time_ms, proof.size)
            and proof.size >= bar.least_size(proof.time_ms)
            for proof in census.claims(who)
        )


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_the_figures_are_what_one_would_count(seed: int, agents: int) -> None:
    census = count(network(random.Random(seed), agents))
    claims, everybody = census.view.claims, [ME, *map(agent, range(agents))]

    told = Counter(
        census.state(who)
        for who in everybody
        if census.claims(who) or census.place(who)
    )
    vouches = sum(len(each.vouches) for who in everybody for each in claims.of(who))

    assert +census.standings() == told
    assert claims.vouches == vouches


def test_strangers_who_attest_each_other_do_not_count() -> None:
    ring: list[Event] = [
        claim(n, [m for m in range(8) if m != n], NOW_MS - DAY_MS) for n in range(8)
    ]

    census = count([*ring, Challenged(100, NOW_MS - DAY_MS)])

    assert set(census.agents()) == {ME, agent(100)}


def test_two_who_held_each_other_up_fall_together() -> None:
    events: list[Event] = [
        Challenged(0, NOW_MS - DAY_MS),
        claim(1, [0], NOW_MS - DAY_MS),
        claim(2, [1], NOW_MS - DAY_MS // 2),
        claim(1, [2], NOW_MS - DAY_MS // 4),
    ]
    census = count(events)
    assert set(census.agents()) == {ME, agent(0), agent(1), agent(2)}

    census.convict(agent(0), 0)

    assert set(census.agents()) == {ME, agent(0)}


def test_who_is_of_age_has_proved_itself_twice_and_long_ago() -> None:
    events: list[Event] = [
        Challenged(0, NOW_MS - 9 * DAY_MS),
        claim(1, [0], NOW_MS - OF_AGE_MS),
        claim(1, [0], NOW_MS - 1),
        claim(2, [0], NOW_MS - OF_AGE_MS),
        claim(3, [0], NOW_MS - OF_AGE_MS + 1),
        claim(3, [0], NOW_MS - 1),
    ]

    census = count(events)

    ages = {n: place.of_age for n in (1, 2, 3) if (place := census.place(agent(n)))}
    assert ages == {1: True, 2: False, 3: False}
    assert agent(3) in census.advance(NOW_MS + 1)
    assert census.place(agent(3)) == Place(1, NOW_MS - OF_AGE_MS + 1, NOW_MS + 1)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 25), st.booleans())
def test_what_is_remembered_of_a_proof_is_what_would_be_found(
    seed: int, agents: int, ever: bool
) -> None:
    census = Census(ME, owns_first_key, NOW_MS, ever=ever)
    for event in network(random.Random(seed), agents):
        tell(census, event)
        for who in map(agent, range(agents)):
            found = [census.view.until_ms(each) for each in census.claims(who)]
            assert census.untils_ms(who) == tuple(filter(None, found))


def test_an_answer_found_while_things_change_is_not_remembered() -> None:
    """As if another thread had asked in the middle of a change."""
    answers: list[tuple[int, ...]] = []

    def owns(who: AgentId, key: PublicKey) -> bool:
        if who == agent(2) and not answers:
            answers.append(())
            answers.append(census.untils_ms(agent(1)))
        return True

    census = Census(ME, owns, NOW_MS)
    census.prove(claim(1, [2], NOW_MS - DAY_MS))
    census.challenge(agent(2), NOW_MS - DAY_MS, NOW_MS + LIFE_MS)
    assert answers == [(), (NOW_MS + LIFE_MS - DAY_MS,)]

    census.revoke(agent(1), NOW_MS)

    assert census.untils_ms(agent(1)) == ()


def test_a_store_that_fails_loses_nobody() -> None:
    fails = [False]

    def owns(who: AgentId, key: PublicKey) -> bool:
        if fails[0]:
            raise LocalError("store-failed", "the disk is gone")
        return True

    census = Census(ME, owns, NOW_MS)
    census.challenge(agent(0), NOW_MS - DAY_MS, NOW_MS + LIFE_MS)
    fails[0] = True
    with pytest.raises(LocalError):
        census.prove(claim(1, [0], NOW_MS - DAY_MS))
    fails[0] = False

    assert census.advance(NOW_MS) == {agent(1)}
