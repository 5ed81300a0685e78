"""What a census is about: proofs, places, and what it takes to have one (spec 07)."""

from __future__ import annotations

import bisect
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final

from sortedcontainers import SortedList

from moltp2p.core.attested import QUORUM
from moltp2p.core.codec import MAX_INT
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.work import SMALL_NETWORK, least_size

GROWTH: Final = 8
"""How many times as many challengers there may be as a ticket was drawn from."""

_MOST: Final = 2**36
_SIZES: Final = tuple(
    bisect.bisect_left(range(_MOST), GROWTH << power, key=least_size)
    for power in range(1, 32)
)
"""How many must be of age for a size of 2, 4, 8… to be asked of tickets. Powers of
two: what changed with each newcomer would have everybody's place found anew."""


class State(enum.Enum):
    """What an agent may do (spec 07, section 8)."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    CHALLENGER = "challenger"


class Objection(enum.Enum):
    """Why an attestation does not help its subject to count (spec 07, section 7)."""

    UNVERIFIED = "attester-unverified"
    LOW = "attester-not-above"
    BEYOND_DEPTH = "beyond-depth"
    YOUNG = "attester-too-young"
    EXPIRED = "expired"
    FUTURE = "from-the-future"
    CHEATED = "attester-cheated"
    KEY_UNKNOWN = "key-unknown"
    REVOKED = "revoked"
    WEAK_TICKET = "weak-ticket"
    TOO_FEW = "too-few"


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
        of_age_ms: since when it has been of age; None if it is not.
    """

    depth: int
    since_ms: int
    of_age_ms: int | None = None

    @property
    def of_age(self) -> bool:
        """Tell whether it proved itself long before as well."""
        return self.of_age_ms is not None


@dataclass(frozen=True, slots=True)
class Window:
    """Which proofs a change of a bar may concern.

    Attributes:
        since_ms: the first time of a proof.
        until_ms: the first time that is too late.
        below: only those with tickets of less than this size; None for all.
    """

    since_ms: int
    until_ms: int
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """What it takes to count at one depth, by the time of a proof.

    Attributes:
        steps: from when on the quorum is 2, 3 and 4, while the network is small.
        mature_ms: from when on the full rules hold; `MAX_INT` for never.
        sizes: from when on a ticket's size must be 2, 4, 8 and so on.
    """

    steps: tuple[int, ...] = ()
    mature_ms: int = MAX_INT
    sizes: tuple[int, ...] = ()

    @property
    def is_mature(self) -> bool:
        """Tell whether the full rules hold for proofs of any time."""
        return self.mature_ms == 0

    def quorum(self, time_ms: int) -> int:
        """Return how many attestations a proof of that time needs."""
        if time_ms >= self.mature_ms:
            return QUORUM
        return 1 + bisect.bisect_right(self.steps, time_ms)

    def least_size(self, time_ms: int) -> int:
        """Return from how many its ticket must at least be drawn."""
        if time_ms < self.mature_ms:
            return 1
        return 1 << bisect.bisect_right(self.sizes, time_ms)

    def windows(self, other: Bar) -> Iterator[Window]:
        """Yield where two bars differ."""
        ours = chain([self.mature_ms], self.steps)
        theirs = chain([other.mature_ms], other.steps)
        for was, now in zip_longest(ours, theirs, fillvalue=MAX_INT):
            if was != now:
                yield Window(min(was, now), max(was, now))
        sizes = zip_longest(self.sizes, other.sizes, fillvalue=MAX_INT)
        for power, (was, now) in enumerate(sizes, start=1):
            if was != now:
                yield Window(min(was, now), max(was, now), 1 << power)


class Above:
    """Those who stand above a depth, in order of time: what makes its bar."""

    __slots__ = ("_of_age", "_since")

    def __init__(self) -> None:
        self._since: SortedList[int] = SortedList()
        self._of_age: SortedList[int] = SortedList()

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self._since)

    @property
    def of_age(self) -> int:
        """Return how many of them are of age."""
        return len(self._of_age)

    def add(self, place: Place) -> None:
        """Take somebody in."""
        self._since.add(place.since_ms)
        if place.of_age_ms is not None:
            self._of_age.add(place.of_age_ms)

    def remove(self, place: Place) -> None:
        """Let somebody go."""
        self._since.remove(place.since_ms)
        if place.of_age_ms is not None:
            self._of_age.remove(place.of_age_ms)

    def bar_now(self) -> Bar:
        """Return the bar for whoever is to count now, whatever a proof's time."""
        if self.of_age >= SMALL_NETWORK:
            steps = bisect.bisect_right(_SIZES, self.of_age)
            return Bar(mature_ms=0, sizes=(0,) * steps)
        return Bar(self._steps())

    def bar_then(self) -> Bar:
        """Return the bar for whoever counted once, by the time of the proof."""
        ages = self._of_age
        if self.of_age < SMALL_NETWORK:
            return Bar(self._steps())
        sizes = _SIZES[: bisect.bisect_right(_SIZES, self.of_age)]
        times = tuple(ages[size - 1] for size in sizes)
        return Bar(self._steps(), ages[SMALL_NETWORK - 1], times)

    def _steps(self) -> tuple[int, ...]:
        # The 4th, 6th and 8th to count: half of them is a quorum of 2, 3 and 4.
        return tuple(self._since[3 : 2 * QUORUM : 2])
