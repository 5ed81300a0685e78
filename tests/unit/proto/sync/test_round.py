"""A round with one peer, from the first comparison to the last: scripted peers."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from moltp2p.core.codec import MAX_INT
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.proto.sync.ledger import (
    UNWANTED_S,
    Ledger,
)
from moltp2p.proto.sync.messages import Window
from moltp2p.proto.sync.round import (
    MAX_HOLLOW,
    Fetch,
    Over,
    Probe,
    Reconcile,
    Round,
    Step,
    Wait,
)
from moltp2p.proto.sync.window import LADDER_MS, within_horizon
from tests.refusal import code_of

BOB, CAROL = PeerId("bob"), PeerId("carol")
NOW_MS = 1_760_000_000_000
HOUR_MS, DAY_MS = LADDER_MS
ALL = Window((0, 1, 2), 0, MAX_INT)


def record(number: int) -> RecordId:
    return RecordId(number.to_bytes(32))


@dataclass
class Peer:
    """Holds records by topic and time, and names some that it does not hold.

    Attributes:
        holds: topic and time of each record.
        hollow: named, and absent when asked for.
        most: records of a window that it compares.
        answers: records in one answer.
    """

    holds: dict[RecordId, tuple[int, int]]
    hollow: Collection[RecordId] = ()
    most: int = 10**9
    answers: int = 10**9
    compared: list[Window] = field(default_factory=list)
    asked: list[RecordId] = field(default_factory=list)

    def within(self, window: Window) -> list[tuple[int, int, RecordId]]:
        self.compared.append(window)
        return sorted(
            (time_ms, topic, each)
            for each, (topic, time_ms) in self.holds.items()
            if topic in window.topics and window.since_ms <= time_ms < window.until_ms
        )


class Us:
    """A node that does what its rounds say.

    Attributes:
        held: what it holds.
        refused: what it would judge and not keep.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.held: set[RecordId] = set()
        self.refused: set[RecordId] = set()
        self.now = 0.0

    def begin(self, peer: PeerId, *, fresh: bool) -> Round:
        return Round(peer, [ALL], self.ledger, fresh=fresh)

    def fetch(self, round_: Round, peer: Peer) -> None:
        """Fetch all there is to fetch."""
        while ids := round_.fetch(8, self.now):
            reached = ids[: peer.answers]
            peer.asked += reached
            absent = [each for each in reached if each in peer.hollow]
            kept = [
                each
                for each in reached
                if each not in self.refused and each not in absent
            ]
            for each in reached:
                if each in kept:
                    self.ledger.settle(each, self.now)
                elif each not in absent:
                    self.ledger.refuse(each, self.now)
            self.held.update(kept)
            round_.left_out(ids[peer.answers :])
            round_.came(reached, absent, len(kept))

    def compare(self, round_: Round, peer: Peer, step: Probe | Reconcile) -> None:
        found = peer.within(step.window)
        need = [(topic, each) for _, topic, each in found if each not in self.held]
        if not need:
            round_.same()
        elif isinstance(step, Probe):
            round_.differs(NOW_MS)
        elif len(found) > peer.most:
            since_ms = found[-peer.most][0]
            window = Window(step.window.topics, since_ms, step.window.until_ms)
            round_.narrower(window, rest=True)
        else:
            round_.lacks(need, self.now)

    def run(self, round_: Round, peer: Peer) -> Over:
        """Do a round to its end."""
        while True:
            self.fetch(round_, peer)
            match step := round_.step():
                case Probe() | Reconcile():
                    self.compare(round_, peer, step)
                case Over():
                    return step
                case Fetch():
                    pass
                case Wait():
                    raise AssertionError("nobody else is fetching")


def spread(count: int, rng: random.Random) -> dict[RecordId, tuple[int, int]]:
    """Return records of the last week, on three topics."""
    week_ms = 7 * DAY_MS
    return {
        record(number): (number % 3, NOW_MS - rng.randrange(week_ms))
        for number in range(1, count + 1)
    }


def test_nothing_new_costs_one_comparison() -> None:
    us, bob = Us(), Peer({record(1): (0, NOW_MS)})
    us.held = {record(1)}

    over = us.run(us.begin(BOB, fresh=True), bob)

    assert over == Over(agreed=True)
    assert bob.compared == [ALL]


def test_whoever_lacks_all_gets_key_chains_first_and_then_what_is_recent(
    rng: random.Random,
) -> None:
    us, bob = Us(), Peer(spread(300, rng))

    over = us.run(us.begin(BOB, fresh=True), bob)

    def turn(each: RecordId) -> tuple[bool, int]:
        topic, time_ms = bob.holds[each]
        return topic != 0, time_ms if topic == 0 else -time_ms

    assert over == Over(agreed=True)
    assert us.held == set(bob.holds)
    assert bob.asked == sorted(bob.asked, key=turn)
    assert len(bob.asked) == 300


def test_whoever_knows_the_peer_compares_all_at_once(rng: random.Random) -> None:
    us, bob = Us(), Peer(spread(30, rng))

    us.run(us.begin(BOB, fresh=False), bob)

    assert bob.compared == [ALL, ALL]
    assert us.held == set(bob.holds)


@pytest.mark.parametrize("most", [1, 7, 40])
def test_a_window_that_is_too_big_is_compared_in_parts(
    rng: random.Random, most: int
) -> None:
    us, bob = Us(), Peer(spread(200, rng), most=most)

    over = us.run(us.begin(BOB, fresh=True), bob)

    assert over == Over(agreed=True)
    assert us.held == set(bob.holds)


