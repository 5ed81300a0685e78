"""The proofs that a census looks at, found in four ways."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from moltp2p.core.ids import AgentId, RecordId
from moltp2p.proto.admission.rules import Claim, Window

CLAIMS_KEPT: Final = 4
"""Proofs of one agent that are looked at, the newest: one in force, one before it;
and the oldest, by which it has counted for so long."""


class Claims:
    """Proofs by subject, by issuer, by time, and by the size of their tickets."""

    def __init__(self) -> None:
        self._claims: dict[AgentId, tuple[Claim, ...]] = {}
        self._subjects: dict[AgentId, set[AgentId]] = defaultdict(set)
        self._times: list[tuple[int, AgentId]] = []
        self._sizes: dict[int, dict[RecordId, Claim]] = defaultdict(dict)

    def of(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return an agent's proofs, newest first."""
        return self._claims.get(agent, ())

    def attested_by(self, issuer: AgentId) -> Iterable[AgentId]:
        """Return for whom an agent attests."""
        return self._subjects.get(issuer, ())

    def within(self, window: Window) -> Iterable[AgentId]:
        """Return whose proofs lie in a window."""
        if window.below is None:
            first, last = ((each, b"") for each in (window.since_ms, window.until_ms))
            low = bisect.bisect_left(self._times, first)
            high = bisect.bisect_left(self._times, last)
            return [agent for _, agent in self._times[low:high]]
        sizes = range(window.below.bit_length())
        return [
            claim.subject
            for size in sizes
            for claim in self._sizes.get(size, {}).values()
            if window.since_ms <= claim.time_ms < window.until_ms
        ]

    def add(self, claim: Claim) -> None:
        """Take a proof in; another may make room for it."""
        known = {each.record: each for each in self.of(claim.subject)}
        known[claim.record] = claim
        ordered = sorted(known.values(), key=_recency, reverse=True)
        kept = ordered[:CLAIMS_KEPT] + ordered[CLAIMS_KEPT:][-1:]
        self._replace(claim.subject, tuple(kept))

    def remove(self, subject: AgentId, record: RecordId) -> None:
        """Forget a proof."""
        kept = (each for each in self.of(subject) if each.record != record)
        self._replace(subject, tuple(kept))

    def _replace(self, subject: AgentId, claims: tuple[Claim, ...]) -> None:
        were = set(self.of(subject))
        for claim in were - set(claims):
            del self._times[bisect.bisect_left(self._times, (claim.time_ms, subject))]
            del self._sizes[claim.size.bit_length()][claim.record]
        for claim in set(claims) - were:
            bisect.insort(self._times, (claim.time_ms, subject))
            self._sizes[claim.size.bit_length()][claim.record] = claim
        issuers = _issuers(claims)
        for issuer in _issuers(were) - issuers:
            self._subjects[issuer].discard(subject)
        for issuer in issuers:
            self._subjects[issuer].add(subject)
        self._claims[subject] = claims


def _issuers(claims: Iterable[Claim]) -> set[AgentId]:
    return {vouch.issuer for claim in claims for vouch in claim.vouches}


def _recency(claim: Claim) -> tuple[int, RecordId]:
    return claim.time_ms, claim.record
