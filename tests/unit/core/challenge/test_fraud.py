from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from moltp2p.core.challenge.audit import (
    is_borne_out,
    log_of,
    objection,
    read_session,
    score_of,
)
from moltp2p.core.challenge.fraud import Fraud, check_fraud, parse_fraud
from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.testimony import (
    Attestation,
    Commit,
    Offer,
    Reveal,
    Round,
    Testimony,
)
from moltp2p.core.ids import PublicKey
from moltp2p.testing.factories import EPOCH_MS
from moltp2p.testing.proofs import Spoken, known_agent, nonce_of, tickets
from tests.refusal import code_of

NETWORK = "test-net"
ALICE, BOB = known_agent("alice"), known_agent("bob")
TICKET = next(tickets(ALICE))
SPOKEN = Spoken(ALICE, BOB, TICKET)
SESSIONS = {
    "ticket": SPOKEN,
    "direct": Spoken(ALICE, BOB),
    "spot": Spoken(ALICE, BOB, rounds=1, right=4),
    "six-right": Spoken(ALICE, BOB, TICKET, right=6),
}
PLACES = ("apply", "offer", "accept", "round0", "commit0", "round1", "commit1")


@pytest.mark.parametrize("name", SESSIONS)
def test_an_honest_session_bears_its_attestation_out(name: str) -> None:
    spoken = SESSIONS[name]
    heard, attested = spoken.heard(), spoken.attest()

    session = read_session(heard, NETWORK)

    assert objection(session) is None
    assert score_of(session) == spoken.right
    assert is_borne_out(attested.says, heard, NETWORK)


def test_an_honest_challenger_cannot_be_convicted_of_its_score() -> None:
    fraud = Fraud.of("score", [*SPOKEN.heard(), SPOKEN.attest().statement])

    assert code_of(lambda: check_fraud(fraud, NETWORK)) == "false-fraud"


@pytest.mark.parametrize("place", range(10))
def test_nor_by_leaving_out_what_was_said(place: int) -> None:
    heard = SPOKEN.heard()
    part = [*heard[:place], *heard[place + 1 :]]
    fraud = Fraud.of("score", [*part, SPOKEN.attest().statement])

    assert code_of(lambda: check_fraud(fraud, NETWORK)) == "false-fraud"


LIES: dict[str, dict[str, object]] = {
    "score": {"score": 7},
    "subject": {"subject": known_agent("carol").id},
    "slot": {"slot": 1},
    "epoch": {"epoch": TICKET.epoch + 1},
    "limit": {"limit_ms": 1},
    "tasks": {"tasks": "test/2"},
}


@pytest.mark.parametrize("name", LIES)
def test_whoever_attests_what_the_session_does_not_show_is_convicted(
    name: str,
) -> None:
    lie = SPOKEN.attest(**LIES[name])

    fraud = Fraud.of("score", [*SPOKEN.heard(), lie.statement])

    check_fraud(parse_fraud(fraud.encode()), NETWORK)
    assert fraud.accused == BOB.id
    assert fraud.keys == {PublicKey(BOB.id)}


def test_whoever_attests_a_session_that_was_none_is_convicted() -> None:
    garbage = SPOKEN.heard()[:3]

    attested = SPOKEN.attest(log=log_of(garbage))

    check_fraud(Fraud.of("score", [*garbage, attested.statement]), NETWORK)


def test_evidence_of_another_network_convicts_nobody() -> None:
    lie = SPOKEN.attest(score=7)
    fraud = Fraud.of("score", [*SPOKEN.heard(), lie.statement])

    assert code_of(lambda: check_fraud(fraud, "test-net-2")) == "false-fraud"


def test_a_slot_used_twice_convicts_and_a_second_copy_does_not() -> None:
    one = SPOKEN.attest().statement
    again = SPOKEN.attest(time_ms=EPOCH_MS + 1).statement
    other = dataclasses.replace(SPOKEN, name="two").attest().statement

    check_fraud(Fraud.of("slot", [one, other]), NETWORK)
    same_session = Fraud.of("slot", [one, again])

    assert code_of(lambda: check_fraud(same_session, NETWORK)) == "false-fraud"


