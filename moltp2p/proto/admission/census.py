"""Who counts as an agent, in one node's own view (spec 07, section 7).

    depth 0    this node's agent, and those whom it has challenged itself
    depth d    those for whom enough challengers of less depth attest, by one proof

What is enough at a depth follows from those above it. So each depth follows from the
depths above, whatever the order in which records came, and nobody can hold up
somebody by whom he is held up himself. A change touches the agents that it moves.

While few challengers are of age, a proof must have what the network could give when
it was made: the quorum grows with those who counted by then, and who attests may be
new. Once enough are of age, the full rules hold for all proofs, however old.

The same is asked of the past: who has ever counted, each proof judged at its own
time. Then nothing expires, and the full rules hold for proofs from the time on when
enough had come of age. That is for what was said by those who are gone by now.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.core.work import SMALL_NETWORK
from moltp2p.proto.admission.claims import Claims
from moltp2p.proto.admission.rules import (
    Above,
    Bar,
    Claim,
    Objection,
    Place,
    State,
    Vouch,
)

MAX_DEPTH: Final = 6  # SPEC 07: "a depth of at most 6"
OF_AGE_MS: Final = 172_800_000  # SPEC 07: "172,800 seconds"

Owns = Callable[[AgentId, PublicKey], bool]
"""Whether a key is in an agent's key chain."""


