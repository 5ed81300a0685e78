"""What records tell of agents: who counts, who may speak, who can be asked (spec 07).

    proofs, revocations, frauds, our own challenges ─▶ census: who counts now
                                                    └▶ census: who has ever counted
    availabilities ─▶ who can be applied to
    all else by those who never counted ─▶ the room that there is for strangers

What counts now is decided by now. What is over is judged at its own time, so that the
words of those who are gone can still be fetched by whoever comes later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import methodcaller
from typing import Final, assert_never

from moltp2p.core.challenge.attested import Attested, Availability, Proof
from moltp2p.core.challenge.fraud import Fraud
from moltp2p.core.challenge.testimony import ROUNDS
from moltp2p.core.forks import Fork
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import (
    CHAIN_KINDS,
    WITNESS_KINDS,
    Body,
    Kind,
    Post,
    Profile,
    parse_body,
)
from moltp2p.core.record import Record
from moltp2p.proto.admission.census import Census
from moltp2p.proto.admission.claims import Claims
from moltp2p.proto.admission.rules import Claim, State, Vouch
from moltp2p.proto.admission.strangers import Strangers
from moltp2p.proto.admission.view import Owns

LIVE_MS: Final = 86_400_000  # SPEC 07: "in the last 86,400 seconds"
MAX_LIVE: Final = 16_384
"""Agents whose availability is remembered; the one heard from longest ago goes."""
MAX_PENDING_FRAUDS: Final = 1_024
"""Frauds by keys that are not known to be the accused's; the oldest goes."""


@dataclass(frozen=True, slots=True)
class Live:
    """A challenger that has said lately that it can be asked.

    Attributes:
        agent: who it is.
        record: its availability.
        time_ms: the time of that record.
        says: what it says.
    """

    agent: AgentId
    record: RecordId
    time_ms: int
    says: Availability


