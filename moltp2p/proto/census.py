"""Who counts as an agent, in one node's own view (spec 07, section 7).

    depth 0    this node's agent, and those whom it has challenged itself
    depth d    those for whom enough challengers of less depth attest, by one proof

What is enough at a depth follows from those above it. So each depth follows from the
depths above, whatever the order in which records came, and nobody can hold up
somebody by whom he is held up himself. A change touches the agents that it moves.

While few challengers are of age, a proof must have what the network could give when
it was made: the quorum grows with those who counted by then, and who attests may be
new. Once enough are of age, the full rules hold for all proofs, however old.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from moltp2p.core.attested import QUORUM
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.core.work import SMALL_NETWORK, least_size
from moltp2p.proto.census_rules import Bar, Claim, Floor, Place, State, Vouch

MAX_DEPTH: Final = 6  # SPEC 07: "a depth of at most 6"
OF_AGE_MS: Final = 172_800_000  # SPEC 07: "172,800 seconds"
GROWTH: Final = 8
"""How many times as many challengers there may be now as a ticket was drawn from."""
CLAIMS_KEPT: Final = 4
"""Proofs of one agent that are looked at, the newest: one in force, one before it."""

Owns = Callable[[AgentId, PublicKey], bool]
"""Whether a key is in an agent's key chain."""


