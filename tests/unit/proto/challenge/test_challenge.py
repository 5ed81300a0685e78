"""Both machines, as long as both are honest or merely slow, silent or clumsy."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from moltp2p.core.challenge.audit import is_borne_out
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import SLOTS
from moltp2p.core.codec import encode
from moltp2p.core.ids import PublicKey
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    ChallengeEvent,
    Closed,
    Done,
    Failed,
    Hashed,
    Passed,
    Received,
    Send,
    TimedOut,
)
from moltp2p.proto.challenge.machine import Machine, Moment
from moltp2p.proto.challenge.messages import (
    FIRST_WAIT_S,
    OFFER_WAIT_S,
    WAIT_S,
    Fail,
    Refuse,
    decode_message,
    encode_message,
    limit_ms,
)
from moltp2p.testing.challenging import NETWORK, Between, Duet, Pair
from moltp2p.testing.toy_tasks import solve_toy
from tests.refusal import code_of

NOW = 1_000.0


def failure(machine: Machine, event: ChallengeEvent, now: float = NOW) -> Failed:
    """Return how a machine ends by this event."""
    done = machine.handle(event, now)[-1]
    assert isinstance(done, Done)
    assert isinstance(done.outcome, Failed)
    return done.outcome


@pytest.mark.parametrize("rounds", [None, 1, 2])
def test_an_agent_that_answers_is_attested(rounds: int | None) -> None:
    pair = Pair()

    duet = (pair.duet() if rounds is None else pair.check(rounds)).run()

    assert isinstance(duet.subject_end, Passed)
    assert isinstance(duet.issuer_end, Passed)
    assert duet.subject_end.attested == duet.issuer_end.attested == duet.kept[0]
    says = duet.subject_end.attested.says
    assert (says.subject, says.issuer) == (pair.subject.id, pair.issuer.id)
    assert says.score == 4 * (rounds or 2)
    assert says.took_ms == pytest.approx((rounds or 2) * 5_100)
    assert says.rounds == rounds
    assert (says.ticket is None) == (rounds is not None)


def test_the_attestation_is_kept_before_it_is_sent() -> None:
    duet = Pair().duet().run()

    last = [turn for turn in duet.turns if turn.machine is duet.issuer][-1]
    names = [type(action).__name__ for action in last.actions]

    assert names == ["Keep", "Send", "Done"]


@pytest.mark.parametrize(("right", "has_passed"), [(5, False), (6, True), (8, True)])
def test_six_of_eight_pass(right: int, has_passed: bool) -> None:
    asked = iter(range(8))

    def solve(text: str) -> str:
        return solve_toy(text) if next(asked) < right else "wrong"

    duet = Pair().duet(Between(solve=solve)).run()

    assert isinstance(duet.subject_end, Passed) == has_passed
    if isinstance(duet.issuer_end, Passed):
        assert duet.issuer_end.attested.says.score == right
    elif isinstance(duet.subject_end, Failed):
        assert duet.subject_end.code == "not-passed"


def test_nobody_signs_that_somebody_failed() -> None:
    duet = Pair().duet(Between(solve=lambda _: "wrong")).run()

    last = decode_message(duet.frames()[-1])

    assert last == Fail(0)
    assert duet.kept == []


@pytest.mark.parametrize("answer", [None, "", "two words", "a" * 33, "\xe9", "a\n"])
def test_an_answer_of_another_form_is_never_committed_to(answer: str | None) -> None:
    asked = iter(range(8))

    def solve(text: str) -> str | None:
        return answer if next(asked) == 0 else solve_toy(text)

    duet = Pair().duet(Between(solve=solve)).run()

    assert isinstance(duet.subject_end, Passed)
    assert duet.subject_end.attested.says.score == 7


def test_both_sign_with_the_keys_they_have_rotated_to() -> None:
    pair = Pair()
    for agent in (pair.subject, pair.issuer):
        agent.rotate()
    keys = {
        (agent.id, PublicKey(agent.author.signer.public))
        for agent in (pair.subject, pair.issuer)
    }
    pair = dataclasses.replace(pair, reigns=lambda *names: names in keys)

    duet = pair.duet().run()

    assert isinstance(duet.subject_end, Passed)
    assert duet.subject_end.attested.says.key == pair.issuer.author.signer.public


def test_a_key_that_is_not_known_for_the_agent_is_refused() -> None:
    pair = Pair()
    pair.subject.rotate()

    duet = pair.duet().run()

    for end in (duet.issuer_end, duet.subject_end):
        assert isinstance(end, Failed)
        assert end.code == "wrong-party"


def stopped_after(frames: int) -> tuple[Duet, Machine]:
    """Return a session in which so many frames arrived, and who waits then."""
    whole = Pair().duet().run()
    fresh = Pair().duet()
    machines = {id(whole.subject): fresh.subject, id(whole.issuer): fresh.issuer}
    seen = 0
    for turn in whole.turns:
        machine = machines[id(turn.machine)]
        if isinstance(turn.event, Received):
            if seen == frames:
                return fresh, machine
            seen += 1
        machine.handle(turn.event, turn.now)
    raise AssertionError(frames)


FRAMES = range(10)


@pytest.mark.parametrize("frames", FRAMES)
def test_whoever_waits_in_vain_gives_up_in_time(frames: int) -> None:
    _, machine = stopped_after(frames)
    longest = max(FIRST_WAIT_S, OFFER_WAIT_S, WAIT_S, 30.0)
    last = NOW + 60

    failed = failure(machine, TimedOut(), machine.deadline)

    assert failed.code in {"too-slow", "too-late"}
    assert machine.deadline <= last + longest


@pytest.mark.parametrize("frames", FRAMES)
def test_a_stream_that_ends_ends_the_session(frames: int) -> None:
    _, machine = stopped_after(frames)

    actions = machine.handle(Closed(), NOW)

    assert [type(each) for each in actions] == [Done]


@pytest.mark.parametrize("frames", FRAMES)
def test_a_refusal_is_not_answered(frames: int) -> None:
    _, machine = stopped_after(frames)

    actions = machine.handle(Received(encode_message(Refuse("busy"))), NOW)

    done = actions[0]
    assert isinstance(done, Done)
    assert isinstance(done.outcome, Failed)
    assert done.outcome.code == "busy"


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize(
    "garbage",
    [b"\xff", encode([]), encode(["apply", {}]), encode(["offer", b"", bytes(64)])],
)
def test_garbage_ends_the_session_with_a_code(frames: int, garbage: bytes) -> None:
    _, machine = stopped_after(frames)

    actions = machine.handle(Received(garbage), NOW)

    assert isinstance(actions[0], Send)
    assert isinstance(decode_message(actions[0].payload), Refuse)
    assert isinstance(actions[1], Done)
    assert machine.handle(Received(garbage), NOW) == ()


@pytest.mark.parametrize("event", [Hashed(bytes(32)), Answered(("a",) * 4)])
def test_what_nobody_waits_for_ends_the_session(event: ChallengeEvent) -> None:
    _, machine = stopped_after(2)

    assert failure(machine, event).code == "bad-statement"


def test_a_slot_is_free_again_when_nothing_was_signed() -> None:
    pair = Pair()
    epoch = pair.ticket.epoch
    pair.duet(Between(solve=lambda _: "wrong")).run()

    assert pair.desk.slots_left(epoch) == SLOTS


def test_a_slot_is_free_again_when_the_node_stops() -> None:
    pair = Pair()
    machine = pair.challenging()
    for turn in Pair().duet().run().turns[:2]:
        machine.handle(turn.event, turn.now)
    assert pair.desk.slots_left(pair.ticket.epoch) == SLOTS - 1

    machine.close()

    assert pair.desk.slots_left(pair.ticket.epoch) == SLOTS
    assert machine.handle(Closed(), NOW) == ()


def test_a_slot_that_was_signed_for_stays_used() -> None:
    pair = Pair()

    duet = pair.duet().run()

    assert isinstance(duet.issuer_end, Passed)
    assert pair.desk.slots_left(pair.ticket.epoch) == SLOTS - 1
    heard = [turn.event for turn in duet.turns if isinstance(turn.event, Received)]
    assert len(heard) == 10


def test_an_agent_that_does_not_want_to_be_checked_says_so() -> None:
    pair = Pair()

    duet = pair.check(1, is_welcome=False).run()

    assert isinstance(duet.issuer_end, Failed)
    assert duet.issuer_end.code == "declined"


def test_a_later_round_shows_the_first_text_again() -> None:
    duet = Pair().duet().run()

    asked = [each for turn in duet.turns for each in turn.actions]
    asks = [each for each in asked if isinstance(each, Ask)]

    assert [each.reminder for each in asks] == [(), asks[0].texts[:1]]


def test_time_goes_on_as_the_steady_clock_says() -> None:
    assert Moment(10.0, 5_000).at(12.5) == 7_500


@pytest.mark.parametrize(
    ("texts", "trip_ms", "limit"),
    [
        (["Say it."] * 4, 900, 30_000),
        (["word " * 80] * 4, 0, 41_600),
        (["word " * 80] * 4, 900, 42_500),
        (["word " * 80] * 4, 60_000, 42_600),
        (["a " * 600] * 4, 0, 312_000),
    ],
)
def test_limits(texts: list[str], trip_ms: int, limit: int) -> None:
    assert limit_ms(texts, trip_ms) == limit


def test_a_message_is_read_as_it_was_written() -> None:
    for message in (Refuse("busy"), Fail(5)):
        assert decode_message(encode_message(message)) == message
    for value in (["refuse", {"code": "NO"}], ["fail", {"score": 9}], ["fail", {}]):
        assert code_of(partial(decode_message, encode(value))) == "bad-statement"


def test_what_was_heard_bears_the_attestation_out_for_anybody() -> None:
    duet = Pair().duet().run()
    assert isinstance(duet.subject_end, Passed)
    heard = map(decode_message, duet.frames()[:-1])

    statements = [each for each in heard if isinstance(each, Statement)]

    assert is_borne_out(duet.subject_end.attested.says, statements, NETWORK)