def test_evidence_against_two_agents_is_against_none() -> None:
    by_carol = Spoken(ALICE, known_agent("carol"), TICKET).attest().statement

    pair = [SPOKEN.attest().statement, by_carol]

    assert code_of(lambda: Fraud.of("slot", pair)) == "bad-statement"


def test_a_key_of_the_accuser_convicts_itself_and_not_the_accused() -> None:
    """Anybody can sign for bob with a key of their own: whose it is, a chain says."""
    key = known_agent("mallory").id
    mallory = Spoken(ALICE, known_agent("mallory"), TICKET)
    forged = [
        dataclasses.replace(mallory, name=name).attest(issuer=BOB.id, key=key)
        for name in ("one", "two")
    ]

    fraud = Fraud.of("slot", [each.statement for each in forged])

    check_fraud(fraud, NETWORK)
    assert fraud.accused == BOB.id
    assert fraud.keys == {PublicKey(key)}


def said(says: type[Testimony], place: int) -> Testimony:
    return read(SPOKEN.heard()[place], says)


def reveal() -> Reveal:
    return read(SPOKEN.heard()[7], Reveal)


def lies() -> dict[str, Reveal]:
    true = reveal()
    answers = (("lie", *true.answers[0][1:]), true.answers[1])
    return {
        "answers": dataclasses.replace(true, answers=answers),
        "nonce": dataclasses.replace(true, nonce=nonce_of("another")),
        "salt": dataclasses.replace(true, salts=(nonce_of("x"), true.salts[1])),
        "swapped": dataclasses.replace(true, answers=true.answers[::-1]),
        "fewer": Reveal(true.session, true.nonce, (), ()),
    }


@pytest.mark.parametrize("name", ["answers", "nonce", "salt", "swapped"])
def test_a_reveal_that_is_not_what_was_committed_to_convicts(name: str) -> None:
    heard = SPOKEN.heard(reveal=lies()[name])

    check_fraud(Fraud.of("reveal", [heard[1], heard[3], heard[7]]), NETWORK)
    assert objection(read_session(heard, NETWORK)) is not None


def test_parts_of_two_sessions_convict_nobody() -> None:
    one = SPOKEN.heard()
    two = dataclasses.replace(SPOKEN, name="two").heard()

    for mixed in ([one[1], one[3], two[7]], [one[1], two[3], one[7]]):
        fraud = Fraud.of("reveal", mixed)
        assert code_of(partial(check_fraud, fraud, NETWORK)) == "false-fraud"


@pytest.mark.parametrize("place", PLACES)
def test_a_session_with_something_of_another_is_none(place: str) -> None:
    other = dataclasses.replace(SPOKEN, name="two").heard()
    heard = SPOKEN.heard()
    index = PLACES.index(place)

    mixed = [*heard[:index], other[index], *heard[index + 1 :]]

    assert code_of(lambda: read_session(mixed, NETWORK)) == "bad-statement"


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("name", ["ticket", "spot"])
def test_a_session_in_which_one_signature_is_not_good_is_none(
    name: str, place: int
) -> None:
    heard = SESSIONS[name].heard()
    index = min(place, len(heard) - 1)
    heard[index] = dataclasses.replace(heard[index], signature=bytes(64))

    assert code_of(lambda: read_session(heard, NETWORK)) == "bad-statement"


def test_what_is_read_is_what_was_said() -> None:
    heard = SPOKEN.heard()
    kinds = (Offer, Round, Commit, Reveal)

    for says, place in zip(kinds, (1, 3, 4, 7), strict=True):
        assert isinstance(read(heard[place], says), says)
    assert read(SPOKEN.attest().statement, Attestation) == SPOKEN.attest().says
