"""Answering an ask from what is held: bounded, whatever was asked (spec 06).

Reads block, so an answer is made in a worker thread, a part at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, assert_never

from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.record import parse
from moltp2p.proto.ratelimit import UNIT_BYTES, Rate
from moltp2p.proto.sync.fetch import (
    MAX_ANSWER_BYTES,
    MAX_ANSWER_RECORDS,
    Answer,
    Ask,
    AskChain,
    AskRecords,
    AskSequence,
    End,
    Refusal,
    parts,
)

READ_RECORDS: Final = 64
"""Read at once: at most 4 MiB, and mostly a quarter of a part."""

FETCH_RATE: Final = Rate(per_s=16_384, burst=32_768)
# SPEC 06: "16,384 units a second, and 32,768 at once"
ASK_UNITS: Final = 16  # SPEC 06: "16 units for each ask"
"""About what it takes to come to it: without them, small asks would cost us most."""
MAX_SERVED_PER_PEER: Final = 4  # SPEC 06: "| answers at once to one peer | 4 |"
MAX_SERVED: Final = 128  # SPEC 06: "| answers at once to all peers | 128 |"
"""Each has a part of an answer in memory, mostly of 128 KiB; and the peers of one IP
address are too few to take all places."""
ANSWER_S: Final = 60.0  # SPEC 06: "all of it within 60 seconds"
IDLE_S: Final = 30.0  # SPEC 06: "within 30 seconds"


BUSY: Final = Refusal("too-busy")  # SPEC 06: "refuse with `too-busy`"


class Holdings(Protocol):
    """What is held, as far as an answer depends on it; a store."""

    def wires(self, records: Sequence[RecordId]) -> list[bytes | None]:
        """Return each record's wire bytes; None for what is not held whole."""
        ...

    def sequence(
        self, agent: AgentId, first: int, last: int, limit: int
    ) -> list[tuple[int, RecordId]]:
        """Return places of an agent's sequence and the records there, in order.

        Args:
            agent: whose.
            first: the lowest `seq`.
            last: the highest `seq`.
            limit: how many to return at most.
        """
        ...

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        """Return the agent's key chain, or None."""
        ...


def answer(ask: Ask, held: Holdings) -> Iterator[Answer]:
    """Yield the frames of the answer to an ask, its end last."""
    match ask:
        case AskRecords(ids, bodies):
            return _Reading(held, ids, bodies=bodies).answer()
        case AskSequence():
            return _answer_sequence(ask, held)
        case AskChain(agent):
            chain = held.key_chain(agent)
            links = () if chain is None else chain.links
            return _Reading(held, [link.record for link in links]).answer(End())
        case _:
            assert_never(ask)


def ask_units(ask: Ask) -> int:
    """Return what it costs to look for what is asked, found or not."""
    return ASK_UNITS + (len(ask.ids) if isinstance(ask, AskRecords) else 0)


def sent_units(sent_bytes: int) -> int:
    """Return what it costs to send so many bytes."""
    return sent_bytes // UNIT_BYTES


def _answer_sequence(ask: AskSequence, held: Holdings) -> Iterator[Answer]:
    places = held.sequence(ask.agent, ask.first, ask.last, MAX_ANSWER_RECORDS + 1)
    listed = [record for _, record in places[:MAX_ANSWER_RECORDS]]
    reading = _Reading(held, listed)
    yield from parts(reading.wires())
    # Never the same place again: a fork of more branches than an answer holds is
    # left to reconciliation.
    left = places[reading.passed :]
    on = max(left[0][0], ask.first + 1) if left else ask.last + 1
    yield End(next_seq=on) if on <= ask.last else End()


class _Reading:
    """Reads records until the answer is full.

    Attributes:
        passed: how many of them were looked up, found or not.
    """

    def __init__(
        self, held: Holdings, records: Sequence[RecordId], *, bodies: bool = False
    ) -> None:
        self.passed = 0
        self._held = held
        self._records = records
        self._bodies = bodies
        self._absent: list[RecordId] = []

    def answer(self, end: End | None = None) -> Iterator[Answer]:
        """Yield the parts, and then `end`, or one that says what is absent."""
        yield from parts(self.wires())
        yield End(tuple(self._absent)) if end is None else end

    def wires(self) -> Iterator[bytes]:
        """Yield what is held, until the answer has as many bytes as it may."""
        size = 0
        for start in range(0, len(self._records), READ_RECORDS):
            some = self._records[start : start + READ_RECORDS]
            for record, wire in zip(some, self._held.wires(some), strict=True):
                if size >= MAX_ANSWER_BYTES:
                    return
                self.passed += 1
                if wire is None or (self._bodies and parse(wire).body is None):
                    self._absent.append(record)
                else:
                    size += len(wire)
                    yield wire