class Census:
    """Keeps count of who counts.

    Args:
        me: this node's agent, if it has one.
        owns: looks into key chains.
        now_ms: our clock, milliseconds since 1970 UTC.
        ever: whether it is of all who have counted once, and not of those who do now.
    """

    def __init__(
        self, me: AgentId | None, owns: Owns, now_ms: int, *, ever: bool = False
    ) -> None:
        self._me = me
        self._owns = owns
        self._now_ms = now_ms
        self._ever = ever
        self._direct: dict[AgentId, tuple[int, int]] = {}
        self._claims = Claims()
        self._guilty_since: dict[AgentId, int] = {}
        self._revoked_at: dict[AgentId, int] = {}
        self._places: dict[AgentId, Place] = {}
        self._untils: dict[AgentId, tuple[int, ...]] = {}
        self._above = [Above() for _ in range(MAX_DEPTH + 1)]
        self._bars = self._raised()
        self._alarms: list[tuple[int, AgentId]] = []
        if me is not None:
            self._settle([me])

    # -- what is known ---------------------------------------------------------

    @property
    def is_mature(self) -> bool:
        """Return whether enough are of age for the full rules."""
        return self._above[-1].of_age >= SMALL_NETWORK

    @property
    def challengers(self) -> int:
        """Return how many challengers count, this node's own agent among them."""
        everybody = self._above[-1]
        return everybody.of_age if self.is_mature else everybody.count

    def state(self, agent: AgentId) -> State:
        """Return what an agent may do."""
        place = self._places.get(agent)
        if place is None:
            return State.UNVERIFIED
        may_attest = place.of_age or place.depth == 0 or not self._bars[-1].is_mature
        return State.CHALLENGER if may_attest else State.VERIFIED

    def place(self, agent: AgentId) -> Place | None:
        """Return where an agent stands; None when it does not count."""
        return self._places.get(agent)

    def agents(self) -> Mapping[AgentId, Place]:
        """Return all who count."""
        return self._places

    def claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the proofs of an agent that are looked at, newest first."""
        return self._claims.of(agent)

    def bars(self) -> tuple[Bar, ...]:
        """Return what it takes to count at each depth, from 1 on."""
        return self._bars

    def untils_ms(self, agent: AgentId) -> tuple[int, ...]:
        """Return until when each proof that lets an agent count does so.

        At any depth, and whether or not the agent counts for another reason.
        """
        if agent not in self._untils:
            untils = [self.until_ms(each) for each in self.claims(agent)]
            self._untils[agent] = tuple(each for each in untils if each is not None)
        return self._untils[agent]

    def until_ms(self, claim: Claim) -> int | None:
        """Return until when a proof lets its subject count; None if it does not.

        It need not be known to this census.
        """
        if self.is_revoked(claim):
            return None
        at_ms = self.at_ms(claim)
        found = (self._until(claim, depth, at_ms) for depth in range(1, MAX_DEPTH + 1))
        until_ms = max((each for each in found if each is not None), default=None)
        revoked_ms = self._revoked_at.get(claim.subject, -1)
        if until_ms is not None and claim.time_ms <= revoked_ms:
            return min(until_ms, revoked_ms)
        return until_ms

    def at_ms(self, claim: Claim) -> int:
        """Return when a proof has to hold for its subject to count."""
        return claim.time_ms if self._ever else self._now_ms

    def is_revoked(self, claim: Claim) -> bool:
        """Tell whether a proof counts no more since its subject took it back."""
        taken_back_ms = self._revoked_at.get(claim.subject, -1)
        return not self._ever and claim.time_ms <= taken_back_ms

    def direct_until_ms(self, agent: AgentId) -> int | None:
        """Return until when this node's own challenge of an agent holds."""
        _, until_ms = self._direct.get(agent, (0, 0))
        return (
            until_ms if until_ms > self._now_ms or (self._ever and until_ms) else None
        )

    # -- what happens; each returns those whose place has changed -----------------

    def challenge(self, agent: AgentId, time_ms: int, until_ms: int) -> set[AgentId]:
        """Note that this node has challenged an agent, which passed."""
        first_ms, last_ms = self._direct.get(agent, (time_ms, until_ms))
        self._direct[agent] = (min(first_ms, time_ms), max(last_ms, until_ms))
        self._ring(until_ms, agent)
        return self._settle([agent])

    def prove(self, *claims: Claim) -> set[AgentId]:
        """Note proofs; many at once cost less than one after the other."""
        for claim in claims:
            self._claims.add(claim)
            for vouch in claim.vouches:
                self._ring(vouch.expires_ms, claim.subject)
                self._ring(vouch.time_ms - MAX_AHEAD_MS, claim.subject)
            self._ring(claim.time_ms, claim.subject)
            self._ring(claim.time_ms + OF_AGE_MS, claim.subject)
        return self._settle(claim.subject for claim in claims)

    def withdraw(self, subject: AgentId, record: RecordId) -> set[AgentId]:
        """Note that a proof is held no more."""
        self._claims.remove(subject, record)
        return self._settle([subject])

    def convict(self, agent: AgentId, since_ms: int) -> set[AgentId]:
        """Note that an agent has cheated: what it attests from then on is void."""
        since = min(since_ms, self._guilty_since.get(agent, since_ms))
        self._guilty_since[agent] = since
        return self._settle([agent, *self._claims.attested_by(agent)])

    def revoke(self, agent: AgentId, time_ms: int) -> set[AgentId]:
        """Note that an agent takes back what it had proved until then.

        It has counted all the same: that takes back nothing of the past.
        """
        self._revoked_at[agent] = max(time_ms, self._revoked_at.get(agent, 0))
        return self._settle([agent])

    def rekey(self, agent: AgentId) -> set[AgentId]:
        """Note that an agent's key chain has changed."""
        return self._settle(self._claims.attested_by(agent))

    def advance(self, now_ms: int) -> set[AgentId]:
        """Move the clock on; what has expired counts no more."""
        self._now_ms = max(now_ms, self._now_ms)
        due = set()
        while self._alarms and self._alarms[0][0] <= self._now_ms:
            due.add(heapq.heappop(self._alarms)[1])
        return self._settle(due)

    # -- settling --------------------------------------------------------------

    def _ring(self, at_ms: int, agent: AgentId) -> None:
        if at_ms > self._now_ms and not self._ever:
            heapq.heappush(self._alarms, (at_ms, agent))

    def _settle(self, agents: Iterable[AgentId]) -> set[AgentId]:
        """Find the place of these agents anew, and of all whom that moves."""
        before: dict[AgentId, Place | None] = {}
        self._move(agents, before)
        # A bar follows from the depths above it, so that this ends: each turn makes
        # one more depth final.
        while (bars := self._raised()) != self._bars:
            were, self._bars = self._bars, bars
            self._move(self._concerned(were, bars), before)
        return {a for a, place in before.items() if place != self._places.get(a)}

    def _concerned(
        self, were: tuple[Bar, ...], bars: tuple[Bar, ...]
    ) -> Iterable[AgentId]:
        """Yield whose places may be others since bars moved."""
        for depth, (was, bar) in enumerate(zip(were, bars, strict=True), start=1):
            for window in was.windows(bar):
                for agent in self._claims.within(window):
                    place = self._places.get(agent)
                    # Whoever stands higher does so by another bar; at depth 0 one
                    # comes of age by the first.
                    if place is None or place.depth >= depth or depth == 1:
                        yield agent

    def _move(
        self, agents: Iterable[AgentId], before: dict[AgentId, Place | None]
    ) -> None:
        # Depths end, so that two who held each other up sink until they drop out.
        waiting = dict.fromkeys(agents)
        while waiting:
            agent, _ = waiting.popitem()
            self._untils.pop(agent, None)
            old, new = self._places.get(agent), self._find(agent)
            if new != old:
                before.setdefault(agent, old)
                self._note(agent, old, new)
                if _weight(old) != _weight(new):
                    waiting |= dict.fromkeys(self._claims.attested_by(agent))

    def _note(self, agent: AgentId, old: Place | None, new: Place | None) -> None:
        if old is not None:
            for above in self._above[old.depth :]:
                above.remove(old)
        if new is None:
            del self._places[agent]
        else:
            self._places[agent] = new
            for above in self._above[new.depth :]:
                above.add(new)

    def _find(self, agent: AgentId) -> Place | None:
        if agent == self._me:
            return Place(0, 0, 0)
        claims = [each for each in self.claims(agent) if not self.is_revoked(each)]
        if self.direct_until_ms(agent) is not None:
            of_age_ms = self._of_age_ms(self._enough(claims, 1))
            return Place(0, self._direct[agent][0], of_age_ms)
        for depth in range(1, MAX_DEPTH + 1):
            if any(self._passes(each, depth, self.at_ms(each)) for each in claims):
                enough = self._enough(claims, depth)
                since_ms = min(each.time_ms for each in enough)
                return Place(depth, since_ms, self._of_age_ms(enough))
        return None

    def _passes(self, claim: Claim, depth: int, at_ms: int) -> bool:
        return self._until(claim, depth, at_ms) is not None

    def _until(self, claim: Claim, depth: int, at_ms: int) -> int | None:
        """Return until when a proof is enough at a depth; None if it is not."""
        bar = self._bars[depth - 1]
        if claim.size < bar.least_size(claim.time_ms):
            return None
        held = [each for each in claim.vouches if self.holds(each, depth, claim, at_ms)]
        quorum = bar.quorum(claim.time_ms)
        if len(held) < quorum:
            return None
        return sorted(each.expires_ms for each in held)[-quorum]

    def holds(self, vouch: Vouch, depth: int, claim: Claim, at_ms: int) -> bool:
        """Tell whether an attestation helps its subject to count at a depth."""
        return self.objection(vouch, depth, claim, at_ms) is None

    def objection(
        self, vouch: Vouch, depth: int, claim: Claim, at_ms: int
    ) -> Objection | None:
        """Return why an attestation does not help its subject to count at a depth."""
        if not vouch.time_ms - MAX_AHEAD_MS <= at_ms < vouch.expires_ms:
            return Objection.EXPIRED if at_ms >= vouch.expires_ms else Objection.FUTURE
        if vouch.time_ms >= self._guilty_since.get(vouch.issuer, vouch.expires_ms):
            return Objection.CHEATED
        place = self._places.get(vouch.issuer)
        if place is None:
            return Objection.UNVERIFIED
        if place.depth >= depth:
            return Objection.BEYOND_DEPTH if place.depth == MAX_DEPTH else Objection.LOW
        if not self._may_attest(place, depth, claim):
            return Objection.YOUNG
        is_own = self._owns(vouch.issuer, vouch.key)
        return None if is_own else Objection.KEY_UNKNOWN

    def objection_to(self, claim: Claim, depth: int) -> Objection | None:
        """Return why a whole proof does not let its subject count at a depth."""
        if self.is_revoked(claim):
            return Objection.REVOKED
        if claim.size < self._bars[depth - 1].least_size(claim.time_ms):
            return Objection.WEAK_TICKET
        if not self._passes(claim, depth, self.at_ms(claim)):
            return Objection.TOO_FEW
        return None

    def _may_attest(self, place: Place, depth: int, claim: Claim) -> bool:
        if place.depth == 0 or claim.time_ms < self._bars[depth - 1].mature_ms:
            return True
        if place.of_age_ms is None:
            return False
        return not self._ever or place.of_age_ms <= claim.time_ms

    def _enough(self, claims: Iterable[Claim], depth: int) -> list[Claim]:
        """Return which proofs are enough at a depth, now or at their own time."""
        return [
            each
            for each in claims
            if self._passes(each, depth, each.time_ms)
            or self._passes(each, depth, self.at_ms(each))
        ]

    def _of_age_ms(self, enough: list[Claim]) -> int | None:
        """Return since when somebody with these proofs has been of age."""
        ages = [
            max(second.time_ms, first.time_ms + OF_AGE_MS)
            for first in enough
            for second in enough
            if first.ticket != second.ticket
        ]
        of_age_ms = min(ages, default=None)
        if of_age_ms is None or (of_age_ms > self._now_ms and not self._ever):
            return None
        return of_age_ms

    def _raised(self) -> tuple[Bar, ...]:
        """Return what it takes to count at each depth, as things are."""
        above = self._above[:-1]
        if self._ever:
            return tuple(each.bar_then() for each in above)
        return tuple(each.bar_now() for each in above)


def _weight(place: Place | None) -> tuple[int, int | None] | None:
    """Return what of a place decides on what an attestation is worth."""
    return None if place is None else (place.depth, place.of_age_ms)
