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

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from moltp2p.core.challenge.work import SMALL_NETWORK
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.proto.admission.alarms import Alarms
from moltp2p.proto.admission.bars import Above, Bar, Window
from moltp2p.proto.admission.claims import Claims
from moltp2p.proto.admission.rules import Claim, Place, State
from moltp2p.proto.admission.view import MAX_DEPTH, OF_AGE_MS, Owns, View

FEW: Final = 8
"""For so many agents somebody attests, about; what is looked through costs as much."""


class Census:
    """Keeps count of who counts. Changed by one thread, and asked by any.

    Args:
        me: this node's agent, if it has one.
        owns: looks into key chains.
        now_ms: our clock, milliseconds since 1970 UTC.
        ever: whether it is of all who have counted once, and not of those who do now.
        claims: the proofs; several censuses may share them.

    Attributes:
        view: what is known, and what a proof is worth by that; only to be read.
    """

    def __init__(
        self,
        me: AgentId | None,
        owns: Owns,
        now_ms: int,
        *,
        ever: bool = False,
        claims: Claims | None = None,
    ) -> None:
        claims = Claims() if claims is None else claims
        self.view = View(me, owns, now_ms, ever, claims)
        self._above = [Above() for _ in range(MAX_DEPTH + 1)]
        self._levels: list[set[AgentId]] = [set() for _ in range(MAX_DEPTH + 1)]
        self._alarms = Alarms()
        # A turn is odd while things change. What was found out in one holds until the
        # agent is looked at in a later one, or a bar moves.
        self._turn = 0
        self._bars_turn = 0
        self._looked: dict[AgentId, int] = {}
        self._untils: dict[AgentId, tuple[int, tuple[int, ...]]] = {}
        self.view.bars = self._raised()
        self._waiting: deque[AgentId] = deque()
        if me is not None:
            self._begin()
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
        return self._state(self.place(agent))

    def _state(self, place: Place | None) -> State:
        if place is None:
            return State.UNVERIFIED
        may_attest = place.of_age or place.depth == 0 or not self.bars()[-1].is_mature
        return State.CHALLENGER if may_attest else State.VERIFIED

    def standings(self) -> Counter[State]:
        """Return how many agents stand how; of the unverified, those with a proof."""
        # Each copy is made at once, whatever the other thread does meanwhile.
        places = self.view.places.copy()
        found = Counter(map(self._state, places.values()))
        found[State.UNVERIFIED] = len(self.view.claims.subjects() - places.keys())
        return found

    def place(self, agent: AgentId) -> Place | None:
        """Return where an agent stands; None when it does not count."""
        return self.view.places.get(agent)

    def agents(self) -> Mapping[AgentId, Place]:
        """Return all who count."""
        return self.view.places

    def claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the proofs of an agent that are looked at, newest first."""
        return self.view.claims.of(agent)

    def bars(self) -> tuple[Bar, ...]:
        """Return what it takes to count at each depth, from 1 on."""
        return self.view.bars

    def untils_ms(self, agent: AgentId) -> tuple[int, ...]:
        """Return until when each proof that lets an agent count does so.

        At any depth, and whether or not the agent counts for another reason.
        """
        turn = self._turn
        found_in, untils = self._untils.get(agent, (-1, ()))
        if found_in >= max(self._looked.get(agent, 0), self._bars_turn):
            return untils
        claims = self.claims(agent)
        found = [until for each in claims if (until := self.view.until_ms(each))]
        untils = tuple(found)
        if claims and not turn % 2:
            self._untils[agent] = turn, untils
        return untils

    def revoked_ms(self, agent: AgentId) -> int | None:
        """Return when an agent last took back what it had proved; None for never."""
        return self.view.revoked_at.get(agent)

    def direct_until_ms(self, agent: AgentId) -> int | None:
        """Return until when this node's own challenge of an agent holds."""
        return self.view.direct_until_ms(agent)

    # -- what happens; each returns those whose place has changed -----------------

    def challenge(self, agent: AgentId, time_ms: int, until_ms: int) -> set[AgentId]:
        """Note that this node has challenged an agent, which passed."""
        self._begin()
        direct = self.view.direct
        first_ms, last_ms, end_ms = direct.get(agent, (time_ms, time_ms, until_ms))
        times = min(first_ms, time_ms), max(last_ms, time_ms)
        direct[agent] = (*times, max(end_ms, until_ms))
        self._set_alarm(agent)
        return self._settle([agent])

    def prove(self, *claims: Claim) -> set[AgentId]:
        """Note proofs; many at once cost less than one after the other."""
        self._begin()
        subjects = dict.fromkeys(claim.subject for claim in claims)
        for claim in claims:
            self.view.claims.add(claim)
        for subject in subjects:
            self._set_alarm(subject)
        return self._settle(subjects)

    def withdraw(self, subject: AgentId, record: RecordId) -> set[AgentId]:
        """Note that a proof is held no more."""
        self._begin()
        self.view.claims.remove(subject, record)
        return self._settle([subject])

    def convict(self, agent: AgentId, since_ms: int) -> set[AgentId]:
        """Note that an agent has cheated: what it attests from then on is void."""
        self._begin()
        guilty_since = self.view.guilty_since
        guilty_since[agent] = min(since_ms, guilty_since.get(agent, since_ms))
        return self._settle([agent, *self.view.claims.attested_by(agent)])

    def revoke(self, agent: AgentId, time_ms: int) -> set[AgentId]:
        """Note that an agent takes back what it had proved until then.

        It has counted all the same: that takes back nothing of the past.
        """
        self._begin()
        revoked_at = self.view.revoked_at
        revoked_at[agent] = max(time_ms, revoked_at.get(agent, 0))
        return self._settle([agent])

    def rekey(self, agent: AgentId) -> set[AgentId]:
        """Note that an agent's key chain has changed."""
        self._begin()
        return self._settle(self.view.claims.attested_by(agent))

    def advance(self, now_ms: int) -> set[AgentId]:
        """Move the clock on; what has expired counts no more."""
        self._begin()
        self.view.now_ms = max(now_ms, self.view.now_ms)
        due = list(self._alarms.due(self.view.now_ms))
        for agent in due:
            self._set_alarm(agent)
        return self._settle(due)

    # -- settling --------------------------------------------------------------

    def _begin(self) -> None:
        self._turn += 1 + self._turn % 2

    def _set_alarm(self, agent: AgentId) -> None:
        """Have an agent looked at when next something of it begins or ends."""
        if self.view.ever:
            return
        moments = [self.view.direct.get(agent, (0, 0, 0))[2]]
        for claim in self.claims(agent):
            moments += (claim.time_ms, claim.time_ms + OF_AGE_MS)
            for vouch in claim.vouches:
                moments += (vouch.expires_ms, vouch.time_ms - MAX_AHEAD_MS)
        now_ms = self.view.now_ms
        to_come = (each for each in moments if each > now_ms)
        self._alarms.set(agent, min(to_come, default=None))

    def _settle(self, agents: Iterable[AgentId]) -> set[AgentId]:
        """Find the place of these agents anew, and of all whom that moves."""
        view, before = self.view, dict[AgentId, Place | None]()
        # A bar follows from the depths above it, so that this ends: each turn makes
        # one more depth final.
        while self._move(agents, before) and (bars := self._raised()) != view.bars:
            were, view.bars = view.bars, bars
            self._bars_turn = self._turn
            agents = self._concerned(were, bars)
        self._turn += 1
        return {a for a, place in before.items() if place != view.places.get(a)}

    def _concerned(
        self, were: tuple[Bar, ...], bars: tuple[Bar, ...]
    ) -> Iterator[AgentId]:
        """Yield whose places may be others since bars moved."""
        places = self.view.places
        for depth, (was, bar) in enumerate(zip(were, bars, strict=True), start=1):
            for window in was.windows(bar):
                for agent in self._near(depth, window):
                    place = places.get(agent)
                    # Whoever stands higher does so by another bar; at depth 0 one
                    # comes of age by the first.
                    if place is None or place.depth >= depth or depth == 1:
                        yield agent

    def _near(self, depth: int, window: Window) -> Iterable[AgentId]:
        """Return for whom a bar may matter: one above it attests, in the window."""
        claims, above = self.view.claims, self._levels[:depth]
        count, found = claims.within(window)
        if FEW * sum(map(len, above)) > count:
            return found
        issuers = (issuer for level in above for issuer in level)
        return {agent for issuer in issuers for agent in claims.attested_by(issuer)}

    def _move(
        self, agents: Iterable[AgentId], before: dict[AgentId, Place | None]
    ) -> bool:
        """Find places until none moves any more; return whether one did."""
        # Depths end, so that two who held each other up sink until they drop out.
        # First come, first served: whoever is near settles before who leans on it.
        waiting, has_moved = self._waiting, False
        waiting += dict.fromkeys(agents)
        queued = set(waiting)
        while waiting:
            agent = waiting[0]
            old, new = self.place(agent), self.view.find(agent)
            # Not before it is found: should the store fail, it is looked at next time.
            waiting.popleft()
            queued.discard(agent)
            self._looked[agent] = self._turn
            if new == old:
                continue
            has_moved = True
            before.setdefault(agent, old)
            self._note(agent, old, new)
            if self._weight(old) != self._weight(new):
                leaning = self.view.claims.attested_by(agent)
                waiting += (each for each in leaning if each not in queued)
                queued.update(leaning)
        return has_moved

    def _note(self, agent: AgentId, old: Place | None, new: Place | None) -> None:
        if old is not None:
            self._levels[old.depth].discard(agent)
            for above in self._above[old.depth :]:
                above.remove(old)
        if new is None:
            del self.view.places[agent]
        else:
            self.view.places[agent] = new
            self._levels[new.depth].add(agent)
            for above in self._above[new.depth :]:
                above.add(new)

    def _raised(self) -> tuple[Bar, ...]:
        """Return what it takes to count at each depth, as things are."""
        above = self._above[:-1]
        if self.view.ever:
            return tuple(each.bar_then() for each in above)
        return tuple(each.bar_now() for each in above)

    def _weight(self, place: Place | None) -> tuple[int, int | bool | None] | None:
        """Return what of a place decides on what an attestation is worth."""
        if place is None:
            return None
        return place.depth, place.of_age_ms if self.view.ever else place.of_age
