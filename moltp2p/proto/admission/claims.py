"""The proofs that a census looks at, found in four ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from sortedcontainers import SortedList

from moltp2p.core.ids import AgentId, RecordId
from moltp2p.proto.admission.bars import Window
from moltp2p.proto.admission.rules import Claim

CLAIMS_KEPT: Final = 4
"""Proofs of one agent that are looked at, the newest: one in force, one before it;
and the oldest, by which it has counted for so long."""


class Claims:
    """Proofs by subject, by issuer, by time, and by the size of their tickets."""

    def __init__(self) -> None:
        self._claims: dict[AgentId, tuple[Claim, ...]] = {}
        self._subjects: dict[AgentId, set[AgentId]] = defaultdict(set)
        self._times: SortedList[tuple[int, AgentId]] = SortedList()
        self._sizes: SortedList[tuple[int, int, AgentId]] = SortedList()

    def of(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return an agent's proofs, newest first."""
        return self._claims.get(agent, ())

    def attested_by(self, issuer: AgentId) -> Iterable[AgentId]:
        """Return for whom an agent attests."""
        return self._subjects.get(issuer, ())

    def count(self, window: Window) -> int:
        """Return how many proofs are looked through for a window."""
        return min(_length(self._spans(window)[0]), _length(self._spans(window)[1]))

    def within(self, window: Window) -> Iterable[AgentId]:
        """Return whose proofs lie in a window; perhaps some more."""
        of_time, of_size = self._spans(window)
        if _length(of_time) <= _length(of_size):
            return [agent for _, agent in self._times.islice(*of_time)]
        return [
            agent
            for _, time_ms, agent in self._sizes.islice(*of_size)
            if window.since_ms <= time_ms < window.until_ms
        ]

    def _spans(self, window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return where the times, and the sizes, of a window begin and end."""
        times = ((each, b"") for each in (window.since_ms, window.until_ms))
        sizes = ((each, 0, b"") for each in (window.least, window.below))
        first_ms, last_ms = map(self._times.bisect_left, times)
        least, below = map(self._sizes.bisect_left, sizes)
        return (first_ms, last_ms), (least, below)

    def add(self, claim: Claim) -> None:
        """Take a proof in; another may make room for it."""
        known = {each.record: each for each in self.of(claim.subject)}
        if claim.record in known:
            return
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
            self._times.remove((claim.time_ms, subject))
            self._sizes.remove((claim.size, claim.time_ms, subject))
        for claim in set(claims) - were:
            self._times.add((claim.time_ms, subject))
            self._sizes.add((claim.size, claim.time_ms, subject))
        issuers = _issuers(claims)
        for issuer in _issuers(were) - issuers:
            self._subjects[issuer].discard(subject)
            if not self._subjects[issuer]:
                del self._subjects[issuer]
        for issuer in issuers:
            self._subjects[issuer].add(subject)
        if claims:
            self._claims[subject] = claims
        else:
            self._claims.pop(subject, None)


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _issuers(claims: Iterable[Claim]) -> set[AgentId]:
    return {vouch.issuer for claim in claims for vouch in claim.vouches}


def _recency(claim: Claim) -> tuple[int, RecordId]:
    return claim.time_ms, claim.record
