"""What a node holds, for tests of `judge` that need no store."""

from __future__ import annotations

from dataclasses import dataclass

from moltp2p.core.facts import Overlay
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.record import Record


class NoFacts:
    """A node that has seen nothing."""

    def has(self, record: RecordId) -> bool:
        return False

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        return None

    def is_deleted(self, record: RecordId, agent: AgentId) -> bool:
        return False

    def is_dropped(self, record: RecordId) -> bool:
        return False

    def wants_body(self, record: RecordId) -> bool:
        return False

    def is_over_quota(self, record: Record) -> bool:
        return False


@dataclass(frozen=True)
class Admission:
    """How every agent stands, on a network that admits by proof."""

    until_ms: int | None
    has_room_for_strangers: bool = True

    def admitted_until_ms(self, agent: AgentId) -> int | None:
        return self.until_ms

    def has_room(self, record: Record) -> bool:
        return self.has_room_for_strangers


def facts(*held: Record) -> Overlay:
    """Return a node that accepted these records, in this order."""
    overlay = Overlay(NoFacts())
    for record in held:
        overlay.note(record)
    return overlay
