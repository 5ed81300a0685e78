"""What is counted of one peer, and the score that the counts make (spec 05).

A score is either *blame*, below zero, or *credit*, which is zero or more. Credit
is what a peer earned by lasting in meshes and by bringing messages first; it
counts only while there is no blame at all. So nothing good that a peer does, in
whatever topic, makes up for what it did wrong: that was CVE-2022-47547.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from moltp2p.proto.address import IpNetwork
from moltp2p.proto.gossip.score_settings import (
    BEHAVIOUR_DECAY,
    BEHAVIOUR_WEIGHT,
    COLOCATION_WEIGHT,
    DECAY_TO_ZERO,
    FAULT_DECAY,
    FAULT_WEIGHT,
    FIRST_DECAY,
    FIRST_WEIGHT,
    FREE_BEHAVIOUR,
    FREE_FAULTS,
    FREE_NEIGHBOURS,
    GOSSIP_THRESHOLD,
    GRAYLIST_THRESHOLD,
    INVALID_DECAY,
    INVALID_WEIGHT,
    MAX_BEHAVIOUR,
    MAX_CREDIT,
    MAX_FAULTS,
    MAX_FIRST,
    MAX_INVALID,
    MAX_TIME,
    PUBLISH_THRESHOLD,
    TIME_WEIGHT,
    decay,
)

_FIRST_FADE: Final = decay(FIRST_DECAY)
_INVALID_FADE: Final = decay(INVALID_DECAY)
_FAULT_FADE: Final = decay(FAULT_DECAY)
_BEHAVIOUR_FADE: Final = decay(BEHAVIOUR_DECAY)


@dataclass(frozen=True, slots=True)
class ScoreParts:
    """A peer's score, and what it is made of; for people.

    Attributes:
        score: `blame` when there is any, else `credit`.
        credit: of all topics, capped.
        blame: the sum of the four below; never above zero.
        invalid: for messages that were REJECTed (P4).
        faults: for what the layers around the router held against it (P5).
        colocation: for how many peers share its address (P6).
        behaviour: for breaking gossip's rules (P7).
        topics: the credit of each topic (P1 and P2).
        means: what the score lets it do: `welcome`, `kept-out` of meshes, also
            `no-gossip`, also `no-messages`, or `graylisted`.
    """

    score: float
    credit: float
    blame: float
    invalid: float
    faults: float
    colocation: float
    behaviour: float
    topics: Mapping[str, float]
    means: str


@dataclass(slots=True)
class TopicCredit:
    """What a peer earned in one topic.

    Attributes:
        firsts: messages that it was the first to bring, decaying.
        in_mesh: heartbeats that it has been in our mesh.
    """

    firsts: float = 0.0
    in_mesh: int = 0

    def value(self) -> float:
        """Return the credit."""
        return FIRST_WEIGHT * self.firsts + TIME_WEIGHT * self.in_mesh


@dataclass(slots=True, eq=False)
class Standing:
    """One peer's counts.

    Attributes:
        origin: the address, or the /64, that it is counted with; None when its
            address is exempt or unknown.
        score: made of the counts below, as they were when `settle` was called.
        topics: credit by topic, where there is any.
        invalid: messages of its that were REJECTed.
        faults: what the layers around the router held against it.
        neighbours: how many peers share its origin, itself included.
        behaviour: how often it broke gossip's rules.
    """

    origin: IpNetwork | None = None
    score: float = 0.0
    topics: dict[str, TopicCredit] = field(default_factory=dict)
    invalid: float = 0.0
    faults: float = 0.0
    neighbours: int = 0
    behaviour: float = 0.0

    @property
    def is_graylisted(self) -> bool:
        """Whether nothing that the peer sends is looked at."""
        return self.score < GRAYLIST_THRESHOLD

    @property
    def may_publish(self) -> bool:
        """Whether messages are exchanged with the peer."""
        return self.score >= PUBLISH_THRESHOLD

    @property
    def may_gossip(self) -> bool:
        """Whether announcements and requests are exchanged with the peer."""
        return self.score >= GOSSIP_THRESHOLD

    @property
    def may_mesh(self) -> bool:
        """Whether the peer may be in a mesh."""
        return self.score >= 0

    def first(self, topic: str) -> None:
        """Count a message that the peer was the first to bring.

        Credit shows in the score at the next heartbeat, blame at once.
        """
        credit = self.topics.get(topic)
        if credit is None:
            credit = self.topics[topic] = TopicCredit()
        credit.firsts = min(MAX_FIRST, credit.firsts + 1.0)

    def reject(self) -> None:
        """Count a message that was REJECTed."""
        self.invalid = min(MAX_INVALID, self.invalid + 1)
        self.settle()

    def fault(self, count: float) -> None:
        """Count what the layers around the router held against the peer."""
        self.faults = min(MAX_FAULTS, self.faults + count)
        self.settle()

    def misbehave(self, count: int) -> None:
        """Count breaches of gossip's rules."""
        self.behaviour = min(MAX_BEHAVIOUR, self.behaviour + count)
        self.settle()

    def settle(self) -> None:
        """Make the score anew."""
        is_clean = (
            not self.invalid
            and self.faults <= FREE_FAULTS
            and self.neighbours <= FREE_NEIGHBOURS
            and self.behaviour <= FREE_BEHAVIOUR
        )
        self.score = self._credit() if is_clean else self._blame()

    def fade(self) -> None:
        """Let one heartbeat pass over every count."""
        if self.invalid:
            self.invalid = _faded(self.invalid, _INVALID_FADE)
        if self.faults:
            self.faults = _faded(self.faults, _FAULT_FADE)
        if self.behaviour:
            self.behaviour = _faded(self.behaviour, _BEHAVIOUR_FADE)
        for credit in self.topics.values():
            credit.firsts = _faded(credit.firsts, _FIRST_FADE)

    def note_meshes(self, topics: Mapping[str, object]) -> None:
        """Count one heartbeat in the meshes of `topics`, and in no other.

        What the peer earned in a mesh that it is no longer in is gone.
        """
        spent = []
        for topic, credit in self.topics.items():
            if topic not in topics:
                credit.in_mesh = 0
                if not credit.firsts:
                    spent.append(topic)
        for topic in spent:
            del self.topics[topic]
        for topic in topics:
            known = self.topics.setdefault(topic, TopicCredit())
            known.in_mesh = min(MAX_TIME, known.in_mesh + 1)

    def depart(self) -> bool:
        """Drop all credit; return whether there is a count that must be kept.

        It is kept also where it is forgiven so far: else coming and going would
        make anything forgiven. An origin that many share is nobody's own doing.
        """
        self.topics.clear()
        self.neighbours = 0
        self.settle()
        return bool(self.invalid or self.faults or self.behaviour)

    def explain(self) -> ScoreParts:
        """Return the score and what it is made of."""
        # Adding a zero turns -0.0, which people find odd, into 0.0.
        return ScoreParts(
            score=self.score,
            credit=self._credit(),
            blame=self._blame() + 0.0,
            invalid=self._invalid() + 0.0,
            faults=self._faults() + 0.0,
            colocation=self._colocation() + 0.0,
            behaviour=self._behaviour() + 0.0,
            topics={topic: each.value() for topic, each in self.topics.items()},
            means=self._means(),
        )

    def _credit(self) -> float:
        total = 0.0
        for credit in self.topics.values():
            total += credit.value()
        return min(MAX_CREDIT, total)

    def _blame(self) -> float:
        return self._invalid() + self._faults() + self._colocation() + self._behaviour()

    def _invalid(self) -> float:
        return INVALID_WEIGHT * self.invalid**2

    def _faults(self) -> float:
        return FAULT_WEIGHT * max(0.0, self.faults - FREE_FAULTS)

    def _colocation(self) -> float:
        return COLOCATION_WEIGHT * max(0, self.neighbours - FREE_NEIGHBOURS) ** 2

    def _behaviour(self) -> float:
        return BEHAVIOUR_WEIGHT * max(0.0, self.behaviour - FREE_BEHAVIOUR) ** 2

    def _means(self) -> str:
        if self.may_mesh:
            return "welcome"
        if self.may_gossip:
            return "kept-out"
        if self.may_publish:
            return "no-gossip"
        return "graylisted" if self.is_graylisted else "no-messages"


def _faded(count: float, factor: float) -> float:
    count *= factor
    return count if count >= DECAY_TO_ZERO else 0.0
