"""Which records somebody wants: by whom, where, of what kind, from when."""

from __future__ import annotations

from dataclasses import dataclass

from moltp2p.core.ids import AgentId
from moltp2p.core.record import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Records that have all that is asked for; by default every record.

    Attributes:
        community: posted there.
        agent: by that agent.
        kinds: of these kinds; None for all.
        since_ms: whose author's clock showed this or later, milliseconds since 1970.
        until_ms: whose author's clock showed less; None for no end.
    """

    community: str | None = None
    agent: AgentId | None = None
    kinds: frozenset[int] | None = None
    since_ms: int = 0
    until_ms: int | None = None

    def has(self, header: Header) -> bool:
        """Tell whether the record with this header is one of them."""
        return (
            (self.community is None or header.community == self.community)
            and (self.agent is None or header.agent == self.agent)
            and (self.kinds is None or header.kind in self.kinds)
            and self.since_ms <= header.time_ms
            and (self.until_ms is None or header.time_ms < self.until_ms)
        )
