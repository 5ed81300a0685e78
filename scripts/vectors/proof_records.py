"""Vectors of spec 07, second part: records of what sessions end in, good and bad.

| op | input → output |
|---|---|
| `judge` | as in 03 |
"""

from __future__ import annotations

import dataclasses

from moltp2p.core import codec
from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Attested, Availability, Proof
from moltp2p.core.challenge.fraud import Fraud
from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import VALID_MS, Reveal
from moltp2p.core.challenge.work import (
    Ticket,
    is_eligible,
)
from moltp2p.core.codec import Value
from moltp2p.core.kinds import Body, Kind, encode_body
from moltp2p.core.record import Header, Record, seal
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from moltp2p.testing.proofs import (
    VERSION,
    Spoken,
    known_agent,
    peer_of,
    prove,
    tickets,
)
from scripts.vectors.form import Case, spell
from scripts.vectors.proof import EPOCH, HOUR_MS, NETWORK, a_session, case


def cases() -> list[Case]:
    """Return the cases of section 5 of spec 07."""
    return [*_accepted(), *_refused()]


def _judged(name: str, record: Record, note: str = "", code: str | None = None) -> Case:
    given = {
        "record": spell(record.wire()),
        "network": NETWORK,
        "shards": 16,
        "now_ms": record.header.time_ms,
        "road": "sync",
    }
    if code is None:
        outcome: Case = {
            "output": {"verdict": "accept", "code": "ok", "keep": "record"}
        }
    else:
        outcome = {"error": code, "verdict": "reject"}
    return case(name, "judge", given, note) | outcome


def _by(name: str, kind: Kind, body: Body | None, time_ms: int = EPOCH_MS) -> Record:
    """Return a record of somebody's, whatever is in its body."""
    agent = known_agent(name)
    header = Header(
        network=NETWORK,
        agent=agent.id,
        kind=kind,
        seq=1,
        prev=agent.head.record,
        time_ms=time_ms,
    )
    raw = None if body is None else encode_body(body)
    return seal(header, raw, signer(name))


def _accepted() -> list[Case]:
    spot = a_session(ticket=None, rounds=1, right=3).attest()
    proof, frauds = _proof(), _frauds()
    available = Availability(
        EPOCH,
        3,
        peer_of("bob"),
        (VERSION,),
        (f"/ip4/192.0.2.1/tcp/1/p2p/{peer_of('bob')}",),
    )
    few = dataclasses.replace(proof, attested=proof.attested[:1])
    availability = known_agent("bob").write(Draft(Kind.AVAILABILITY, available))
    return [
        _judged("attestation", _by("bob", Kind.ATTESTATION, a_session().attest())),
        _judged("attestation-spot", _by("bob", Kind.ATTESTATION, spot)),
        _judged("proof", _by("alice", Kind.PROOF, proof)),
        _judged("proof-of-one", _by("alice", Kind.PROOF, few)),
        *(
            _judged(name, _by("carol", Kind.FRAUD, fraud))
            for name, fraud in frauds.items()
        ),
        _judged("availability", availability),
        _judged("revocation", _by("alice", Kind.REVOCATION, None)),
    ]


def _proof() -> Proof:
    issuers = [known_agent(name) for name in ("bob", "carol", "dave", "mallory")]
    return prove(known_agent("alice"), issuers, size=16)


def _frauds() -> dict[str, Fraud]:
    one, other = a_session(), a_session(name="two")
    lie = one.heard(reveal=_lie(one))
    failed = a_session(right=5)
    return {
        "fraud-slot": Fraud.of(
            "slot", [one.attest().statement, other.attest().statement]
        ),
        "fraud-reveal": Fraud.of("reveal", [lie[1], lie[3], lie[7]]),
        "fraud-score": Fraud.of(
            "score", [*failed.heard(), failed.attest(score=6).statement]
        ),
    }


def _lie(spoken: Spoken) -> Reveal:
    honest = read(spoken.heard()[7], Reveal)
    answers = (("lie", *honest.answers[0][1:]), *honest.answers[1:])
    return dataclasses.replace(honest, answers=answers)


def _refused() -> list[Case]:
    return [*_bad_attestations(), *_bad_proofs(), *_bad_frauds(), *_bad_bodies()]


