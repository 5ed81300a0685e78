"""What is missing is asked for: of few, not too often, and never without end."""

from __future__ import annotations

import random

from moltp2p.core.ids import AgentId, PeerId, RecordId
from moltp2p.proto.sync.fetch import AskChain, AskRecords, AskSequence
from moltp2p.proto.sync.wants import (
    GRACE_S,
    MAX_REMEMBERED,
    MAX_TRIES,
    MAX_WANTS,
    REPEAT_S,
    WANT_RATE,
    Errand,
    Wants,
)

BOB, CAROL, DAVE = PeerId("bob"), PeerId("carol"), PeerId("dave")
CHAIN = AskChain(AgentId(bytes(32)))


def chain(number: int) -> AskChain:
    return AskChain(AgentId(number.to_bytes(32)))


def test_who_brought_the_clue_is_asked_first(rng: random.Random) -> None:
    wants = Wants(rng)
    wants.add(CHAIN, DAVE, 0.0)

    errand = wants.next([BOB, CAROL, DAVE], 0.0)

    assert errand == Errand(DAVE, CHAIN)


def test_the_same_is_wanted_once(rng: random.Random) -> None:
    wants = Wants(rng)

    added = [wants.add(CHAIN, peer, 0.0) for peer in (BOB, BOB, CAROL)]
    first = wants.next([BOB], 0.0)

    assert added == [True, False, False]
    assert first is not None
    assert wants.next([BOB], 0.0) is None


def test_others_are_asked_when_the_first_has_nothing_but_only_a_few(
    rng: random.Random,
) -> None:
    wants = Wants(rng)
    peers = [PeerId(str(number)) for number in range(10)]
    wants.add(CHAIN, peers[4], 0.0)

    asked = []
    while errand := wants.next(peers, 0.0):
        asked.append(errand.peer)
        wants.done(errand, satisfied=False, now=0.0)

    assert asked[0] == peers[4]
    assert len(set(asked)) == len(asked) == MAX_TRIES
    assert len(wants) == 0


def test_what_came_is_wanted_no_more_and_not_again_at_once(
    rng: random.Random,
) -> None:
    wants = Wants(rng)
    wants.add(CHAIN, BOB, 0.0)
    errand = wants.next([BOB, CAROL], 0.0)
    assert errand is not None

    wants.done(errand, satisfied=True, now=1.0)

    assert wants.next([BOB, CAROL], 1.0) is None
    assert not wants.add(CHAIN, BOB, 0.9 + REPEAT_S)
    assert wants.add(CHAIN, BOB, 1.0 + REPEAT_S)


def test_what_is_wanted_while_nobody_is_there_waits(rng: random.Random) -> None:
    wants = Wants(rng)
    wants.add(CHAIN, BOB, 0.0)

    assert wants.next([], 0.0) is None
    assert wants.next([CAROL], 5.0) == Errand(CAROL, CHAIN)


def test_what_may_be_on_its_way_gets_a_moment_of_grace(rng: random.Random) -> None:
    wants = Wants(rng)
    gap, before = AskSequence(AgentId(bytes(32)), 3, 4), RecordId(bytes(32))
    wants.add(gap, BOB, 10.0, unless=before)

    at_once = wants.next([BOB], 10.0)
    look_at = wants.wake_at()

    assert at_once is None
    assert look_at == 10.0 + GRACE_S
    assert wants.next([BOB], look_at) == Errand(BOB, gap, before)


def test_one_peer_cannot_make_us_ask_for_ever(rng: random.Random) -> None:
    wants = Wants(rng)

    added = sum(wants.add(chain(number), BOB, 0.0) for number in range(1_000))

    assert added == WANT_RATE.burst
    assert wants.dropped == 1_000 - added
    assert wants.add(chain(2_000), CAROL, 0.0)


def test_there_is_an_end_to_what_is_wanted_and_remembered(
    rng: random.Random,
) -> None:
    wants = Wants(rng)
    for number in range(MAX_WANTS + 5):
        wants.add(chain(number), None, 0.0)
    full, dropped = len(wants), wants.dropped

    for number in range(MAX_REMEMBERED + 100):
        ask = AskRecords((RecordId(number.to_bytes(32)),))
        wants.add(ask, None, 0.0)
        if errand := wants.next([BOB], 0.0):
            wants.done(errand, satisfied=True, now=0.0)

    assert (full, dropped) == (MAX_WANTS, 5)
    assert len(wants._tried) == MAX_REMEMBERED
