"""Vectors of spec 07, third part: whole sessions, and the limits of rounds.

| op | input → output |
|---|---|
| `limit` | texts, round trip in milliseconds → the limit of a round |
| `session` | steps: what happens to one side, and what it does |

In a `session` alice applies and bob challenges, on `test-net`, and `at` are the
milliseconds since the stream was opened, at the wall clock `time_ms`. `side` is whose
steps they are; `rounds` stands where bob asks by check. The n-th random bytes that
somebody draws, from 0, are the first of SHA-256 of `<name> 1 <n>`. The tasks are
`test/1`: number j of round i asks to say the first 12 hexadecimal digits of
SHA-256(seed, i, j in one byte each), as `Say <word>.`
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from moltp2p.core.challenge.spelling import LAYOUTS, read, write
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import Offer, Reveal, Testimony
from moltp2p.core.codec import decode
from moltp2p.core.keys import Signer
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    ChallengeAction,
    ChallengeEvent,
    Closed,
    Done,
    Failed,
    Hashed,
    HashTicket,
    Keep,
    Passed,
    Received,
    Send,
    TimedOut,
)
from moltp2p.proto.challenge.machine import Machine
from moltp2p.proto.challenge.messages import encode_message, limit_ms
from moltp2p.testing.challenging import NETWORK, Between, Duet, Pair, Tamper, visitor
from moltp2p.testing.factories import EPOCH_MS, signer
from moltp2p.testing.proofs import known_agent
from scripts.vectors.form import Case

BEGUN: Final = 1_000.0
"""The clock when a stream is opened; vectors count from there."""


def cases() -> list[Case]:
    """Return the cases of sections 3, 4 and 6 of spec 07."""
    return [*_limits(), *_sessions()]


def _limits() -> list[Case]:
    given: dict[str, tuple[list[str], int]] = {
        "limit-of-few-words": (["Say it."] * 4, 400),
        "limit-of-many-words": (["word " * 80] * 4, 400),
        "limit-of-a-slow-wire": (["word " * 80] * 4, 4_000),
    }
    return [
        {
            "name": name,
            "op": "limit",
            "input": {"texts": texts, "round_trip_ms": trip_ms},
            "output": limit_ms(texts, trip_ms),
        }
        for name, (texts, trip_ms) in given.items()
    ]


def _sessions() -> list[Case]:
    passed, spot = Pair().duet().run(), Pair().check(1).run()
    failed = Pair().duet(Between(solve=lambda _: "no")).run()
    late = Pair().duet(Between(think_s=29.98)).run()
    twice = Pair().duet(Between(to_issuer=doubled("accept"))).run()
    lie = Pair().duet(Between(to_subject=restated(Reveal, _lie, signer("bob")))).run()
    other = restated(Offer, _of_carol, signer("carol"))
    elsewhere = Pair().duet(Between(to_subject=other)).run()
    pair = Pair()
    door = visitor(known_agent("carol"))
    stranger = Duet(pair.applying(), pair.challenging(at_door=door)).run()
    return [
        _case("session-passed", passed, "challenger"),
        _case("session-passed-applicant", passed, "applicant"),
        _case("session-spot", spot, "challenger", rounds=1),
        _case("session-spot-applicant", spot, "applicant", rounds=1),
        _case("session-failed", failed, "challenger"),
        _case("session-failed-applicant", failed, "applicant"),
        _case("session-late", late, "challenger"),
        _case("session-replayed", twice, "challenger"),
        _case("session-wrong-peer", stranger, "challenger", door="carol"),
        _case("session-lying-reveal", lie, "applicant"),
        _case("session-other-challenger", elsewhere, "applicant"),
    ]


def doubled(word: str) -> Tamper:
    """Return a wire that delivers a statement twice."""
    return lambda frame: (frame, frame) if word_of_frame(frame) == word else (frame,)


def restated(
    says: type[Testimony], change: Callable[[Testimony], Testimony], by: Signer
) -> Tamper:
    """Return a wire on which a statement is replaced by another, signed by `by`."""

    def tamper(frame: bytes) -> tuple[bytes, ...]:
        if LAYOUTS.get(word_of_frame(frame)) != LAYOUTS[_word(says)]:
            return (frame,)
        said = read(Statement.from_value(decode(frame)), says)
        return (encode_message(write(change(said), by, NETWORK)),)

    return tamper


def word_of_frame(frame: bytes) -> str:
    """Return the word of a frame."""
    value = decode(frame)
    return str(value[0]) if isinstance(value, list) else ""


def _word(says: type[Testimony]) -> str:
    return next(word for word, layout in LAYOUTS.items() if layout.says is says)


def _lie(reveal: Testimony) -> Testimony:
    if not isinstance(reveal, Reveal):
        raise TypeError(reveal)
    first = ("lie", *reveal.answers[0][1:])
    return dataclasses.replace(reveal, answers=(first, *reveal.answers[1:]))


def _of_carol(offer: Testimony) -> Testimony:
    if not isinstance(offer, Offer):
        raise TypeError(offer)
    return dataclasses.replace(offer, issuer=known_agent("carol").id)


def _case(name: str, duet: Duet, side: str, **given: object) -> Case:
    machine = duet.issuer if side == "challenger" else duet.subject
    steps = [_step(0, {"opened": True}, machine.first)]
    steps += [
        _step(round((turn.now - BEGUN) * 1_000), spell_event(turn.event), turn.actions)
        for turn in duet.turns
        if turn.machine is machine and turn.actions
    ]
    told = {"side": side, "network": NETWORK, "time_ms": EPOCH_MS, **given}
    return {"name": name, "op": "session", "input": told, "steps": steps}


def _step(
    at: int, event: dict[str, object], actions: tuple[ChallengeAction, ...]
) -> dict[str, object]:
    return {"at": at, "event": event, "actions": [*map(spell_action, actions)]}


def machine_of(given: dict[str, object]) -> Machine:
    """Return the machine that the input of a `session` describes."""
    pair = Pair()
    rounds = given.get("rounds")
    door = visitor(known_agent(str(given.get("door", "alice"))))
    if isinstance(rounds, int):
        duet = pair.check(rounds)
    else:
        duet = Duet(pair.applying(), pair.challenging(at_door=door))
    return duet.issuer if given["side"] == "challenger" else duet.subject


def spell_event(event: ChallengeEvent) -> dict[str, object]:
    """Return an event as a vector spells it."""
    match event:
        case Received(payload):
            return {"frame": payload.hex()}
        case Hashed(value):
            return {"hashed": value.hex()}
        case Answered(answers):
            return {"answers": list(answers)}
        case TimedOut():
            return {"timed_out": True}
        case Closed():
            return {"closed": True}


def read_event(spelt: dict[str, object]) -> ChallengeEvent:
    """Return the event that `spell_event` spelt."""
    match spelt:
        case {"frame": str(payload)}:
            return Received(bytes.fromhex(payload))
        case {"hashed": str(value)}:
            return Hashed(bytes.fromhex(value))
        case {"answers": list(answers)}:
            return Answered(tuple(answers))
        case {"timed_out": True}:
            return TimedOut()
        case _:
            return Closed()


def spell_action(action: ChallengeAction) -> dict[str, object]:
    """Return an action as a vector spells it."""
    match action:
        case Send(payload):
            return {"send": payload.hex()}
        case HashTicket(subject, ticket):
            return {"hash": dataclasses.asdict(ticket), "agent": subject.hex()}
        case Ask(number, texts, reminder, allowed_ms):
            asked = {"texts": list(texts), "reminder": list(reminder)}
            return {"ask": number, **asked, "limit": allowed_ms}
        case Keep(attested):
            return {"keep": attested.encode().hex()}
        case Done(outcome):
            return _spell_outcome(outcome)


def _spell_outcome(outcome: Passed | Failed) -> dict[str, object]:
    if isinstance(outcome, Passed):
        return {"done": "ok"}
    fraud = outcome.fraud
    convicted = {} if fraud is None else {"fraud": fraud.encode().hex()}
    return {"done": outcome.code, **convicted}
