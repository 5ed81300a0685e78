"""What a node knows of agents, and what a proof is worth by that (spec 07, section 7).

Here it is only looked up: a census says what is known, and where each agent stands.
Whoever asks from another thread while it does so gets an answer of before or after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.ids import AgentId, PublicKey
from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.proto.admission.bars import Bar
from moltp2p.proto.admission.claims import Claims
from moltp2p.proto.admission.rules import Claim, Objection, Place, Vouch

MAX_DEPTH: Final = 6  # SPEC 07: "a depth of at most 6"
OF_AGE_MS: Final = 172_800_000  # SPEC 07: "172,800 seconds"

Owns = Callable[[AgentId, PublicKey], bool]
"""Whether a key is in an agent's key chain."""

Backing = tuple[Place, Vouch]
"""An attestation that nothing speaks against but its time, and its issuer's place."""


@dataclass(slots=True)
class View:
    """All on which it depends who counts.

    Attributes:
        me: this node's agent, if it has one.
        owns: looks into key chains.
        now_ms: our clock, milliseconds since 1970 UTC.
        ever: whether it is of all who have counted once, and not of those who do now.
        claims: the proofs.
        direct: whom this node has challenged itself: first, last, and until when.
        guilty_since: from when on what somebody attests is void.
        revoked_at: until when somebody has taken back its proofs.
        places: where each agent stands that counts.
        bars: what it takes to count at each depth, from 1 on.
    """

    me: AgentId | None
    owns: Owns
    now_ms: int
    ever: bool
    claims: Claims
    direct: dict[AgentId, tuple[int, int, int]] = field(default_factory=dict)
    guilty_since: dict[AgentId, int] = field(default_factory=dict)
    revoked_at: dict[AgentId, int] = field(default_factory=dict)
    places: dict[AgentId, Place] = field(default_factory=dict)
    bars: tuple[Bar, ...] = ()

    # -- of one agent ------------------------------------------------------------------

    def find(self, agent: AgentId) -> Place | None:
        """Return where an agent stands, as all others do; None if it does not count."""
        if agent == self.me:
            return Place(0, 0, 0)
        is_direct = self.direct_until_ms(agent) is not None
        backed = [
            (claim, self._backings(claim))
            for claim in self.claims.of(agent)
            if not self.is_revoked(claim)
        ]
        if is_direct:
            of_age_ms = self._of_age_ms(self._enough(backed, 1))
            return Place(0, self.direct[agent][0], of_age_ms)
        heights = [place.depth for _, backings in backed for place, _ in backings]
        for depth in range(1 + min(heights, default=MAX_DEPTH), MAX_DEPTH + 1):
            if any(
                self._passes(each, by, depth, self.at_ms(each)) for each, by in backed
            ):
                enough = self._enough(backed, depth)
                since_ms = min(each.time_ms for each in enough)
                return Place(depth, since_ms, self._of_age_ms(enough))
        return None

    def direct_until_ms(self, agent: AgentId) -> int | None:
        """Return until when this node's own challenge of an agent holds."""
        _, last_ms, until_ms = self.direct.get(agent, (0, 0, 0))
        revoked_ms = self.revoked_at.get(agent, -1)
        if last_ms <= revoked_ms:
            until_ms = min(until_ms, revoked_ms) if self.ever else 0
        holds = until_ms > self.now_ms or (self.ever and until_ms > 0)
        return until_ms if holds else None

    # -- of one proof ------------------------------------------------------------------

    def until_ms(self, claim: Claim) -> int | None:
        """Return until when a proof lets its subject count; None if it does not.

        At any depth, and whether or not the agent counts for another reason. The
        proof need not be among those that are known.
        """
        if self.is_revoked(claim):
            return None
        at_ms, backings = self.at_ms(claim), self._backings(claim)
        found = [
            expiries[-self.bars[depth - 1].quorum(claim.time_ms, claim.size)]
            for depth in range(1, MAX_DEPTH + 1)
            if (expiries := self._expiries(claim, backings, depth, at_ms))
        ]
        until_ms = max(found, default=None)
        revoked_ms = self.revoked_at.get(claim.subject, -1)
        if until_ms is not None and claim.time_ms <= revoked_ms:
            return min(until_ms, revoked_ms)
        return until_ms

    def at_ms(self, claim: Claim) -> int:
        """Return when a proof has to hold for its subject to count."""
        return claim.time_ms if self.ever else self.now_ms

    def is_revoked(self, claim: Claim) -> bool:
        """Tell whether a proof counts no more since its subject took it back."""
        taken_back_ms = self.revoked_at.get(claim.subject, -1)
        return not self.ever and claim.time_ms <= taken_back_ms

    def objection_to(self, claim: Claim, depth: int) -> Objection | None:
        """Return why a whole proof does not let its subject count at a depth."""
        if self.is_revoked(claim):
            return Objection.REVOKED
        if claim.size < self.bars[depth - 1].least_size(claim.time_ms):
            return Objection.WEAK_TICKET
        if not self._passes(claim, self._backings(claim), depth, self.at_ms(claim)):
            return Objection.TOO_FEW
        return None

    # -- of one attestation ------------------------------------------------------------

    def objection(self, vouch: Vouch, depth: int, claim: Claim) -> Objection | None:
        """Return why an attestation does not help its subject to count at a depth."""
        at_ms = self.at_ms(claim)
        if not _is_in_time(vouch, at_ms):
            return Objection.EXPIRED if at_ms >= vouch.expires_ms else Objection.FUTURE
        if self._is_void(vouch):
            return Objection.CHEATED
        place = self.places.get(vouch.issuer)
        if place is None:
            return Objection.UNVERIFIED
        if place.depth >= depth:
            return Objection.BEYOND_DEPTH if place.depth == MAX_DEPTH else Objection.LOW
        if not self._may_attest(place, depth, claim):
            return Objection.YOUNG
        is_own = self.owns(vouch.issuer, vouch.key)
        return None if is_own else Objection.KEY_UNKNOWN

    # -- how ---------------------------------------------------------------------------

    def _backings(self, claim: Claim) -> list[Backing]:
        """Return by whom a proof is held up, at one depth or another."""
        return [
            (place, vouch)
            for vouch in claim.vouches
            if (place := self.places.get(vouch.issuer)) is not None
            and not self._is_void(vouch)
            and self.owns(vouch.issuer, vouch.key)
        ]

    def _is_void(self, vouch: Vouch) -> bool:
        since_ms = self.guilty_since.get(vouch.issuer)
        return since_ms is not None and vouch.time_ms >= since_ms

    def _may_attest(self, place: Place, depth: int, claim: Claim) -> bool:
        if place.depth == 0 or claim.time_ms < self.bars[depth - 1].mature_ms:
            return True
        if place.of_age_ms is None:
            return False
        return not self.ever or place.of_age_ms <= claim.time_ms

    def _passes(
        self, claim: Claim, backings: Sequence[Backing], depth: int, at_ms: int
    ) -> bool:
        return bool(self._expiries(claim, backings, depth, at_ms))

    def _expiries(
        self, claim: Claim, backings: Sequence[Backing], depth: int, at_ms: int
    ) -> list[int]:
        """Return when those expire that hold up a proof, in order; none if too few."""
        bar = self.bars[depth - 1]
        quorum = bar.quorum(claim.time_ms, claim.size)
        if len(backings) < quorum or claim.size < bar.least_size(claim.time_ms):
            return []
        held = [
            vouch.expires_ms
            for place, vouch in backings
            if place.depth < depth
            and _is_in_time(vouch, at_ms)
            and self._may_attest(place, depth, claim)
        ]
        return sorted(held) if len(held) >= quorum else []

    def _enough(
        self, backed: Iterable[tuple[Claim, list[Backing]]], depth: int
    ) -> list[Claim]:
        """Return which proofs are enough at a depth, now or at their own time."""
        return [
            claim
            for claim, backings in backed
            if self._passes(claim, backings, depth, claim.time_ms)
            or self._passes(claim, backings, depth, self.at_ms(claim))
        ]

    def _of_age_ms(self, enough: Sequence[Claim]) -> int | None:
        """Return since when somebody with these proofs has been of age."""
        ages = [
            max(second.time_ms, first.time_ms + OF_AGE_MS)
            for first in enough
            for second in enough
            if first.ticket != second.ticket
        ]
        of_age_ms = min(ages, default=None)
        if of_age_ms is None or (of_age_ms > self.now_ms and not self.ever):
            return None
        return of_age_ms


def _is_in_time(vouch: Vouch, at_ms: int) -> bool:
    return vouch.time_ms - MAX_AHEAD_MS <= at_ms < vouch.expires_ms
