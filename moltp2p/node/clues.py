"""What a record that came tells of others that are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from moltp2p.core.author import Head
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.record import Record
from moltp2p.proto.sync.fetch import MAX_ANSWER_RECORDS, Ask, AskChain, AskSequence

MAX_GAP: Final = MAX_ANSWER_RECORDS
"""Places asked for before a record whose predecessor is missing: one answer. What is
missing before them is left to rounds."""


@dataclass(frozen=True, slots=True)
class Clue:
    """What may be missing.

    Attributes:
        ask: what to ask for.
        peer: who brought what tells of it, when a peer did.
        unless: nothing is missing once this record is held; None when nobody knows.
    """

    ask: Ask
    peer: PeerId | None
    unless: RecordId | None = None


def of_chain(record: Record, peer: PeerId | None) -> Clue:
    """Return that a link of the key chain of a record's agent may be missing."""
    return Clue(AskChain(record.header.agent), peer)


def of_gap(
    record: Record,
    head: Head | None,
    peer: PeerId | None,
    has: Callable[[RecordId], bool],
) -> Clue | None:
    """Return what is missing before a record, or None when its predecessor is held.

    Args:
        record: is kept now.
        head: where the agent's sequence stood before.
        peer: who brought it.
        has: tells whether a record is held.
    """
    header = record.header
    if header.prev is None or (head is not None and head.record == header.prev):
        return None  # mostly; no look-up is needed
    if header.seq == 0 or has(header.prev):
        return None
    last = header.seq - 1
    first = 0 if head is None else head.seq + 1
    first = max(min(first, last), header.seq - MAX_GAP)
    return Clue(AskSequence(header.agent, first, last), peer, header.prev)
