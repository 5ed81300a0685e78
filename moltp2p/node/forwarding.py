"""Judging what gossip brings: the journal rules, and rates say what is passed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import CHAIN_KINDS
from moltp2p.core.record import Record
from moltp2p.core.validate import Road, Ruling
from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.inbox import Incoming as Message
from moltp2p.net.gossip.inbox import Judgement
from moltp2p.node.journal import Journal
from moltp2p.node.pen import Incoming
from moltp2p.proto.ratelimit import Rate, RateLimiter, units

AGENT_BURST: Final = 8_192
# SPEC 05: "64 units a second are passed on, and 8,192 at once"
MAX_RATED_AGENTS: Final = 16_384
# SPEC 05: "| peers and agents whose rate is kept | 1,024 and 16,384 |"

NEEDLESS: Final = frozenset({"from-the-future", "body-missing"})
# SPEC 05: "(`from-the-future`, `body-missing`)"


def agent_rate(per_s: int) -> Rate | None:
    """Return the rate that an operator's setting means; 0 is none."""
    return Rate(per_s, max(per_s, AGENT_BURST)) if per_s else None


class GossipJudge:
    """The judge of `net.pubsub`: what it accepts is in the store, synced.

    Args:
        journal: rules on records and keeps them.
        agent_rate: of what is passed on for each agent; None for all. What exceeds
            it is kept, and no less valid (D11).
        now: seconds on a clock that never goes back.

    Attributes:
        passed_over: messages that came while nothing could be written. Reading goes
            on, so that peers see us keep up; reconciliation brings them again.
    """

    def __init__(
        self, journal: Journal, agent_rate: Rate | None, now: Callable[[], float]
    ) -> None:
        self._journal = journal
        self.passed_over = 0
        self._now = now
        self._limiter: RateLimiter[AgentId] | None = None
        if agent_rate is not None:
            self._limiter = RateLimiter(agent_rate, MAX_RATED_AGENTS)

    async def __call__(self, batch: Sequence[Message]) -> list[Judgement]:
        """Judge and store a batch; a disk that is full blames nobody."""
        came_ms = self._journal.clock_ms()
        incoming = [
            Incoming(each.data, Road.GOSSIP, each.topic, each.peer, came_ms)
            for each in batch
        ]
        try:
            rulings = await self._journal.submit(
                lambda desk: desk.rule(incoming), len(incoming)
            )
        except LocalError:
            self.passed_over += len(batch)
            return [Judgement(Verdict.IGNORE)] * len(batch)
        return [
            self._judgement(ruling, len(message.data))
            for ruling, message in zip(rulings, batch, strict=True)
        ]

    def _judgement(self, ruling: Ruling, size_bytes: int) -> Judgement:
        if ruling.verdict is Verdict.ACCEPT and ruling.record is not None:
            return Judgement(ruling.verdict, self._may_pass(ruling.record, size_bytes))
        return Judgement(ruling.verdict, needless=ruling.code in NEEDLESS)

    def _may_pass(self, record: Record, size_bytes: int) -> bool:
        header = record.header
        if self._limiter is None or header.kind in CHAIN_KINDS:
            return True  # by a chain, others judge what they have already
        return self._limiter.take(header.agent, units(size_bytes), self._now())
