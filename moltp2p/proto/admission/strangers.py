"""The room for what agents say before they count: they need some, and pay nothing.

Whoever wants to be counted must be able to show its key chain and its proof; and who
was cheated by a challenger must be able to say so. All that costs nothing to make, by
any number of agents, and is kept by everybody; so there is room for so much, and what
finds none waits in the pen, or comes by reconciliation later (spec 07, section 8).

A proof has cost its ticket, so it always finds room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record

MAX_STRANGERS: Final = 65_536  # SPEC 07: "65,536 agents"
"""Inceptions of about 300 bytes: some 40 MB on disk with their indexes."""
MAX_STRANGER_BYTES: Final = 67_108_864  # SPEC 07: "67,108,864 bytes"
MAX_TESTIMONIES: Final = 16  # SPEC 07: "16 records of each"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much room there is; less in tests."""

    agents: int = MAX_STRANGERS
    size_bytes: int = MAX_STRANGER_BYTES
    testimonies: int = MAX_TESTIMONIES


@dataclass(slots=True)
class _Held:
    records: int = 0
    size_bytes: int = 0


class Strangers:
    """Keeps count of what is held of agents that never counted."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._held: dict[AgentId, _Held] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many strangers there are."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Tell whether there is room for no further agent."""
        return len(self._held) >= self._limits.agents

    def has_room(self, record: Record) -> bool:
        """Tell whether there is room for a record of a stranger."""
        header = record.header
        if header.kind == Kind.PROOF:
            return True
        held = self._held.get(header.agent)
        if held is None and self.is_full:
            return False
        if header.kind == Kind.INCEPTION:
            return True
        if held is not None and held.records >= self._limits.testimonies:
            return False
        return self._bytes + _size_of(record) <= self._limits.size_bytes

    def add(self, agents: Iterable[AgentId]) -> None:
        """Count agents that are held already and never counted."""
        for agent in agents:
            self._held.setdefault(agent, _Held())

    def note(self, record: Record) -> None:
        """Count a record of a stranger that is kept."""
        header = record.header
        held = self._held.setdefault(header.agent, _Held())
        if header.kind not in (Kind.INCEPTION, Kind.PROOF):
            held.records += 1
            held.size_bytes += _size_of(record)
            self._bytes += _size_of(record)

    def forget(self, agents: Iterable[AgentId]) -> None:
        """Let agents go that are strangers no more."""
        for agent in agents:
            held = self._held.pop(agent, None)
            if held is not None:
                self._bytes -= held.size_bytes


def _size_of(record: Record) -> int:
    return len(record.sign1) + (record.header.body_bytes or 0)
