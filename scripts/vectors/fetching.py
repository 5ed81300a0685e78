"""Vectors of spec 06, section 4: fetching.

| op | input → output |
|---|---|
| `fetch-ask` | bytes → what is asked for |
| `fetch-answer` | an ask, and the frames of an answer → the records, what is absent, where to ask on; or the error |
| `fetch-serve` | an ask, and the records held, as wire bytes → the frames of the answer |
"""  # noqa: E501 - a table's row

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from moltp2p.core import keychain
from moltp2p.core.codec import encode
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.record import Record
from moltp2p.proto.sync.fetch import (
    MAX_ASKED,
    Ask,
    AskChain,
    AskRecords,
    AskSequence,
    decode_ask,
    encode_answer,
    encode_ask,
)
from moltp2p.proto.sync.fetch_answer import answer
from moltp2p.testing.factories import TestAgent
from scripts.vectors.form import Case, spell


class Shelf:
    """Records held in memory (`proto.fetch_answer.Holdings`)."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = {record.id: record for record in records}

    def wires(self, records: Sequence[RecordId]) -> list[bytes | None]:
        """Return wire bytes."""
        held = [self._records.get(record) for record in records]
        return [None if record is None else record.wire() for record in held]

    def sequence(
        self, agent: AgentId, first: int, last: int, limit: int
    ) -> list[tuple[int, RecordId]]:
        """Return places of a sequence."""
        places = sorted(
            (record.header.seq, record.id)
            for record in self._records.values()
            if record.header.agent == agent and first <= record.header.seq <= last
        )
        return places[:limit]

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        """Return a key chain."""
        chain: KeyChain | None = None
        for record in sorted(self._records.values(), key=lambda each: each.header.seq):
            if record.header.agent == agent:
                chain = keychain.advance(chain, record)
        return chain


def story() -> list[Record]:
    """Return what alice wrote: a post, a rotation, a post, and what she deleted."""
    alice = TestAgent("alice")
    alice.post("one")
    alice.rotate()
    gone = alice.post("two")
    alice.delete(gone)
    return [
        record.without_body() if record.id == gone.id else record
        for record in alice.records
    ]


HELD: Final = story()
ALICE: Final = HELD[0].header.agent
UNKNOWN: Final = RecordId(bytes(range(32)))

ASKS: Final[dict[str, tuple[Ask, str]]] = {
    "fetch-ids": (AskRecords((HELD[1].id, UNKNOWN, HELD[3].id)), ""),
    "fetch-bodies": (
        AskRecords((HELD[1].id, HELD[3].id), bodies=True),
        "the second has been deleted",
    ),
    "fetch-sequence": (AskSequence(ALICE, 1, 2), ""),
    "fetch-chain": (AskChain(ALICE), ""),
    "fetch-unknown-chain": (AskChain(AgentId(UNKNOWN)), ""),
}

BAD_ASKS: Final[dict[str, tuple[object, str]]] = {
    "fetch-nothing": ({}, ""),
    "fetch-list": ([], ""),
    "fetch-no-ids": ({"ids": b""}, ""),
    "fetch-half-an-id": ({"ids": bytes(48)}, ""),
    "fetch-id-twice": ({"ids": bytes(64)}, ""),
    "fetch-1025-ids": (
        {"ids": b"".join(n.to_bytes(32) for n in range(MAX_ASKED + 1))},
        "",
    ),
    "fetch-two-things": ({"ids": bytes(32), "chain": bytes(32)}, ""),
    "fetch-last-before-first": ({"agent": bytes(32), "first": 2, "last": 1}, ""),
    "fetch-seq-true": ({"agent": bytes(32), "first": True, "last": 1}, ""),
    "fetch-no-last": ({"agent": bytes(32), "first": 1}, ""),
    "fetch-agent-31": ({"chain": bytes(31)}, ""),
}

ONE: Final = encode_ask(AskRecords((HELD[1].id,)))
PLACES: Final = encode_ask(AskSequence(ALICE, 5, 9))
PART: Final = encode({"records": [HELD[1].wire()]})

ANSWERS: Final[dict[str, tuple[bytes, list[bytes], dict[str, object]]]] = {
    "fetch-answer": (
        ONE,
        [PART, encode({"absent": b""})],
        {"records": [spell(HELD[1].wire())], "absent": "", "next": None},
    ),
    "fetch-answer-absent": (
        ONE,
        [encode({"absent": HELD[1].id})],
        {"records": [], "absent": HELD[1].id.hex(), "next": None},
    ),
    "fetch-answer-next": (
        PLACES,
        [PART, encode({"next": 7})],
        {"records": [spell(HELD[1].wire())], "absent": "", "next": 7},
    ),
    "fetch-unknown-field": (
        ONE,
        [PART, encode({"absent": b"", "thanks": True})],
        {"records": [spell(HELD[1].wire())], "absent": "", "next": None},
    ),
}

BAD_ANSWERS: Final[dict[str, tuple[bytes, list[bytes], str]]] = {
    "fetch-refused": (ONE, [encode({"code": "too-busy"})], "too-busy"),
    "fetch-empty-part": (ONE, [encode({"records": []})], "bad-fetch"),
    "fetch-more-than-asked": (ONE, [PART, PART], "bad-fetch"),
    "fetch-absent-unasked": (ONE, [encode({"absent": UNKNOWN})], "bad-fetch"),
    "fetch-brings-nothing": (ONE, [encode({"absent": b""})], "bad-fetch"),
    "fetch-after-the-end": (ONE, [PART, encode({"absent": b""}), PART], "bad-fetch"),
    "fetch-next-unasked": (ONE, [PART, encode({"next": 7})], "bad-fetch"),
    "fetch-next-again": (PLACES, [encode({"next": 5})], "bad-fetch"),
    "fetch-next-behind": (PLACES, [encode({"next": 10})], "bad-fetch"),
}


def cases() -> list[Case]:
    """Return the vectors of section 4."""
    held = [spell(record.wire()) for record in HELD]
    return [
        *(
            _case(name, "fetch-ask", encode_ask(ask).hex(), note, output=told(ask))
            for name, (ask, note) in ASKS.items()
        ),
        *(
            _case(name, "fetch-ask", spell(encode(ask)), note, error="bad-fetch")
            for name, (ask, note) in BAD_ASKS.items()
        ),
        *(
            _case(
                name.replace("fetch-", "fetch-serve-"),
                "fetch-serve",
                {"ask": encode_ask(ask).hex(), "held": held},
                note,
                output=serve(encode_ask(ask), HELD),
            )
            for name, (ask, note) in ASKS.items()
        ),
        *(
            _case(name, "fetch-answer", _heard(ask, frames), output=result)
            for name, (ask, frames, result) in ANSWERS.items()
        ),
        *(
            _case(name, "fetch-answer", _heard(ask, frames), error=code)
            for name, (ask, frames, code) in BAD_ANSWERS.items()
        ),
    ]


def told(ask: Ask) -> dict[str, object]:
    """Return an ask as a vector tells it."""
    match ask:
        case AskRecords(ids, bodies):
            name = "bodies" if bodies else "ids"
            return {name: [record.hex() for record in ids]}
        case AskSequence(agent, first, last):
            return {"agent": agent.hex(), "first": first, "last": last}
        case AskChain(agent):
            return {"chain": agent.hex()}


def serve(ask: bytes, held: Sequence[Record]) -> list[object]:
    """Return the frames of the answer to an ask."""
    frames = answer(decode_ask(ask), Shelf(held))
    return [spell(encode_answer(frame)) for frame in frames]


def _heard(ask: bytes, frames: list[bytes]) -> dict[str, object]:
    return {"ask": ask.hex(), "frames": [spell(frame) for frame in frames]}


def _case(name: str, op: str, given: object, note: str = "", **result: object) -> Case:
    return {"name": name, "note": note, "op": op, "input": given, **result}
