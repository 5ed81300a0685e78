"""How a vector of spec 06 spells sets, ranges and sessions.

Item *n* has the time *n* times `apart`, and for id SHA-256 of *n* as decimal text;
a set is told as stretches of such numbers, each from the first to before the second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, assert_never

from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.initiator import Done, Initiator, Narrower, Outcome, Refused
from moltp2p.proto.sync.messages import (
    MAX_TOPIC,
    Message,
    Open,
    Refusal,
    Round,
    Same,
    Sums,
    Window,
    decode_message,
)
from moltp2p.proto.sync.negentropy import Room
from moltp2p.proto.sync.ranges import MAX_RANGES, Fingerprint, IdList, Range, Skip
from moltp2p.proto.sync.reconcile import INFINITY_MS, Item, MemorySet
from moltp2p.proto.sync.responder import MAX_WINDOW_RECORDS, Responder, Scope
from moltp2p.testing.holdings import MemoryHoldings, converse, reconcile
from scripts.vectors.form import read, spell, to_json

Stretches: TypeAlias = Sequence[Sequence[int]]
Told: TypeAlias = dict[str, Any]


def record_id(number: int) -> RecordId:
    """Return the id of an item."""
    return RecordId(hashlib.sha256(str(number).encode()).digest())


def items(stretches: Stretches, apart_ms: int) -> list[Item]:
    """Return the items of a set."""
    numbers = [number for first, end in stretches for number in range(first, end)]
    return [Item(number * apart_ms, record_id(number)) for number in numbers]


def spell_range(told: Range) -> Told:
    """Return a range as a vector tells it."""
    time_ms = told.upper.time_ms
    bound = {
        "time": None if time_ms == INFINITY_MS else to_json(time_ms),
        "prefix": told.upper.prefix.hex(),
    }
    match told:
        case Skip():
            return bound
        case Fingerprint(_, digest):
            return bound | {"fingerprint": digest.hex()}
        case IdList(_, ids):
            return bound | {"ids": _hex(ids)}
        case _:
            assert_never(told)


def spell_message(message: Message) -> Told:
    """Return a message of a session as a vector tells it."""
    match message:
        case Open(window, digest):
            return spell_window(window) | {"sum": digest.hex()}
        case Same():
            return {"same": True}
        case Sums(sums):
            return {
                "counts": [each.count for each in sums],
                "sums": [each.digest.hex() for each in sums],
            }
        case Refusal(code, None):
            return {"code": code}
        case Refusal(code, since, topics):
            return {"code": code, "since": since, "topics": list(topics)}
        case Round(sets):
            return {"sets": [[topic, spell(data)] for topic, data in sets]}
        case _:
            assert_never(message)


def spell_window(window: Window) -> Told:
    """Return a window as a vector tells it."""
    since, until = to_json(window.since_ms), to_json(window.until_ms)
    return {"topics": list(window.topics), "since": since, "until": until}


def spell_outcome(outcome: Outcome | None) -> Told:
    """Return how a session ended, if it did."""
    match outcome:
        case None:
            return {"goes_on": True}
        case Same():
            return {"same": True}
        case Done(is_complete, have_count):
            return {"complete": is_complete, "have": have_count}
        case Narrower(code, window):
            return {"code": code} | spell_window(window)
        case Refused(code):
            return {"code": code}
        case _:
            assert_never(outcome)


def talk(given: Told) -> Told:
    """Run Negentropy between two sets."""
    ours, theirs = (
        MemorySet(items(given[side], given["apart"]))
        for side in ("initiator", "responder")
    )
    room = Room(given["max_bytes"], MAX_RANGES)
    found = reconcile(ours, theirs, room, room)
    return {
        "messages": [spell(message) for message in found.messages],
        "need": sorted(_hex(set(found.need))),
        "have": sorted(_hex(set(found.have))),
    }


def run(given: Told) -> Told:
    """Run a session between two nodes."""
    said = converse(initiator(given), responder(given))
    return {
        "frames": [spell(frame) for frame in said.frames],
        "need": sorted([topic, record.hex()] for topic, record in said.need),
        "end": spell_outcome(said.outcome),
    }


def ask(given: Told) -> Told:
    """Send frames to a responder; return its last answer."""
    machine, answer = responder(given), b""
    for frame in given["frames"]:
        answer = machine.receive(read(frame))
    return spell_message(decode_message(answer))


def hear(given: Told) -> Told:
    """Send frames to an initiator; return what came of the last."""
    machine = initiator(given)
    machine.open()
    told: Told = {}
    for frame in given["frames"]:
        step = machine.receive(read(frame))
        told = spell_outcome(step.outcome)
    return told


def initiator(given: Told) -> Initiator:
    """Return the initiator that a vector describes."""
    topics, since_ms, until_ms = given["window"]
    holdings = _holdings(given["initiator"], given["apart"])
    return Initiator(holdings, Window(tuple(topics), since_ms, until_ms))


def responder(given: Told) -> Responder:
    """Return the responder that a vector describes."""
    keeps: Told = given.get("keeps", {})
    topics = keeps.get("topics", range(MAX_TOPIC + 1))
    most = keeps.get("records", MAX_WINDOW_RECORDS)
    scope = Scope(topics, keeps.get("since", 0), most)
    return Responder(_holdings(given["responder"], given["apart"]), scope)


def _holdings(topics: dict[str, Stretches], apart_ms: int) -> MemoryHoldings:
    return MemoryHoldings(
        {int(topic): items(held, apart_ms) for topic, held in topics.items()}
    )


def _hex(ids: Iterable[RecordId]) -> list[str]:
    return [record.hex() for record in ids]
