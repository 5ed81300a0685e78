"""Vectors of spec 07, first part: tickets, statements, and the records they end in.

| op | input → output |
|---|---|
| `ticket` | network, applicant, epoch, size, nonce → its value, or `bad-ticket` |
| `drawn` | a ticket's value and size, a challenger → whether it is drawn |
| `digest` | a word, and what stands in the array → H(word, …) |
| `state` | signer, network, word, fields → payload and signature |
| `read` | word and payload → fields |
| `judge` | as in 03 |

In `state` and `read` the fields are those of the tables of spec 07.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from moltp2p.core import codec
from moltp2p.core.attested import Attested, Availability, Proof
from moltp2p.core.author import Draft
from moltp2p.core.codec import Value
from moltp2p.core.fraud import Fraud
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Body, Kind, encode_body
from moltp2p.core.record import Header, Record, seal
from moltp2p.core.spelling import read
from moltp2p.core.statements import Statement, digest
from moltp2p.core.testimony import VALID_MS, Reveal
from moltp2p.core.work import (
    Ticket,
    epoch_of,
    is_eligible,
    ticket_value,
)
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from moltp2p.testing.proofs import (
    VERSION,
    Spoken,
    known_agent,
    peer_of,
    prove,
    tickets,
    value_of,
)
from scripts.vectors.form import Case, spell, to_json

NETWORK: Final = "test-net"
EPOCH: Final = epoch_of(EPOCH_MS)
PAID_NONCE: Final = 1_937
"""Of alice's first ticket on `main` in that epoch; found once, after 1,937 others."""
HOUR_MS: Final = 3_600_000


def cases() -> list[Case]:
    """Return the cases of sections 2 and 5 of spec 07."""
    return [*_tickets(), *_statements(), *_unreadable(), *_accepted(), *_refused()]


def _case(name: str, op: str, given: object, note: str = "", **result: object) -> Case:
    return {"name": name, "op": op, "note": note, "input": given, **result}


def _tickets() -> list[Case]:
    alice = TestAgent("alice")
    paid = next(tickets(alice))
    unpaid = Ticket(paid.epoch, paid.size, paid.nonce + 1)
    value = value_of(alice, paid)
    names = ("bob", "carol", "dave", "erin", "frank", "grace")
    agents = [TestAgent(name).id for name in names]
    drawn = next(each for each in agents if is_eligible(value, 16, each))
    other = next(each for each in agents if not is_eligible(value, 16, each))
    return [
        _ticket("ticket", "main", Ticket(EPOCH, 1_000, PAID_NONCE)),
        _ticket("ticket-of-a-test", NETWORK, paid),
        _case("ticket-unpaid", "ticket", _spelt(NETWORK, unpaid), error="bad-ticket"),
        _drawn("drawn", value, 16, drawn, is_drawn=True),
        _drawn("not-drawn", value, 16, other, is_drawn=False),
        _drawn("everybody-is-drawn", value, 15, other, is_drawn=True),
        _case(
            "digest-session",
            "digest",
            {"word": "session", "parts": to_json([b"apply", b"commit"])},
            output=digest("session", b"apply", b"commit").hex(),
        ),
    ]


def _ticket(name: str, network: str, ticket: Ticket) -> Case:
    value = ticket_value(network, TestAgent("alice").id, ticket)
    return _case(name, "ticket", _spelt(network, ticket), output=value.hex())


def _spelt(network: str, ticket: Ticket) -> dict[str, object]:
    agent = TestAgent("alice").id.hex()
    return {"network": network, "agent": agent, **dataclasses.asdict(ticket)}


def _drawn(
    name: str, value: bytes, size: int, agent: AgentId, *, is_drawn: bool
) -> Case:
    given = {"value": value.hex(), "size": size, "agent": agent.hex()}
    return _case(name, "drawn", given, output=is_drawn)


def _spoken(**changes: object) -> Spoken:
    alice, bob = known_agent("alice"), known_agent("bob")
    usual: dict[str, object] = {"ticket": next(tickets(alice))}
    return Spoken(alice, bob, **(usual | changes))  # type: ignore[arg-type]


def _statements() -> list[Case]:
    asked = _spoken(ticket=None).heard()[0]
    heard = [*_spoken().heard(), _spoken().attest().statement]
    once = {each.word: each for each in (asked, *reversed(heard))}
    return [_state(each) for each in once.values()]


def _state(statement: Statement) -> Case:
    by_alice = statement.word in ("apply", "accept", "commit", "open")
    given = {
        "signer": "alice 0" if by_alice else "bob 0",
        "network": NETWORK,
        "word": statement.word,
        "fields": to_json(codec.decode(statement.payload)),
    }
    out = {
        "payload": statement.payload.hex(),
        "signature": statement.signature.hex(),
    }
    return _case(f"state-{statement.word}", "state", given, output=out)