def test_a_peer_that_will_compare_nothing_is_left() -> None:
    us, round_ = Us(), Us().begin(BOB, fresh=False)
    assert isinstance(round_.step(), Reconcile)

    round_.narrower(ALL, rest=True)

    assert round_.step() == Over(agreed=False)
    assert us.held == set()


def test_what_a_peer_does_not_keep_is_not_asked_for() -> None:
    round_ = Us().begin(BOB, fresh=False)
    part = Window((1,), 100, MAX_INT)
    round_.step()

    round_.narrower(part, rest=False)
    later = []
    while isinstance(step := round_.step(), Reconcile):
        later.append(step.window)
        round_.same()

    assert later[0] == part
    # But the agents' topic is everybody's.
    assert {each.topics for each in later[1:]} == {(0,)}
    assert step == Over(agreed=True)


def test_a_horizon_does_not_hide_the_agents_topic() -> None:
    us, ours = Us(), within_horizon((0, 1, 2), MAX_INT, 500)
    round_ = Round(BOB, ours, us.ledger, fresh=False)
    steps = [round_.step()]

    # The peer's own horizon is later still.
    round_.narrower(Window((0, 1, 2), 900, MAX_INT), rest=False)
    while not isinstance(steps[-1], Over):
        steps.append(round_.step())
        round_.same()

    compared = [step.window for step in steps if isinstance(step, Reconcile)]
    agents = [each for each in compared if each.topics == (0,)]
    assert compared[1] == Window((0, 1, 2), 900, MAX_INT)
    assert sorted((each.since_ms, each.until_ms) for each in agents) == [
        (0, 500),
        (500, 900),
    ]
    assert len(compared) == 4


def test_what_was_left_out_of_an_answer_is_asked_for_again(
    rng: random.Random,
) -> None:
    us, bob = Us(), Peer(spread(50, rng), answers=3)

    us.run(us.begin(BOB, fresh=False), bob)

    assert us.held == set(bob.holds)
    assert len(bob.asked) == 50


def test_what_is_judged_and_not_kept_is_fetched_once_and_then_left_alone(
    rng: random.Random,
) -> None:
    us, bob = Us(), Peer(spread(50, rng))
    us.refused = {record(number) for number in range(1, 11)}

    first = us.run(us.begin(BOB, fresh=False), bob)
    us.now += UNWANTED_S - 1
    second = us.run(us.begin(CAROL, fresh=False), bob)

    assert first == second == Over(agreed=True)
    assert us.held == set(bob.holds) - us.refused
    assert len(bob.asked) == 50
    us.now += 2
    us.run(us.begin(CAROL, fresh=False), bob)
    assert len(bob.asked) == 60


def test_two_rounds_at_once_fetch_nothing_twice(rng: random.Random) -> None:
    us, bob = Us(), Peer(spread(60, rng))
    rounds = [us.begin(BOB, fresh=False), us.begin(CAROL, fresh=False)]
    for round_ in rounds:
        step = round_.step()
        assert isinstance(step, Reconcile)
        us.compare(round_, bob, step)
    mine = rounds[0].fetch(40, us.now)
    theirs = rounds[1].fetch(60, us.now)
    waiting: Step = rounds[1].step() if not theirs else Wait()

    assert not set(mine) & set(theirs)
    assert len(mine) + len(theirs) == 60
    assert waiting == Wait()


def test_what_another_peer_did_not_bring_is_fetched_after_all(
    rng: random.Random,
) -> None:
    us, bob = Us(), Peer(spread(20, rng))
    rounds = [us.begin(BOB, fresh=False), us.begin(CAROL, fresh=False)]
    for round_ in rounds:
        step = round_.step()
        assert isinstance(step, Reconcile)
        us.compare(round_, bob, step)
    claimed = rounds[0].fetch(20, us.now)
    nothing = rounds[1].fetch(20, us.now)
    waits = rounds[1].step()

    rounds[0].close()  # the peer broke off
    over = us.run(rounds[1], bob)

    assert len(claimed) == 20
    assert (nothing, waits) == ((), Wait())
    assert over == Over(agreed=True)
    assert us.held == set(bob.holds)


def test_a_peer_that_names_what_it_does_not_hold_is_found_out(
    rng: random.Random,
) -> None:
    holds = spread(200, rng)
    us, liar = Us(), Peer(holds, hollow=list(holds)[::2])

    code = code_of(lambda: us.run(us.begin(BOB, fresh=False), liar))

    assert code == "not-held"
    assert len(liar.asked) <= 3 * MAX_HOLLOW


def test_a_few_records_that_a_peer_has_let_go_of_are_no_lie(
    rng: random.Random,
) -> None:
    holds = spread(200, rng)
    us, bob = Us(), Peer(holds, hollow=list(holds)[:20])

    over = us.run(us.begin(BOB, fresh=False), bob)

    assert over == Over(agreed=True)
    assert len(us.held) == 180
    assert len(bob.asked) == 200


def test_a_peer_that_never_has_done_comparing_is_found_out() -> None:
    round_ = Us().begin(BOB, fresh=False)

    def compare_for_ever() -> None:
        while isinstance(step := round_.step(), Reconcile):
            window = step.window
            part = Window(window.topics, window.since_ms + 1, window.until_ms)
            round_.narrower(part, rest=True)

    assert code_of(compare_for_ever) == "no-progress"


def test_how_far_behind_we_are_is_known_as_soon_as_it_is_found(
    rng: random.Random,
) -> None:
    us, bob = Us(), Peer(spread(30, rng))
    round_ = us.begin(BOB, fresh=False)
    step = round_.step()
    assert isinstance(step, Reconcile)
    us.compare(round_, bob, step)

    found = round_.behind
    us.fetch(round_, bob)

    assert found == 30
    assert round_.behind == 0
    assert round_.gained == 30