class Register:
    """Learns from the records that are kept; answers who may speak.

    Args:
        me: this node's agent, if it has one.
        owns: looks into key chains.
        now_ms: our clock, milliseconds since 1970 UTC.

    Attributes:
        now: who counts now.
        ever: who has counted once.
        strangers: what is held of those who never counted.
    """

    def __init__(self, me: AgentId | None, owns: Owns, now_ms: int) -> None:
        claims = Claims()
        self.now = Census(me, owns, now_ms, claims=claims)
        self.ever = Census(me, owns, now_ms, ever=True, claims=claims)
        self.strangers = Strangers()
        self._me = me
        self._owns = owns
        self._now_ms = now_ms
        self._live: OrderedDict[AgentId, Live] = OrderedDict()
        self._frauds: OrderedDict[RecordId, tuple[Fraud, int]] = OrderedDict()

    # -- what is asked -----------------------------------------------------------

    def admitted_until_ms(self, agent: AgentId) -> int | None:
        """Return until when an agent's proofs admit what it says.

        None when it never counted. This node's own agent goes by its own proof, as
        it does for everybody else.
        """
        until_ms = max(self._every_until(self.now, agent), default=None)
        return self._past_until_ms(agent) if until_ms is None else until_ms

    def untils_ms(self, agent: AgentId) -> tuple[int, ...]:
        """Return until when each proof of an agent holds that does so now."""
        return self.now.untils_ms(agent)

    def has_room(self, record: Record) -> bool:
        """Tell whether there is room for testimony by one who never counted."""
        is_ours = record.header.agent == self._me
        return is_ours or self.strangers.has_room(record)

    def challengers(self, now_ms: int) -> list[Live]:
        """Return who can be asked, the one heard from last first."""
        since_ms = now_ms - LIVE_MS
        return [
            each for each in reversed(self._live.values()) if each.time_ms > since_ms
        ]

    def known(self, now_ms: int) -> int:
        """Return how many of those count as challengers."""
        live = self.challengers(now_ms)
        return sum(self.now.state(each.agent) is State.CHALLENGER for each in live)

    # -- what happens; each returns those who may be admitted otherwise -------------

    def note(self, record: Record) -> set[AgentId]:
        """Learn from a record that was accepted."""
        author = record.header.agent
        if record.header.kind not in WITNESS_KINDS:
            return set()
        moved = self._learn(record)
        if record.header.kind == Kind.PROOF:
            moved.add(author)
        if author != self._me and not self._is_in(author):
            self.strangers.note(record)
        self.strangers.forget(filter(self._is_in, moved))
        return moved

    def note_all(self, records: Iterable[Record]) -> None:
        """Learn from many records at once: all that is held, when a node starts."""
        claims = []
        for record in records:
            if record.header.kind == Kind.PROOF and record.body is not None:
                claims += _claims(record)
            else:
                self._learn(record)
        self._both(lambda census: census.prove(*claims))

    def meet(self, agents: Iterable[AgentId]) -> None:
        """Count those as strangers, of all that are held, who never counted."""
        others = (each for each in agents if each != self._me)
        self.strangers.add(each for each in others if not self._is_in(each))

    def believe(self, agent: AgentId, time_ms: int, until_ms: int) -> set[AgentId]:
        """Count an agent as challenged by this node, which has no key to say so."""
        moved = self._both(lambda census: census.challenge(agent, time_ms, until_ms))
        self.strangers.forget(filter(self._is_in, moved))
        return moved

    def advance(self, now_ms: int) -> set[AgentId]:
        """Move the clock on."""
        moved = self.now.advance(now_ms)
        self._now_ms = max(now_ms, self._now_ms)
        return moved

    def rekey(self, agent: AgentId, holds: Callable[[RecordId], bool]) -> set[AgentId]:
        """Learn that a key chain is another; what a thief had written may be gone.

        Args:
            agent: whose chain.
            holds: tells whether a record is still held.
        """
        moved = self._both(lambda census: census.rekey(agent))
        for claim in self.now.claims(agent):
            if not holds(claim.record):
                moved |= self._both(methodcaller("withdraw", agent, claim.record))
        for record, (fraud, since_ms) in list(self._frauds.items()):
            if fraud.accused == agent:
                moved |= self._accuse(record, fraud, since_ms)
        return moved

    # -- how -----------------------------------------------------------------------

    def _is_in(self, agent: AgentId) -> bool:
        return self.admitted_until_ms(agent) is not None

    def _learn(self, record: Record) -> set[AgentId]:
        header = record.header
        if header.kind == Kind.REVOCATION:
            return self._both(lambda each: each.revoke(header.agent, header.time_ms))
        if header.kind in CHAIN_KINDS or record.body is None:
            return set()
        return self._heed(record, parse_body(header.kind, record.body))

    def _heed(self, record: Record, said: Body | None) -> set[AgentId]:
        header = record.header
        match said:
            case Proof():
                claim = claim_of(record, said)
                return self._both(lambda census: census.prove(claim))
            case Attested():
                return self._attested(said)
            case Fraud():
                return self._accuse(record.id, said, header.time_ms)
            case Availability():
                self._announce(Live(header.agent, record.id, header.time_ms, said))
            case Post() | Profile() | Fork() | None:
                pass
            case _:
                assert_never(said)
        return set()

    def _both(self, tell: Callable[[Census], set[AgentId]]) -> set[AgentId]:
        return tell(self.now) | tell(self.ever)

    def _attested(self, attested: Attested) -> set[AgentId]:
        """Take an attestation of ours of two rounds: we have challenged its subject."""
        says = attested.says
        is_whole = says.ticket is not None or says.rounds == ROUNDS
        if says.issuer != self._me or not is_whole:
            return set()
        times = says.time_ms, says.expires_ms
        return self._both(lambda census: census.challenge(says.subject, *times))

    def _accuse(self, record: RecordId, fraud: Fraud, since_ms: int) -> set[AgentId]:
        """Convict whoever cheated, once the keys that did are known to be its own."""
        if not all(self._owns(fraud.accused, key) for key in fraud.keys):
            self._frauds[record] = (fraud, since_ms)
            if len(self._frauds) > MAX_PENDING_FRAUDS:
                self._frauds.popitem(last=False)
            return set()
        self._frauds.pop(record, None)
        times = fraud.times_ms or (since_ms,)
        return self._both(lambda census: census.convict(fraud.accused, min(times)))

    def _announce(self, live: Live) -> None:
        known = self._live.get(live.agent)
        if known is not None and known.time_ms >= live.time_ms:
            return
        if live.time_ms <= self._now_ms - LIVE_MS:
            return
        self._live[live.agent] = live
        self._live.move_to_end(live.agent)
        if len(self._live) > MAX_LIVE:
            self._live.popitem(last=False)

    def _past_until_ms(self, agent: AgentId) -> int | None:
        """Return until when an agent counted once, as far as that is over."""
        over = [
            each for each in self._every_until(self.ever, agent) if each <= self._now_ms
        ]
        return max(over, default=None)

    def _every_until(self, census: Census, agent: AgentId) -> Iterable[int]:
        yield from census.untils_ms(agent)
        direct_ms = census.direct_until_ms(agent)
        if direct_ms is not None and agent != self._me:
            yield direct_ms


def claim_of(record: Record, proof: Proof) -> Claim:
    """Return a proof as a census takes it."""
    return Claim(
        record.id,
        record.header.agent,
        record.header.time_ms,
        proof.value,
        proof.ticket.size,
        tuple(
            Vouch(says.issuer, says.signing_key, says.time_ms, says.expires_ms)
            for says in (each.says for each in proof.attested)
        ),
    )


def _claims(record: Record) -> list[Claim]:
    if record.body is None:
        return []
    said = parse_body(record.header.kind, record.body)
    return [claim_of(record, said)] if isinstance(said, Proof) else []
