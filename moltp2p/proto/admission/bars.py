"""What it takes to count at a depth (spec 07, section 7).

    how many challengers there are above it, and since when  ─▶ its bar
    a proof's time, and the size of its ticket               ─▶ how many must attest

Whoever knows the whole network asks for four. Whoever knows a part of it knows only a
part of those that a ticket has drawn, and asks for as large a part of four. So a node
that has just come finds the others, a depth at a time, though it has challenged three.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from sortedcontainers import SortedList

from moltp2p.core.challenge.attested import QUORUM
from moltp2p.core.challenge.work import MAX_SIZE, SMALL_NETWORK, least_size
from moltp2p.core.codec import MAX_INT
from moltp2p.proto.admission.rules import Place

SHARE: Final = 5  # SPEC 07: "five times the number"
"""More than four, since a number is rounded down, and no two know exactly the same."""
GROWTH: Final = 8
"""How many times as many challengers there may be as a ticket was drawn from."""

# SPEC 07: "1, 2 and so on to 16, and then 16 · 2^(i/4), rounded down"
NUMBERS: Final = (
    *range(1, SMALL_NETWORK + 1),
    *(int(SMALL_NETWORK * 2 ** (step / 4)) for step in range(1, 80)),
)
"""Numbers that make a difference. What changed with each newcomer would have
everybody's place found anew."""

_MOST: Final = 2**36
_SIZES: Final = tuple(
    bisect.bisect_left(range(_MOST), GROWTH << power, key=least_size)
    for power in range(1, 32)
)
"""How many must be of age for a size of 2, 4, 8… to be asked of tickets."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which proofs a change of a bar may concern.

    Attributes:
        since_ms: the first time of a proof.
        until_ms: the first time that is too late.
        least: the least size of its ticket.
        below: the first size that is too large.
    """

    since_ms: int
    until_ms: int
    least: int = 0
    below: int = MAX_SIZE + 1


@dataclass(frozen=True, slots=True)
class Bar:
    """What it takes to count at one depth, by time and ticket of a proof.

    Attributes:
        counted: when each of `NUMBERS` had begun to count, as far as they have.
        mature_ms: from when on the full rules hold; `MAX_INT` for never.
        of_age: when each of `NUMBERS` had come of age.
        sizes: from when on a ticket's size must be 2, 4, 8 and so on.
    """

    counted: tuple[int, ...] = ()
    mature_ms: int = MAX_INT
    of_age: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def is_mature(self) -> bool:
        """Tell whether the full rules hold for proofs of any time."""
        return self.mature_ms == 0

    def quorum(self, time_ms: int, size: int) -> int:
        """Return how many attestations a proof needs.

        Args:
            time_ms: its time.
            size: how many challengers its ticket was drawn from.
        """
        if time_ms >= self.mature_ms:
            return quorum_of(_number(self.of_age, time_ms), size, QUORUM)
        number = _number(self.counted, time_ms)
        return quorum_of(number, size, number // 2)

    def least_size(self, time_ms: int) -> int:
        """Return from how many its ticket must at least be drawn."""
        if time_ms < self.mature_ms:
            return 1
        return 1 << bisect.bisect_right(self.sizes, time_ms)

    def windows(self, other: Bar) -> Iterator[Window]:
        """Yield where two bars differ."""
        if self.mature_ms != other.mature_ms:
            yield Window(*sorted((self.mature_ms, other.mature_ms)))
        for ours, theirs in (self.counted, other.counted), (self.of_age, other.of_age):
            for at, span in _apart(ours, theirs):
                below = 0 if at == 0 else NUMBERS[at - 1]
                for least, most in _sizes_between(below, NUMBERS[at]):
                    yield Window(*span, least, most)
        for at, span in _apart(self.sizes, other.sizes):
            yield Window(*span, 0, 2 << at)


def quorum_of(number: int, size: int, most: int) -> int:
    """Return how many attestations are enough.

    Args:
        number: how many challengers are known.
        size: how many there were for whoever drew the ticket.
        most: how many it takes at most; 4 in any case.
    """
    # SPEC 07: "five times the number of those, divided by the `size`"
    return max(1, min(most, QUORUM, SHARE * number // size))


class Ranks:
    """Times in order, and when each of `NUMBERS` was reached."""

    __slots__ = ("_at", "_times")

    def __init__(self) -> None:
        self._times: SortedList[int] = SortedList()
        self._at: list[int] = []

    def __len__(self) -> int:
        """Return how many times there are."""
        return len(self._times)

    def __getitem__(self, rank: int) -> int:
        """Return one of them, the earliest first."""
        return int(self._times[rank])

    def add(self, time_ms: int) -> None:
        """Take a time in."""
        self._forget(self._times.bisect_left(time_ms))
        self._times.add(time_ms)

    def remove(self, time_ms: int) -> None:
        """Let one go."""
        self._forget(self._times.bisect_left(time_ms))
        self._times.remove(time_ms)

    def reached(self) -> tuple[int, ...]:
        """Return when each of `NUMBERS` was reached, as far as it was."""
        most = bisect.bisect_right(NUMBERS, len(self._times))
        for number in NUMBERS[len(self._at) : most]:
            self._at.append(self[number - 1])
        return tuple(self._at)

    def _forget(self, rank: int) -> None:
        """Forget what a change at a rank may change."""
        del self._at[bisect.bisect_right(NUMBERS, rank) :]


class Above:
    """Those who stand above a depth, in order of time: what makes its bar."""

    __slots__ = ("_of_age", "_since")

    def __init__(self) -> None:
        self._since = Ranks()
        self._of_age = Ranks()

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
        if self.of_age < SMALL_NETWORK:
            return Bar(self._since.reached())
        numbers = bisect.bisect_right(NUMBERS, self.of_age)
        sizes = bisect.bisect_right(_SIZES, self.of_age)
        return Bar((), 0, (0,) * numbers, (0,) * sizes)

    def bar_then(self) -> Bar:
        """Return the bar for whoever counted once, by the time of the proof."""
        counted = self._since.reached()
        if self.of_age < SMALL_NETWORK:
            return Bar(counted)
        sizes = _SIZES[: bisect.bisect_right(_SIZES, self.of_age)]
        times = tuple(self._of_age[size - 1] for size in sizes)
        mature_ms = self._of_age[SMALL_NETWORK - 1]
        return Bar(counted, mature_ms, self._of_age.reached(), times)


def _number(times: Sequence[int], time_ms: int) -> int:
    """Return which of `NUMBERS` had been reached by a time."""
    reached = bisect.bisect_right(times, time_ms)
    return NUMBERS[reached - 1] if reached else 0


def _apart(
    ours: Sequence[int], theirs: Sequence[int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield where two rows of times differ, and between which times."""
    for at, (was, now) in enumerate(zip_longest(ours, theirs, fillvalue=MAX_INT)):
        if was != now:
            yield at, (min(was, now), max(was, now))


def _sizes_between(number: int, larger: int) -> Iterator[tuple[int, int]]:
    """Yield of which sizes a quorum is another with more challengers."""
    if number // 2 != larger // 2 and number // 2 < QUORUM:
        yield 0, MAX_SIZE + 1
        return
    for quorum in range(2, QUORUM + 1):
        yield SHARE * number // quorum + 1, SHARE * larger // quorum + 1