def _bad_attestations() -> list[Case]:
    spoken = a_session()
    good = spoken.attest()
    forged = dataclasses.replace(good, statement=_forged(good.statement))
    late = (EPOCH + 3) * HOUR_MS
    after = spoken.attest(time_ms=late)
    ahead = spoken.attest(time_ms=EPOCH_MS + 600_001)
    unpaid = spoken.attest(ticket=b"\x10" + bytes(31))
    kind = Kind.ATTESTATION
    bad, ticket = "bad-attestation", "bad-ticket"
    return [
        _judged("attestation-forged", _by("bob", kind, forged), code=bad),
        _judged("attestation-by-another", _by("carol", kind, good), code=bad),
        _judged("attestation-from-the-future", _by("bob", kind, ahead), code=bad),
        _judged(
            "attestation-after-its-ticket", _by("bob", kind, after, late), code=bad
        ),
        _judged("attestation-unpaid", _by("bob", kind, unpaid), code=ticket),
    ]


def _forged(statement: Statement) -> Statement:
    flipped = statement.signature[:-1] + bytes((statement.signature[-1] ^ 1,))
    return dataclasses.replace(statement, signature=flipped)


def _bad_proofs() -> list[Case]:
    proof, kind, bad = _proof(), Kind.PROOF, "bad-attestation"
    first = proof.attested[0]
    alice, bob = known_agent("alice"), known_agent("bob")
    more = tickets(alice, size=16)
    other = next(each for each in more if each != proof.ticket)
    elsewhere = Spoken(alice, bob, other).attest()
    spot = a_session(ticket=None).attest()
    stranger = next(
        agent
        for agent in (known_agent(f"stranger {n}") for n in range(100))
        if not is_eligible(proof.value, 16, agent.id)
    )
    uninvited = _of_stranger(stranger, proof.ticket)
    moved = dataclasses.replace(proof.ticket, nonce=proof.ticket.nonce + 1)

    def having(*attested: Attested, ticket: Ticket = proof.ticket) -> Proof:
        return Proof(ticket, attested)

    expired = EPOCH_MS + VALID_MS
    return [
        _judged("proof-of-another", _by("erin", kind, proof), code=bad),
        _judged(
            "proof-of-another-ticket",
            _by("alice", kind, having(first, elsewhere)),
            code=bad,
        ),
        _judged(
            "proof-with-a-spot-check", _by("alice", kind, having(first, spot)), code=bad
        ),
        _judged("proof-expired", _by("alice", kind, proof, expired), code=bad),
        _judged(
            "proof-twice-one-issuer", _by("alice", kind, having(first, first)), code=bad
        ),
        _judged(
            "proof-not-eligible",
            _by("alice", kind, having(first, uninvited)),
            code="not-eligible",
        ),
        _judged(
            "proof-of-another-nonce",
            _by("alice", kind, having(first, ticket=moved)),
            code="bad-ticket",
        ),
    ]


def _of_stranger(stranger: TestAgent, ticket: Ticket) -> Attested:
    return Spoken(known_agent("alice"), stranger, ticket).attest()


def _bad_frauds() -> list[Case]:
    one = a_session()
    attest = one.attest().statement
    later = a_session(name="two").attest(epoch=EPOCH + 1).statement
    honest = one.heard()
    slot = _frauds()["fraud-slot"]
    forged = Fraud.of("slot", [slot.statements[0], _forged(slot.statements[1])])
    false = {
        "fraud-of-one-session": Fraud.of("slot", [attest, attest]),
        "fraud-of-two-epochs": Fraud.of("slot", [attest, later]),
        "fraud-honest-reveal": Fraud.of("reveal", [honest[1], honest[3], honest[7]]),
        "fraud-honest-score": Fraud.of("score", [*honest, attest]),
        "fraud-of-another-session": Fraud.of(
            "score", [*a_session(name="two").heard(), attest]
        ),
        "fraud-forged": forged,
    }
    return [
        _judged(name, _by("carol", Kind.FRAUD, fraud), code="false-fraud")
        for name, fraud in false.items()
    ]


def _bad_bodies() -> list[Case]:
    wrong: dict[str, tuple[Kind, Value, str]] = {
        "attestation-empty": (Kind.ATTESTATION, {}, "bad-statement"),
        "proof-of-none": (
            Kind.PROOF,
            {"epoch": EPOCH, "size": 1, "nonce": 0, "attestations": []},
            "bad-body",
        ),
        "fraud-of-no-kind": (
            Kind.FRAUD,
            {"fraud": "theft", "statements": [0, 0]},
            "bad-body",
        ),
        "availability-of-five": (
            Kind.AVAILABILITY,
            {"epoch": 1, "slots": 5, "peer": peer_of("bob"), "tasks": ["mw/1"]},
            "bad-body",
        ),
    }
    return [
        _judged(name, _raw(kind, codec.encode(body)), code=code)
        for name, (kind, body, code) in wrong.items()
    ]


def _raw(kind: Kind, body: bytes) -> Record:
    shape = _by("alice", Kind.REVOCATION, None).header
    return seal(dataclasses.replace(shape, kind=kind), body, signer("alice"))
