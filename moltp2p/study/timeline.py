"""Counts over time, in buckets that grow with what is put in.

One record may claim any time there is, so what bounds memory is the number of buckets
that have something in them, and what is shown is where nearly all of it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

STEPS_MS: Final = (
    *(SECOND_MS, 5 * SECOND_MS, 15 * SECOND_MS, 30 * SECOND_MS),
    *(MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS),
    *(HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS),
    *(DAY_MS, 7 * DAY_MS, 28 * DAY_MS, 364 * DAY_MS),
)
"""How long a bucket may be; each is a multiple of the one before it."""

MAX_BUCKETS: Final = 8_192
SHOWN_BUCKETS: Final = 72
OUTLIERS: Final = 1_000
"""One count of so many may lie before what is shown,"""
FEW: Final = 24
ALWAYS: Final = 3
"""and of so many as much as one post can add: itself, its author and its community;"""
FARNESS: Final = 10
"""if that makes what is shown so many times closer."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Counts over time, as they are drawn.

    Attributes:
        begin_ms: where the first bucket begins.
        step_ms: how long a bucket is.
        counts: for each series, a count for each bucket.
        before: for each series, how much lies before the first bucket.
    """

    begin_ms: int
    step_ms: int
    counts: dict[str, list[int]]
    before: dict[str, int]

    def totals(self, series: str) -> list[int]:
        """Return how much there was by the end of each bucket."""
        return list(accumulate(self.counts[series], initial=self.before[series]))[1:]


class Timeline:
    """Counts of several series.

    Args:
        series: their names.
    """

    def __init__(self, series: Iterable[str]) -> None:
        self._names = tuple(series)
        self._places = {name: place for place, name in enumerate(self._names)}
        self._step = 0
        self._buckets: dict[int, list[int]] = {}

    def add(self, series: str, time_ms: int) -> None:
        """Count one."""
        bucket = time_ms // STEPS_MS[self._step]
        counts = self._buckets.get(bucket)
        if counts is None:
            counts = self._buckets[bucket] = [0] * len(self._names)
        counts[self._places[series]] += 1
        while len(self._buckets) > MAX_BUCKETS and self._step + 1 < len(STEPS_MS):
            self._coarsen()

    def shown(self) -> Shown | None:
        """Return the counts to be drawn; None when there are none."""
        if not self._buckets:
            return None
        first, last = self._range()
        step = self._step
        while (last - first) // STEPS_MS[step] >= SHOWN_BUCKETS:
            if step + 1 == len(STEPS_MS):
                break
            step += 1
        length = STEPS_MS[step]
        begin = first // length
        size = last // length - begin + 1
        counts = {name: [0] * size for name in self._names}
        before = dict.fromkeys(self._names, 0)
        for bucket, each in self._buckets.items():
            place = bucket * STEPS_MS[self._step] // length - begin
            for name, count in zip(self._names, each, strict=True):
                if place < 0:
                    before[name] += count
                else:
                    counts[name][place] += count
        return Shown(begin * length, length, counts, before)

    def _range(self) -> tuple[int, int]:
        """Return where nearly all begins, and where all ends, ms."""
        order, step = sorted(self._buckets), STEPS_MS[self._step]
        first, last = order[0], order[-1]
        closer = (
            bucket
            for bucket in self._first_few(order)
            if last - first > FARNESS * (last - bucket)
        )
        return next(closer, first) * step, last * step

    def _first_few(self, order: Sequence[int]) -> Iterator[int]:
        """Yield buckets, in order, before which there is next to nothing."""
        total = sum(map(sum, self._buckets.values()))
        left = max(total // OUTLIERS, ALWAYS if total >= FEW else 0)
        for bucket in order:
            yield bucket
            left -= sum(self._buckets[bucket])
            if left < 0:
                return

    def _coarsen(self) -> None:
        ratio = STEPS_MS[self._step + 1] // STEPS_MS[self._step]
        self._step += 1
        finer, self._buckets = self._buckets, {}
        for bucket, counts in finer.items():
            mine = self._buckets.setdefault(bucket // ratio, [0] * len(counts))
            for place, count in enumerate(counts):
                mine[place] += count
