"""The proofs that a census looks at, found in four ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
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
        self._vouches = 0

    @property
    def vouches(self) -> int:
        """Return how many attestations the proofs hold."""
        return self._vouches

    def subjects(self) -> set[AgentId]:
        """Return who has a proof."""
        return set(self._claims)

    def of(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return an agent's proofs, newest first."""
        return self._claims.get(agent, ())

    def attested_by(self, issuer: AgentId) -> Iterable[AgentId]:
        """Return for whom an agent attests."""
        return self._subjects.get(issuer, ())

    def within(self, window: Window) -> tuple[int, Iterator[AgentId]]:
        """Return how many proofs are looked through for a window, and whose it has.

        Perhaps of some more agents than those.
        """
        sizes, times = self._sizes, self._times
        least = sizes.bisect_left((window.least, 0, b""))
        below = sizes.bisect_left((window.below, 0, b""))
        if least == below:
            return 0, iter(())
        first = times.bisect_left((window.since_ms, b""))
        last = times.bisect_left((window.until_ms, b""))
        if last - first <= below - least:
            return last - first, (agent for _, agent in times.islice(first, last))
        found = sizes.islice(least, below)
        return below - least, (
            agent
            for _, time_ms, agent in found
            if window.since_ms <= time_ms < window.until_ms
        )

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
        self._vouches += _vouches(claims) - _vouches(were)
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


def _vouches(claims: Iterable[Claim]) -> int:
    return sum(len(claim.vouches) for claim in claims)


def _issuers(claims: Iterable[Claim]) -> set[AgentId]:
    return {vouch.issuer for claim in claims for vouch in claim.vouches}


def _recency(claim: Claim) -> tuple[int, RecordId]:
    return claim.time_ms, claim.record
