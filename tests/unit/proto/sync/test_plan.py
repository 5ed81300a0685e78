"""With whom a round begins, and when: on a clock of our own, with loaded dice."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.sync.plan import (
    AGAIN_S,
    BACKOFF_S,
    HINT_S,
    MAX_KNOWN,
    MAX_ROUNDS,
    MET_S,
    SETTLE_MS,
    Begin,
    Result,
    SyncPlan,
    SyncSettings,
)

BOB, CAROL = PeerId("bob"), PeerId("carol")
AGREED = Result(agreed=True)
DISK_FULL = Result(code="disk-full", is_ours=True)


def plan(rng: random.Random, interval_s: float = 60.0) -> SyncPlan:
    return SyncPlan(SyncSettings(interval_s), rng, now=0.0)


def run_until(plan: SyncPlan, begin: float, end: float) -> list[tuple[float, Begin]]:
    """Let time pass; every round takes no time, and finds nothing."""
    found, now = [], begin
    while now < end:
        for each in plan.due(now):
            found.append((now, each))
            plan.ended(each.peer, AGREED, now)
        # A step further, so that a clock that is behind by a bit cannot stop us.
        now = max(plan.wake_at(), now + 0.001)
    return found


def settled(plan: SyncPlan, *peers: PeerId) -> float:
    """Let peers come, and agree with them; return when that is done."""
    for peer in peers:
        plan.connected(peer, 0.0)
    return run_until(plan, 0.0, 5.0)[-1][0]


def test_a_peer_that_comes_is_compared_with_soon_and_wholly(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    plan_.connected(BOB, 10.0)

    ((when, begin),) = run_until(plan_, 10.0, 20.0)

    assert 10.0 + MET_S[0] <= when <= 10.0 + MET_S[1]
    assert begin == Begin(BOB, fresh=True, lag_ms=0)
    assert begin.until_ms(1_000_000) > 10**18


def test_peers_are_compared_with_by_turns_and_without_what_is_young(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    peers = [PeerId(name) for name in "abcd"]
    settled(plan_, *peers)

    found = run_until(plan_, 5.0, 2_000.0)

    assert {begin.lag_ms for _, begin in found} == {SETTLE_MS}
    turns = [begin.peer for _, begin in found]
    for start in range(len(turns) - 3):
        assert set(turns[start : start + 4]) == set(peers)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(found)]
    assert min(gaps) >= 29
    assert max(gaps) <= 91
    assert len({round(gap) for gap in gaps}) > 5


def test_a_peer_that_comes_back_is_compared_with_wholly(rng: random.Random) -> None:
    plan_ = plan(rng)
    settled(plan_, BOB)
    plan_.disconnected(BOB)

    away = run_until(plan_, 5.0, 400.0)
    plan_.connected(BOB, 400.0)
    ((_, begin), *_) = run_until(plan_, 400.0, 402.0)

    assert away == []
    assert begin.fresh


def test_only_so_many_rounds_run_at_once(rng: random.Random) -> None:
    plan_ = plan(rng)
    for number in range(10):
        plan_.connected(PeerId(str(number)), 0.0)

    first = plan_.due(2.0)
    others = plan_.due(2.0)
    resting_until = plan_.wake_at()
    plan_.ended(first[0].peer, AGREED, 2.0)
    next_one = plan_.due(2.0)

    assert len(first) == MAX_ROUNDS
    assert others == []
    assert resting_until == math.inf
    assert len(next_one) == 1


def test_what_gossip_lost_makes_others_compare_soon(rng: random.Random) -> None:
    plan_ = plan(rng)
    begun = settled(plan_, BOB, CAROL)
    plan_.asked_for(begun + 10)
    for each in plan_.due(begun + 10):
        plan_.ended(each.peer, AGREED, begun + 10)
    plan_.differed(BOB, begun + 20)
    (begin,) = plan_.due(begun + 20 + HINT_S[1])

    now = begun + 22
    plan_.ended(BOB, Result(agreed=True, gained=3, is_news=True), now)
    found = run_until(plan_, now, now + AGAIN_S + 1)

    assert begin == Begin(BOB, fresh=False, lag_ms=SETTLE_MS)
    assert [each.peer for _, each in found] == [CAROL, BOB]
    assert found[0][0] <= now + HINT_S[1]
    # What was too young for the first round is looked at when it has settled.
    assert found[1][0] >= now + AGAIN_S


def test_what_is_merely_young_makes_nobody_compare(rng: random.Random) -> None:
    plan_ = plan(rng)
    now = settled(plan_, BOB, CAROL) + 10
    plan_.differed(BOB, now)
    (begin,) = plan_.due(now + HINT_S[1])
    plan_.ended(begin.peer, Result(agreed=True, gained=3), now + 2)

    found = run_until(plan_, now + 2, now + 7)

    assert found == []


def test_a_peer_that_fails_is_left_alone_longer_and_longer(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    plan_.connected(BOB, 0.0)
    now, waits = 1.0, []
    for _ in range(14):
        (begin,) = plan_.due(now)
        plan_.ended(begin.peer, Result(code="too-slow", behind=7), now)
        plan_.differed(BOB, now)  # which is no reason to try before
        waits.append(plan_.peers()[BOB].due_at - now)
        now = plan_.peers()[BOB].due_at

    first_s, most_s = BACKOFF_S
    assert first_s / 2 <= waits[0] <= first_s
    assert all(wait <= most_s for wait in waits)
    assert waits[-1] >= most_s / 2
    assert plan_.peers()[BOB].behind == 7
    assert plan_.willing() == []


def test_a_failure_is_forgiven_by_a_round_that_does_not_fail(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    plan_.connected(BOB, 0.0)
    plan_.due(1.0)
    plan_.ended(BOB, Result(code="too-slow"), 1.0)

    run_until(plan_, 1.0, 20.0)

    assert plan_.willing() == [BOB]
    assert plan_.peers()[BOB].code == ""


def test_who_does_not_speak_the_protocol_is_not_asked_again_until_it_returns(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    plan_.connected(BOB, 0.0)
    plan_.due(1.0)
    plan_.ended(BOB, Result(code="protocol-unsupported"), 1.0)

    while_there = run_until(plan_, 1.0, 4_000.0)
    wanted = plan_.asked_for(4_000.0)
    plan_.disconnected(BOB)
    plan_.connected(BOB, 4_001.0)

    assert while_there == []
    assert wanted == set()
    assert len(run_until(plan_, 4_001.0, 4_003.0)) == 1


def test_who_is_asked_to_compares_at_once_with_all_even_those_that_failed(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    plan_.connected(BOB, 0.0)
    plan_.connected(CAROL, 0.0)
    for begin in plan_.due(2.0):
        plan_.ended(begin.peer, Result(code="too-slow"), 2.0)

    wanted = plan_.asked_for(3.0)
    begun = plan_.due(3.0)

    assert wanted == {BOB, CAROL}
    assert {begin.peer for begin in begun} == {BOB, CAROL}
    assert {begin.lag_ms for begin in begun} == {0}
    assert all(each.urgent for each in plan_.peers().values())


def test_switched_off_nothing_begins_by_itself(rng: random.Random) -> None:
    plan_ = plan(rng, interval_s=0)
    plan_.connected(BOB, 0.0)
    plan_.differed(BOB, 1.0)

    by_itself = plan_.due(10_000.0)
    plan_.asked_for(10_000.0)
    begun = plan_.due(10_000.0)
    plan_.ended(BOB, Result(gained=5, is_news=True), 10_001.0)

    assert by_itself == []
    assert [begin.peer for begin in begun] == [BOB]
    assert plan_.due(20_000.0) == []
    assert plan_.wake_at() == math.inf


def test_when_we_last_agreed_outlives_a_connection_but_not_any_number_of_peers(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    agreed = settled(plan_, BOB)
    plan_.disconnected(BOB)
    plan_.connected(BOB, 100.0)
    remembered = plan_.peers()[BOB].agreed_at
    plan_.disconnected(BOB)

    for number in range(MAX_KNOWN + 10):
        plan_.connected(PeerId(str(number)), 200.0)
        plan_.disconnected(PeerId(str(number)))
    plan_.connected(BOB, 300.0)

    assert remembered == agreed
    assert plan_.peers()[BOB].agreed_at is None


@pytest.mark.parametrize("seed", range(5))
def test_no_history_stops_the_plan_or_runs_too_many(  # noqa: C901 - one arm an event
    seed: int,
) -> None:
    dice = random.Random(seed)
    plan_ = plan(random.Random(seed))
    peers = [PeerId(str(number)) for number in range(8)]
    running: list[PeerId] = []
    now = 0.0
    for _ in range(2_000):
        now += dice.expovariate(1.0)
        peer = dice.choice(peers)
        match dice.randrange(6):
            case 0:
                plan_.connected(peer, now)
            case 1:
                plan_.disconnected(peer)
            case 2:
                plan_.differed(peer, now)
            case 3 if running:
                code = dice.choice(("", "", "too-slow"))
                gained = dice.randrange(2)
                result = Result(code, not code, gained, bool(gained))
                plan_.ended(running.pop(), result, now)
            case 4 if dice.random() < 0.1:
                plan_.asked_for(now)
        running += [begin.peer for begin in plan_.due(now)]
        assert len(running) <= MAX_ROUNDS
        assert len(set(running)) == len(running)
    for peer in running:
        plan_.ended(peer, AGREED, now)
    for peer in peers:
        plan_.connected(peer, now)

    found = run_until(plan_, now, now + 4_000.0)

    assert {begin.peer for _, begin in found} == set(peers)


def test_what_we_cannot_write_is_no_reason_to_wait_longer_for_a_peer(
    rng: random.Random,
) -> None:
    plan_ = plan(rng)
    plan_.connected(BOB, 0.0)
    now = MET_S[1]
    for _ in range(20):
        (begin,) = plan_.due(now)
        plan_.ended(begin.peer, DISK_FULL, now)
        now += AGAIN_S

    assert plan_.willing() == [BOB]
    assert plan_.peers()[BOB].code == "disk-full"
