"""Vectors of spec 07, first part: tickets and statements.

| op | input → output |
|---|---|
| `ticket` | network, applicant, epoch, size, nonce → its value, or `bad-ticket` |
| `drawn` | a ticket's value and size, a challenger → whether it is drawn |
| `digest` | a word, and what stands in the array → H(word, …) |
| `state` | signer, network, word, fields → payload and signature |
| `read` | word and payload → fields |

In `state` and `read` the fields are those of the tables of spec 07.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from moltp2p.core import codec
from moltp2p.core.challenge.statements import Statement, digest
from moltp2p.core.challenge.work import (
    Ticket,
    epoch_of,
    is_eligible,
    ticket_value,
)
from moltp2p.core.codec import Value
from moltp2p.core.ids import AgentId
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import (
    Spoken,
    known_agent,
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
    """Return the cases of section 2 of spec 07."""
    return [*_tickets(), *_statements(), *_unreadable()]


def case(name: str, op: str, given: object, note: str = "", **result: object) -> Case:
    """Return a case."""
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
        case("ticket-unpaid", "ticket", _spelt(NETWORK, unpaid), error="bad-ticket"),
        _drawn("drawn", value, 16, drawn, is_drawn=True),
        _drawn("not-drawn", value, 16, other, is_drawn=False),
        _drawn("everybody-is-drawn", value, 15, other, is_drawn=True),
        case(
            "digest-session",
            "digest",
            {"word": "session", "parts": to_json([b"apply", b"commit"])},
            output=digest("session", b"apply", b"commit").hex(),
        ),
    ]


def _ticket(name: str, network: str, ticket: Ticket) -> Case:
    value = ticket_value(network, TestAgent("alice").id, ticket)
    return case(name, "ticket", _spelt(network, ticket), output=value.hex())


def _spelt(network: str, ticket: Ticket) -> dict[str, object]:
    agent = TestAgent("alice").id.hex()
    return {"network": network, "agent": agent, **dataclasses.asdict(ticket)}


def _drawn(
    name: str, value: bytes, size: int, agent: AgentId, *, is_drawn: bool
) -> Case:
    given = {"value": value.hex(), "size": size, "agent": agent.hex()}
    return case(name, "drawn", given, output=is_drawn)


def a_session(**changes: object) -> Spoken:
    """Return a session of alice and bob, in which something may be changed."""
    alice, bob = known_agent("alice"), known_agent("bob")
    usual: dict[str, object] = {"ticket": next(tickets(alice))}
    return Spoken(alice, bob, **(usual | changes))  # type: ignore[arg-type]


def _statements() -> list[Case]:
    asked = a_session(ticket=None).heard()[0]
    heard = [*a_session().heard(), a_session().attest().statement]
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
    return case(f"state-{statement.word}", "state", given, output=out)


def _unreadable() -> list[Case]:
    said = {each.word: _fields(each) for each in a_session().heard()}
    attest = _fields(a_session().attest().statement)
    spot = _fields(a_session(ticket=None, rounds=1, right=4).attest().statement)
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
            case(name, "read", _read(word, codec.encode(fields)))
            | {"error": "bad-statement"}
            for name, (word, fields) in wrong.items()
        ),
        case("read-a-list", "read", _read("accept", b"\x80"), error="bad-statement"),
        case("read-cut", "read", _read("accept", b"\xa1"), error="malformed"),
        case("apply-unknown-field", "read", _read("apply", more))
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
