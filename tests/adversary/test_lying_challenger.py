"""A challenger that lies: what it signed convicts it, or the session ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.challenge.fraud import Fraud, check_fraud
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import (
    Apply,
    Attestation,
    Check,
    Commit,
    Offer,
    Open,
    Reveal,
    Round,
    Testimony,
)
from moltp2p.core.codec import decode
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Kind
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.proto.challenge.challenger import Host, Invite, challenger
from moltp2p.proto.challenge.desk import Desk
from moltp2p.proto.challenge.events import Passed, Received
from moltp2p.proto.challenge.evidence import shows_wrong_world
from moltp2p.testing.challenging import (
    FREE,
    NETWORK,
    Between,
    Duet,
    Pair,
    party,
    visitor,
)
from moltp2p.testing.factories import EPOCH_MS, signer
from moltp2p.testing.proofs import known_agent, peer_of
from moltp2p.testing.toy_tasks import ToyTasks, word_toy
from scripts.vectors.proof_sessions import restated, word_of_frame
from tests.adversary.sessions import BEGUN, NOW, RECORDED, code, ended, failed, opened
from tests.facts import facts


class OtherWorlds(ToyTasks):
    """Tasks of a challenger that would rather choose them itself."""

    def batch(self, seed: bytes, round_: int, count: int) -> list[str]:
        return super().batch(b"always the same", round_, count)


class OtherVersion(OtherWorlds):
    version = "test/2"


class OtherAnswers(ToyTasks):
    """Tasks of a challenger that knows other answers."""

    def answers(self, worlds: Sequence[str]) -> list[str]:
        return ["secret"] * len(worlds)


def lying(tasks: ToyTasks, words: Callable[[str], str] = word_toy) -> Duet:
    pair = Pair()
    bob = dataclasses.replace(party(pair.issuer), tasks=tasks)
    host = Host(bob, words, pair.desk)
    issuer = challenger(host, visitor(pair.subject), BEGUN)
    return Duet(pair.applying(), issuer)


def test_a_challenger_that_chooses_the_tasks_is_found_out() -> None:
    duet = lying(OtherWorlds()).run()

    end = failed(duet.subject_end)

    assert end.code == "wrong-world"
    assert opened(duet) == []
    assert duet.kept == []
    assert shows_wrong_world(end.heard, NETWORK, ToyTasks())


def test_nobody_can_be_shown_a_wrong_world_that_was_right() -> None:
    statements = [Statement.from_value(decode(each)) for each in RECORDED[:-1]]
    unsigned = dataclasses.replace(statements[3], signature=bytes(64))

    assert not shows_wrong_world(statements, NETWORK, ToyTasks())
    assert shows_wrong_world(statements, NETWORK, OtherWorlds())
    assert not shows_wrong_world(statements, NETWORK, OtherVersion())
    assert not shows_wrong_world(
        [*statements[:3], unsigned, *statements[4:]], NETWORK, OtherWorlds()
    )


def test_a_challenger_that_knows_other_answers_is_found_out() -> None:
    duet = lying(OtherAnswers()).run()

    assert code(duet.subject_end) == "wrong-world"
    assert opened(duet) == []


def changed(says: type[Testimony], name: str, **fields: object) -> Between:
    """Return a wire on which one party says something else, and signs it well."""

    def change(said: Testimony) -> Testimony:
        return dataclasses.replace(said, **fields)  # type: ignore[arg-type]

    tamper = restated(says, change, signer(name))
    is_up = name == "alice"
    return Between(to_issuer=tamper) if is_up else Between(to_subject=tamper)


ODD_WORDS: dict[str, tuple[Between, str]] = {
    "too-little-time": (changed(Round, "bob", limit_ms=29_999), "unfair-limit"),
    "rounds-out-of-order": (changed(Round, "bob", number=1), "bad-statement"),
    "an-offer-without-a-slot": (changed(Offer, "bob", slot=None), "bad-statement"),
    "tasks-of-another-kind": (changed(Offer, "bob", tasks="mw/9"), "unknown-tasks"),
    "half-a-reveal": (
        changed(Reveal, "bob", salts=(bytes(16),), answers=(("a",) * 4,)),
        "bad-statement",
    ),
    "answers-out-of-order": (changed(Commit, "alice", number=1), "bad-statement"),
    "half-an-opening": (
        changed(Open, "alice", salts=((None,) * 4,)),
        "bad-statement",
    ),
    "no-tasks-in-common": (changed(Apply, "alice", tasks=("mw/9",)), "unknown-tasks"),
    "an-answer-to-no-check": (
        changed(Apply, "alice", ticket=None, check=bytes(32)),
        "wrong-party",
    ),
}


@pytest.mark.parametrize("name", ODD_WORDS)
def test_what_is_signed_and_out_of_place_ends_the_session(name: str) -> None:
    between, expected = ODD_WORDS[name]

    duet = Pair().duet(between).run()

    assert code(duet.subject_end) == code(duet.issuer_end) == expected
    assert duet.kept == []
    if name == "answers-out-of-order":
        assert "reveal" not in map(word_of_frame, duet.frames())


def test_a_ticket_is_no_answer_to_a_check() -> None:
    pair = Pair()
    asked = pair.challenging(invite=Invite(pair.subject.id, 2))

    actions = asked.handle(Received(RECORDED[0]), NOW)

    assert ended(actions) == "wrong-party"


@pytest.mark.parametrize("field", ["subject", "to", "peer", "issuer"])
def test_a_check_of_or_by_somebody_else_is_not_answered(field: str) -> None:
    other = known_agent("mallory").id if field in {"subject", "issuer"} else None
    value = other or peer_of("mallory")

    duet = Pair().check(2, changed(Check, "bob", **{field: value})).run()

    expected = "bad-statement" if field == "issuer" else "wrong-party"
    assert code(duet.subject_end) == expected
    assert [*map(word_of_frame, duet.frames())] == ["check", "refuse"]


def test_an_answer_to_another_check_is_none_to_this_one() -> None:
    changed_nonce = changed(Check, "bob", nonce=bytes(16))

    duet = Pair().check(1, changed_nonce).run()

    assert code(duet.issuer_end) == "wrong-party"


def test_a_text_that_was_swapped_is_found_out() -> None:
    duet = lying(ToyTasks(), lambda _: "Say abcdefabcdef.").run()

    assert code(duet.subject_end) == "wrong-world"
    assert opened(duet) == []


def other_answers(said: Testimony) -> Testimony:
    assert isinstance(said, Reveal)
    return dataclasses.replace(said, answers=said.answers[::-1])


def other_nonce(said: Testimony) -> Testimony:
    assert isinstance(said, Reveal)
    return dataclasses.replace(said, nonce=bytes(16))


@pytest.mark.parametrize("lie", [other_answers, other_nonce])
def test_a_lying_reveal_convicts_whoever_signed_it(
    lie: Callable[[Testimony], Testimony],
) -> None:
    by_bob = restated(Reveal, lie, signer("bob"))
    duet = Pair().duet(Between(to_subject=by_bob)).run()

    fraud = failed(duet.subject_end).fraud

    assert code(duet.subject_end) == "reveal-mismatch"
    assert opened(duet) == []
    assert fraud is not None
    check_fraud(fraud, NETWORK)
    record = known_agent("alice").write(Draft(Kind.FRAUD, fraud))
    bench = Bench(NetworkParams(NETWORK), record.header.time_ms, Road.SYNC)
    assert judge(record.wire(), bench, facts()).code == "ok"


@pytest.mark.parametrize("score", [6, 7])
def test_an_attestation_of_another_score_convicts_whoever_signed_it(
    score: int,
) -> None:
    def less(said: Testimony) -> Testimony:
        assert isinstance(said, Attestation)
        return dataclasses.replace(said, score=score)

    by_bob = restated(Attestation, less, signer("bob"))
    duet = Pair().duet(Between(to_subject=by_bob)).run()

    fraud = failed(duet.subject_end).fraud

    assert code(duet.subject_end) == "bad-attestation"
    assert fraud is not None
    assert fraud.accused == AgentId(signer("bob").public)
    check_fraud(fraud, NETWORK)


def test_an_attestation_in_somebody_elses_name_accuses_nobody() -> None:
    def frame(said: Testimony) -> Testimony:
        assert isinstance(said, Attestation)
        return dataclasses.replace(said, issuer=known_agent("mallory").id)

    by_bob = restated(Attestation, frame, signer("bob"))
    duet = Pair().duet(Between(to_subject=by_bob)).run()

    assert code(duet.subject_end) == "bad-attestation"
    assert failed(duet.subject_end).fraud is None


STEALTHY: dict[str, dict[str, object]] = {
    "old": {"time_ms": EPOCH_MS - 86_400_000},
    "dated-ahead": {"time_ms": EPOCH_MS + 86_400_000},
    "another-log": {"log": bytes(32)},
    "another-ticket": {"ticket": bytes(32)},
    "another-subject": {"subject": known_agent("mallory").id},
}


@pytest.mark.parametrize("name", STEALTHY)
def test_an_attestation_that_would_be_worth_nothing_is_refused(name: str) -> None:
    def change(said: Testimony) -> Testimony:
        assert isinstance(said, Attestation)
        return dataclasses.replace(said, **STEALTHY[name])  # type: ignore[arg-type]

    by_bob = restated(Attestation, change, signer("bob"))
    duet = Pair().duet(Between(to_subject=by_bob)).run()

    assert code(duet.subject_end) == "bad-attestation"


def test_a_challenger_that_uses_a_slot_twice_is_convicted() -> None:
    ends = [
        dataclasses.replace(Pair(), subject=known_agent(name), desk=Desk(FREE))
        .duet()
        .run()
        .subject_end
        for name in ("alice", "carol")
    ]
    pair = [end.attested.statement for end in ends if isinstance(end, Passed)]

    fraud = Fraud.of("slot", pair)

    check_fraud(fraud, NETWORK)
    assert fraud.accused == Pair().issuer.id