class Census:
    """Keeps count of who counts.

    Args:
        me: this node's agent, if it has one.
        owns: looks into key chains.
        now_ms: our clock, milliseconds since 1970 UTC.
    """

    def __init__(self, me: AgentId | None, owns: Owns, now_ms: int) -> None:
        self._me = me
        self._owns = owns
        self._now_ms = now_ms
        self._direct: dict[AgentId, tuple[int, int]] = {}
        self._claims: dict[AgentId, tuple[Claim, ...]] = {}
        self._attested_by: dict[AgentId, set[AgentId]] = defaultdict(set)
        self._guilty_since: dict[AgentId, int] = {}
        self._revoked_at: dict[AgentId, int] = {}
        self._places: dict[AgentId, Place] = {}
        self._floors = [Floor() for _ in range(MAX_DEPTH + 1)]
        self._bars = self._raised()
        self._alarms: list[tuple[int, AgentId]] = []
        if me is not None:
            self._settle([me])

    # -- what is known ---------------------------------------------------------

    @property
    def is_mature(self) -> bool:
        """Return whether enough are of age for the full rules."""
        return sum(floor.of_age for floor in self._floors) >= SMALL_NETWORK

    @property
    def challengers(self) -> int:
        """Return how many challengers count, this node's own agent among them."""
        if self.is_mature:
            return sum(floor.of_age for floor in self._floors)
        return sum(map(len, self._floors))

    def state(self, agent: AgentId) -> State:
        """Return what an agent may do."""
        place = self._places.get(agent)
        if place is None:
            return State.UNVERIFIED
        return (
            State.CHALLENGER
            if self._may_attest(place, self._bars[-1])
            else State.VERIFIED
        )

    def place(self, agent: AgentId) -> Place | None:
        """Return where an agent stands; None when it does not count."""
        return self._places.get(agent)

    def agents(self) -> Mapping[AgentId, Place]:
        """Return all who count."""
        return self._places

    def claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the proofs of an agent that are looked at, newest first."""
        return self._claims.get(agent, ())

    def bars(self) -> tuple[Bar, ...]:
        """Return what it takes to count at each depth, from 1 on."""
        return self._bars

    # -- what happens; each returns those whose place has changed -----------------

    def challenge(self, agent: AgentId, time_ms: int, until_ms: int) -> set[AgentId]:
        """Note that this node has challenged an agent, which passed."""
        first_ms, last_ms = self._direct.get(agent, (time_ms, until_ms))
        self._direct[agent] = (min(first_ms, time_ms), max(last_ms, until_ms))
        self._ring(until_ms, agent)
        return self._settle([agent])

    def prove(self, claim: Claim) -> set[AgentId]:
        """Note a proof."""
        subject = claim.subject
        known = {each.record: each for each in self.claims(subject)}
        known[claim.record] = claim
        ordered = sorted(known.values(), key=_recency, reverse=True)
        self._claims[subject] = tuple(ordered[:CLAIMS_KEPT])
        for vouch in claim.vouches:
            self._attested_by[vouch.issuer].add(subject)
            self._ring(vouch.expires_ms, subject)
            self._ring(vouch.time_ms - MAX_AHEAD_MS, subject)
        self._ring(claim.time_ms + OF_AGE_MS, subject)
        return self._settle([subject])

    def withdraw(self, subject: AgentId, record: RecordId) -> set[AgentId]:
        """Note that a proof is held no more."""
        rest = [each for each in self.claims(subject) if each.record != record]
        self._claims[subject] = tuple(rest)
        return self._settle([subject])

    def convict(self, agent: AgentId, since_ms: int) -> set[AgentId]:
        """Note that an agent has cheated: what it attests from then on is void."""
        since = min(since_ms, self._guilty_since.get(agent, since_ms))
        self._guilty_since[agent] = since
        return self._settle([agent, *self._attested_by[agent]])

    def revoke(self, agent: AgentId, time_ms: int) -> set[AgentId]:
        """Note that an agent takes back what it had proved until then."""
        self._revoked_at[agent] = max(time_ms, self._revoked_at.get(agent, 0))
        return self._settle([agent])

    def rekey(self, agent: AgentId) -> set[AgentId]:
        """Note that an agent's key chain has changed."""
        return self._settle(self._attested_by.get(agent, ()))

    def advance(self, now_ms: int) -> set[AgentId]:
        """Move the clock on; what has expired counts no more."""
        self._now_ms = max(now_ms, self._now_ms)
        due = set()
        while self._alarms and self._alarms[0][0] <= self._now_ms:
            due.add(heapq.heappop(self._alarms)[1])
        return self._settle(due)

    # -- settling --------------------------------------------------------------

    def _ring(self, at_ms: int, agent: AgentId) -> None:
        if at_ms > self._now_ms:
            heapq.heappush(self._alarms, (at_ms, agent))

    def _settle(self, agents: Iterable[AgentId]) -> set[AgentId]:
        """Find the place of these agents anew, and of all whom that moves."""
        before: dict[AgentId, Place | None] = {}
        self._move(agents, before)
        # A bar follows from the depths above it, so that this ends: each turn makes
        # one more depth final.
        while (bars := self._raised()) != self._bars:
            self._bars = bars
            self._move(list(self._claims), before)
        return {a for a, place in before.items() if place != self._places.get(a)}

    def _move(
        self, agents: Iterable[AgentId], before: dict[AgentId, Place | None]
    ) -> None:
        # Depths end, so that two who held each other up sink until they drop out.
        waiting = dict.fromkeys(agents)
        while waiting:
            agent, _ = waiting.popitem()
            old, new = self._places.get(agent), self._find(agent)
            if new != old:
                before.setdefault(agent, old)
                self._note(agent, old, new)
                waiting |= dict.fromkeys(self._attested_by.get(agent, ()))

    def _note(self, agent: AgentId, old: Place | None, new: Place | None) -> None:
        if old is not None:
            self._floors[old.depth].remove(old)
        if new is None:
            del self._places[agent]
        else:
            self._places[agent] = new
            self._floors[new.depth].add(new)

    def _find(self, agent: AgentId) -> Place | None:
        if agent == self._me:
            return Place(0, 0, of_age=True)
        challenged_ms, until_ms = self._direct.get(agent, (0, 0))
        claims = [each for each in self.claims(agent) if self._stands(each)]
        if until_ms > self._now_ms:
            bar = self._bars[0]
            of_age = any(self._is_of_age(claims, each, 1, bar) for each in claims)
            return Place(0, challenged_ms, of_age)
        since_ms = min((each.time_ms for each in claims), default=0)
        for depth, bar in enumerate(self._bars, start=1):
            for claim in claims:
                if self._passes(claim, depth, bar, self._now_ms):
                    of_age = self._is_of_age(claims, claim, depth, bar)
                    return Place(depth, since_ms, of_age)
        return None

    def _stands(self, claim: Claim) -> bool:
        return claim.time_ms > self._revoked_at.get(claim.subject, -1)

    def _passes(self, claim: Claim, depth: int, bar: Bar, now_ms: int) -> bool:
        if claim.size < bar.least_size:
            return False
        held = sum(self.holds(each, depth, now_ms) for each in claim.vouches)
        return held >= bar.quorum(claim.time_ms)

    def holds(self, vouch: Vouch, depth: int, now_ms: int) -> bool:
        """Tell whether an attestation helps its subject to count at a depth."""
        place = self._places.get(vouch.issuer)
        return (
            place is not None
            and place.depth < depth
            and self._may_attest(place, self._bars[depth - 1])
            and vouch.time_ms - MAX_AHEAD_MS <= now_ms < vouch.expires_ms
            and vouch.time_ms < self._guilty_since.get(vouch.issuer, vouch.expires_ms)
            and self._owns(vouch.issuer, vouch.key)
        )

    @staticmethod
    def _may_attest(place: Place, bar: Bar) -> bool:
        return place.of_age or place.depth == 0 or not bar.is_mature

    def _is_of_age(
        self, claims: list[Claim], current: Claim, depth: int, bar: Bar
    ) -> bool:
        """Tell whether an agent has proved itself long before, by another ticket."""
        return any(
            each.ticket != current.ticket
            and each.time_ms + OF_AGE_MS <= self._now_ms
            and self._passes(each, depth, bar, each.time_ms)
            for each in claims
        )

    # -- bars ------------------------------------------------------------------

    def _raised(self) -> tuple[Bar, ...]:
        """Return what it takes to count at each depth, as things are."""
        return tuple(self._bar(depth) for depth in range(1, MAX_DEPTH + 1))

    def _bar(self, depth: int) -> Bar:
        above = self._floors[:depth]
        of_age = sum(floor.of_age for floor in above)
        if of_age >= SMALL_NETWORK:
            # Rounded to a power of two: what changes with each newcomer would have
            # everybody's place found anew with each newcomer.
            size = least_size(of_age) // GROWTH
            return Bar(is_mature=True, least_size=1 << max(size.bit_length() - 1, 0))
        first = heapq.merge(*(floor.first(2 * QUORUM) for floor in above))
        times = list(first)[: 2 * QUORUM]
        # The 4th, 6th and 8th to count: half of them is a quorum of 2, 3 and 4.
        return Bar(steps=tuple(times[3::2]))


def _recency(claim: Claim) -> tuple[int, RecordId]:
    return claim.time_ms, claim.record
