"""What a census is about: proofs, places, and what it takes to have one (spec 07)."""

from __future__ import annotations

import bisect
import enum
from dataclasses import dataclass

from moltp2p.core.attested import QUORUM
from moltp2p.core.ids import AgentId, PublicKey, RecordId


class State(enum.Enum):
    """What an agent may do (spec 07, section 8)."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Vouch:
    """An attestation, as far as it matters here.

    Attributes:
        issuer: who attests.
        key: what signed it.
        time_ms: when it was given, by the issuer's clock.
        expires_ms: when it ceases to hold.
    """

    issuer: AgentId
    key: PublicKey
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A proof record, as far as it matters here.

    Attributes:
        record: the record.
        subject: its author.
        time_ms: its time.
        ticket: the value of the ticket.
        size: how many challengers the ticket was drawn from.
        vouches: the attestations in it.
    """

    record: RecordId
    subject: AgentId
    time_ms: int
    ticket: bytes
    size: int
    vouches: tuple[Vouch, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent stands among those who count.

    Attributes:
        depth: how far from this node's own challenges, from 0.
        since_ms: since when it has counted, milliseconds since 1970 UTC.
        of_age: whether it proved itself long before as well.
    """

    depth: int
    since_ms: int
    of_age: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """What it takes to count at one depth.

    Attributes:
        is_mature: whether the full rules hold there.
        least_size: how many challengers a ticket must at least be drawn from.
        steps: from when on the quorum is 2, 3 and 4 where they do not.
    """

    is_mature: bool = False
    least_size: int = 1
    steps: tuple[int, ...] = ()

    def quorum(self, time_ms: int) -> int:
        """Return how many attestations a proof of that time needs."""
        if self.is_mature:
            return QUORUM
        return 1 + sum(step <= time_ms for step in self.steps)


class Floor:
    """Those who stand at one depth: since when, and how many are of age."""

    __slots__ = ("_since", "of_age")

    def __init__(self) -> None:
        self.of_age = 0
        self._since: list[int] = []

    def __len__(self) -> int:
        return len(self._since)

    def first(self, count: int) -> list[int]:
        """Return since when the first of them have counted."""
        return self._since[:count]

    def add(self, place: Place) -> None:
        """Take somebody in."""
        self.of_age += place.of_age
        bisect.insort(self._since, place.since_ms)

    def remove(self, place: Place) -> None:
        """Let somebody go."""
        self.of_age -= place.of_age
        del self._since[bisect.bisect_left(self._since, place.since_ms)]
