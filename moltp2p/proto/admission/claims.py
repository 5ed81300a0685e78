"""The proofs that a census looks at, found in four ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from sortedcontainers import SortedList

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
        self._times: SortedList[tuple[int, AgentId]] = SortedList()
        self._sizes: dict[int, dict[RecordId, Claim]] = defaultdict(dict)

    def of(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return an agent's proofs, newest first."""
        return self._claims.get(agent, ())

    def attested_by(self, issuer: AgentId) -> Iterable[AgentId]:
        """Return for whom an agent attests."""
        return self._subjects.get(issuer, ())

    def count(self, window: Window) -> int:
        """Return how many proofs are looked through for a window."""
        if window.below is None:
            return self._last(window) - self._first(window)
        return sum(len(self._sizes.get(size, ())) for size in _sizes(window.below))

    def within(self, window: Window) -> Iterable[AgentId]:
        """Return whose proofs lie in a window."""
        if window.below is None:
            found = self._times.islice(self._first(window), self._last(window))
            return [agent for _, agent in found]
        return [
            claim.subject
            for size in _sizes(window.below)
            for claim in self._sizes.get(size, {}).values()
            if window.since_ms <= claim.time_ms < window.until_ms
        ]

    def _first(self, window: Window) -> int:
        return int(self._times.bisect_left((window.since_ms, b"")))

    def _last(self, window: Window) -> int:
        return int(self._times.bisect_left((window.until_ms, b"")))

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
            del self._sizes[claim.size.bit_length()][claim.record]
        for claim in set(claims) - were:
            self._times.add((claim.time_ms, subject))
            self._sizes[claim.size.bit_length()][claim.record] = claim
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


def _sizes(below: int) -> Iterable[int]:
    """Return the lengths in bits of the sizes below a power of two."""
    return range(below.bit_length())


def _issuers(claims: Iterable[Claim]) -> set[AgentId]:
    return {vouch.issuer for claim in claims for vouch in claim.vouches}


def _recency(claim: Claim) -> tuple[int, RecordId]:
    return claim.time_ms, claim.record