def _unreadable() -> list[Case]:
    said = {each.word: _fields(each) for each in _spoken().heard()}
    attest = _fields(_spoken().attest().statement)
    spot = _fields(_spoken(ticket=None, rounds=1, right=4).attest().statement)
    answers: list[Value] = [["a" * 33, "a", "a", "a"], ["a"] * 4]
    wrong: dict[str, tuple[str, dict[str, Value]]] = {
        "apply-twice-paid": ("apply", said["apply"] | {"check": b"c" * 32}),
        "apply-for-nothing": ("apply", _without(said["apply"], "ticket")),
        "apply-size-0": ("apply", said["apply"] | {"ticket": _ticket_of(size=0)}),
        "apply-five-versions": ("apply", said["apply"] | {"tasks": ["mw/1"] * 5}),
        "apply-peer-in-words": ("apply", said["apply"] | {"peer": "bob"}),
        "apply-short-nonce": ("apply", said["apply"] | {"nonce": b"n" * 15}),
        "offer-slot-32": ("offer", said["offer"] | {"slot": 32}),
        "round-2": ("round", said["round"] | {"round": 2}),
        "round-of-three": ("round", said["round"] | {"texts": ["a"] * 3}),
        "round-of-a-day": ("round", said["round"] | {"limit": 86_400_000}),
        "text-of-two-lines": ("round", said["round"] | {"texts": ["a\nb"] * 4}),
        "text-too-long": ("round", said["round"] | {"texts": ["a" * 1_201] * 4}),
        "text-not-ascii": ("round", said["round"] | {"texts": ["\xe9"] * 4}),
        "commit-of-three": ("commit", said["commit"] | {"items": [b"h" * 32] * 3}),
        "answer-too-long": ("reveal", said["reveal"] | {"answers": answers}),
        "answer-of-a-sentence": (
            "reveal",
            said["reveal"] | {"answers": [["the key is k", "a", "a", "a"]] * 2},
        ),
        "reveal-of-more-salts": ("reveal", said["reveal"] | {"salts": [b"s" * 16]}),
        "open-of-three-rounds": ("open", said["open"] | {"salts": [[None] * 4] * 3}),
        "attest-below-six": ("attest", attest | {"score": 5}),
        "attest-of-oneself": ("attest", attest | {"iss": attest["sub"]}),
        "attest-without-slot": ("attest", _without(attest, "slot")),
        "attest-rounds-and-ticket": ("attest", attest | {"rounds": 2}),
        "attest-spot-of-five": ("attest", spot | {"score": 5}),
        "attest-without-log": ("attest", _without(attest, "log")),
    }
    more = codec.encode(said["apply"] | {"mood": "calm"})
    return [
        *(
            _case(name, "read", _read(word, codec.encode(fields)))
            | {"error": "bad-statement"}
            for name, (word, fields) in wrong.items()
        ),
        _case("read-a-list", "read", _read("accept", b"\x80"), error="bad-statement"),
        _case("read-cut", "read", _read("accept", b"\xa1"), error="malformed"),
        _case("apply-unknown-field", "read", _read("apply", more))
        | {"output": to_json(said["apply"])},
    ]


def _read(word: str, payload: bytes) -> dict[str, object]:
    return {"word": word, "payload": spell(payload)}


def _fields(statement: Statement) -> dict[str, Value]:
    fields = codec.decode(statement.payload)
    if not isinstance(fields, dict):
        raise TypeError(statement.word)
    return fields


def _ticket_of(**changes: Value) -> Value:
    return {"epoch": EPOCH, "size": 1, "nonce": 0} | changes


def _without(fields: dict[str, Value], name: str) -> dict[str, Value]:
    return {key: value for key, value in fields.items() if key != name}


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
    return _case(name, "judge", given, note) | outcome


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
    spot = _spoken(ticket=None, rounds=1, right=3).attest()
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
        _judged("attestation", _by("bob", Kind.ATTESTATION, _spoken().attest())),
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
    one, other = _spoken(), _spoken(name="two")
    lie = one.heard(reveal=_lie(one))
    failed = _spoken(right=5)
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
    spoken = _spoken()
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
    spot = _spoken(ticket=None).attest()
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
    one = _spoken()
    attest = one.attest().statement
    later = _spoken(name="two").attest(epoch=EPOCH + 1).statement
    honest = one.heard()
    slot = _frauds()["fraud-slot"]
    forged = Fraud.of("slot", [slot.statements[0], _forged(slot.statements[1])])
    false = {
        "fraud-of-one-session": Fraud.of("slot", [attest, attest]),
        "fraud-of-two-epochs": Fraud.of("slot", [attest, later]),
        "fraud-honest-reveal": Fraud.of("reveal", [honest[1], honest[3], honest[7]]),
        "fraud-honest-score": Fraud.of("score", [*honest, attest]),
        "fraud-of-another-session": Fraud.of(
            "score", [*_spoken(name="two").heard(), attest]
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
