"""What must hold of every statement, and of every record of kinds 6 to 10."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.challenge.attested import Availability
from moltp2p.core.challenge.fraud import Fraud
from moltp2p.core.challenge.spelling import LAYOUTS, read, word_of, write
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import (
    Accept,
    Attestation,
    Commit,
    Round,
    Testimony,
)
from moltp2p.core.kinds import Body, Kind, encode_body, parse_body
from moltp2p.core.record import Header, seal
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.testing.factories import EPOCH_MS, signer
from moltp2p.testing.proofs import Spoken, known_agent, peer_of, prove, tickets
from tests.facts import facts
from tests.refusal import code_of
from tests.strategies import NETWORK, damaged, digests

ALICE, BOB = known_agent("alice"), known_agent("bob")
SPOKEN = Spoken(ALICE, BOB, next(tickets(ALICE)))
TWICE = [
    dataclasses.replace(SPOKEN, name=name).attest().statement for name in ("1", "2")
]
LIE = SPOKEN.attest(score=6).statement
BODIES: Final[dict[Kind, list[Body]]] = {
    Kind.ATTESTATION: [SPOKEN.attest(), Spoken(ALICE, BOB).attest()],
    Kind.PROOF: [prove(ALICE, [BOB]), prove(ALICE, [BOB, known_agent("carol")], 8)],
    Kind.FRAUD: [
        Fraud.of("slot", TWICE),
        Fraud.of("score", [*SPOKEN.heard(), LIE]),
    ],
    Kind.AVAILABILITY: [Availability(1, 4, peer_of("bob"), ("test/1",))],
}
STATEMENTS = [*SPOKEN.heard(), LIE]
UNREADABLE = {"bad-statement", "malformed", "not-canonical"}
FALSE = UNREADABLE | {
    *("bad-body", "bad-attestation", "bad-ticket", "not-eligible", "false-fraud"),
    *("too-large", "body-mismatch"),
}
AUTHORS = {Kind.ATTESTATION: "bob", Kind.PROOF: "alice"}

kinds = st.sampled_from(sorted(BODIES))
nonces = st.binary(min_size=16, max_size=16)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)
ms = st.integers(0, 600_000)
testimonies: st.SearchStrategy[Testimony] = (
    st.builds(Accept, digests, nonces)
    | st.builds(
        Round,
        digests,
        st.integers(0, 1),
        st.tuples(texts, texts, texts, texts),
        digests,
        st.integers(1, 600_000),
    )
    | st.builds(
        Commit,
        digests,
        st.integers(0, 1),
        st.tuples(digests, digests, digests, digests),
    )
    | st.builds(
        Attestation,
        digests,
        st.just(BOB.id),
        st.none() | digests,
        st.just("mw/1"),
        st.integers(6, 8),
        ms,
        ms,
        st.integers(0, 2**63 - 1),
        digests,
        digests,
        st.integers(0, 2**40),
        st.integers(0, 3),
    )
)


@given(testimonies)
def test_a_statement_is_read_as_it_was_written(said: Testimony) -> None:
    statement = write(said, signer("bob"), NETWORK)

    assert read(statement, type(said)) == said
    assert Statement.from_value(statement.to_value()) == statement
    assert statement.word == word_of(said)


@given(st.sampled_from(sorted(LAYOUTS)), st.data())
def test_any_payload_is_read_or_refused(word: str, data: st.DataObject) -> None:
    wholes = st.sampled_from([each.payload for each in STATEMENTS])
    payload = data.draw(st.binary(max_size=80) | damaged(wholes) | wholes)
    statement = Statement(word, payload, bytes(64))

    code = code_of(partial(read, statement, LAYOUTS[word].says))

    assert code is None or code in UNREADABLE


@given(kinds, st.data())
def test_a_body_is_read_as_it_was_written(kind: Kind, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BODIES[kind]))

    assert parse_body(kind, encode_body(body)) == body


@given(kinds, st.data())
def test_a_damaged_body_is_read_or_refused(kind: Kind, data: st.DataObject) -> None:
    wholes = st.sampled_from([encode_body(each) for each in BODIES[kind]])
    body = data.draw(st.binary(max_size=60) | damaged(wholes))

    code = code_of(partial(parse_body, kind, body))

    assert code is None or code in FALSE


@given(kinds, st.data())
def test_no_claim_survives_a_change_of_its_bytes(
    kind: Kind, data: st.DataObject
) -> None:
    whole = encode_body(data.draw(st.sampled_from(BODIES[kind])))
    body = data.draw(damaged(st.just(whole)))
    name = AUTHORS.get(kind, "bob")
    header = Header(
        network=NETWORK,
        agent=known_agent(name).id,
        kind=kind,
        seq=1,
        prev=known_agent(name).head.record,
        time_ms=EPOCH_MS,
    )
    wire = seal(header, body, signer(name)).wire()

    ruling = judge(wire, Bench(NetworkParams(NETWORK), EPOCH_MS, Road.SYNC), facts())

    if ruling.verdict is Verdict.REJECT:
        assert ruling.code in FALSE
    elif kind is not Kind.AVAILABILITY and body != whole:
        # What is left are bytes beside the statements: fields of tomorrow, and a
        # proof that has lost an attestation.
        said = parse_body(kind, body)
        assert said is not None
        assert set(_signatures(said)) <= set(_signatures(parse_body(kind, whole)))


def _signatures(body: object) -> list[bytes]:
    attested = getattr(body, "attested", [body])
    statements = [each.statement for each in attested if hasattr(each, "statement")]
    return [each.signature for each in getattr(body, "statements", statements)]
