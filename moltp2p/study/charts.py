"""The pictures of a report, each from plain figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from moltp2p.study.stats import DELAY_BOUNDS_MS, SHOWN_DEPTHS, Delays
from moltp2p.study.svg import (
    Frame,
    element,
    label,
    number,
    picture,
    plain,
    short,
    ticks,
)
from moltp2p.study.timeline import DAY_MS, HOUR_MS, MINUTE_MS, Shown

WIDTH: Final = 640
HEIGHT: Final = 260
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHADES: Final = 8
"""Steps from nothing to the most, in a map of hours."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS: Final = 6
RANKED_COLUMNS: Final = 24
"""Room for a name beside its bar."""


def activity(shown: Shown) -> str:
    """Return bars of posts, and of replies on top of them."""
    posts, replies = shown.counts["posts"], shown.counts["replies"]
    values = ticks(max(map(sum, zip(posts, replies, strict=True))))
    frame = _frame(values)
    bars = []
    for place, (under, over) in enumerate(zip(posts, replies, strict=True)):
        when = _moment(shown.begin_ms + place * shown.step_ms)
        about = f"{when}: {under:,} posts, {over:,} replies"
        pair = _bar(frame, len(posts), place, (0, under), "c1")
        pair += _bar(frame, len(posts), place, (under, under + over), "c2")
        bars.append(element("g", pair + element("title", about)))
    parts = [frame.grid(values), *bars, *_times(frame, shown)]
    return picture(WIDTH, HEIGHT, parts, "Posts and replies over time, as bars")


def growth(shown: Shown, series: str, colour: str) -> str:
    """Return a line of how many there were by each time."""
    totals = shown.totals(series)
    values = ticks(max(totals))
    frame = _frame(values)
    points = [frame.y(shown.before[series]), *map(frame.y, totals)]
    steps = [(frame.x(n / len(totals)), y) for n, y in enumerate(points)]
    line = " ".join(f"{number(x)},{number(y)}" for x, y in steps)
    corners = f"{number(frame.left)},{number(frame.bottom)}"
    end = f"{number(frame.right)},{number(frame.bottom)}"
    parts = [
        frame.grid(values),
        element("polygon", points=f"{corners} {line} {end}", class_=f"area {colour}"),
        element("polyline", points=line, class_=f"line {colour}"),
        element("circle", cx=frame.right, cy=points[-1], r=4, class_=f"dot {colour}"),
        *_times(frame, shown),
    ]
    return picture(WIDTH, HEIGHT, parts, f"{series} over time: {totals[-1]:,} at last")


def hours(counts: Sequence[Sequence[int]]) -> str:
    """Return a map of weekdays and hours: the darker, the more was said."""
    most = max(map(max, counts)) or 1
    left, top, size, high, gap = 46, 26, 24.5, 31.0, 3
    parts = [
        label(left + hour * size + size / 2, 14, f"{hour:02}", text_anchor="middle")
        for hour in range(0, 24, 3)
    ]
    for day, row in enumerate(counts):
        y = top + day * high
        parts.append(label(left - 10, y + 19, DAYS[day], text_anchor="end"))
        for hour, count in enumerate(row):
            shade = -(-count * SHADES // most)
            cell = element(
                "rect",
                element("title", f"{DAYS[day]} {hour:02}:00 UTC: {count:,} posts"),
                x=left + hour * size,
                y=y,
                width=size - gap,
                height=high - gap,
                rx=4,
                class_=f"cell s{shade}",
            )
            parts.append(cell)
    about = "Posts by weekday and hour, UTC"
    return picture(WIDTH, int(top + 7 * high + 6), parts, about)


def depths(counts: Sequence[int]) -> str:
    """Return bars of how deep replies are."""
    values = ticks(max(counts))
    frame = _frame(values)
    parts = [frame.grid(values)]
    for place, count in enumerate(counts):
        is_last = place + 1 == SHOWN_DEPTHS
        name = f"{place + 1}+" if is_last else str(place + 1)
        bar = _bar(frame, len(counts), place, (0, count), "c2", gap=0.3)
        about = element("title", f"{count:,} replies at depth {name}")
        parts += [
            element("g", bar + about),
            label(
                frame.x((place + 0.5) / len(counts)),
                frame.bottom + 20,
                name,
                text_anchor="middle",
            ),
        ]
    return picture(WIDTH, HEIGHT, parts, "Replies by depth")


def delays(found: Delays) -> str:
    """Return bars of how long records were on their way, by one road."""
    used = [place for place, count in enumerate(found.counts) if count]
    first, last = max(used[0] - 1, 0), min(used[-1] + 1, len(found.counts) - 1)
    counts = found.counts[first : last + 1]
    values = ticks(max(counts) * 1.15)
    frame = _frame(values)
    parts = [frame.grid(values)]
    for place, count in enumerate(counts):
        bounds = DELAY_BOUNDS_MS[first + place :][:2]
        about = f"{' to '.join(map(span, bounds))}: {count:,} records"
        bar = _bar(frame, len(counts), place, (0, count), "c3")
        parts.append(element("g", bar + element("title", about)))
        if (first + place) % 4 == 0:
            x = frame.x(place / len(counts))
            parts.append(
                label(x, frame.bottom + 20, span(bounds[0]), text_anchor="middle")
            )
    parts += _marks(frame, found, first, len(counts))
    about = f"Delay by {found.road}: half within {span(found.quantiles_ms['p50'])}"
    return picture(WIDTH, HEIGHT, parts, about)


def _marks(frame: Frame, found: Delays, first: int, size: int) -> Iterator[str]:
    """Yield a line at each quantile, its name above it."""
    for level, (name, delay_ms) in enumerate(found.quantiles_ms.items()):
        share = (_place(delay_ms) - first) / size
        x = frame.x(min(max(share, 0), 1))
        y = frame.top - 24 + 15 * level
        yield element("line", x1=x, x2=x, y1=y + 4, y2=frame.bottom, class_="mark")
        at_right = x > frame.right - 90
        yield label(
            x + (-6 if at_right else 6),
            y + 10,
            f"{name} {span(delay_ms)}",
            "note",
            text_anchor="end" if at_right else "start",
        )


def _place(delay_ms: float) -> float:
    """Return where among the bounds a delay is, between them too."""
    for place, (one, other) in enumerate(pairwise(DELAY_BOUNDS_MS)):
        if delay_ms < other:
            return place + max(delay_ms - one, 0) / (other - one)
    return len(DELAY_BOUNDS_MS) - 1


def ranking(rows: Sequence[tuple[str, int]], colour: str) -> str:
    """Return bars that lie, longest first, names at their left.

    Args:
        rows: names by strangers, and counts.
        colour: a class.
    """
    left, height = 190, 26
    most = max((count for _, count in rows), default=1)
    parts = []
    for place, (name, count) in enumerate(rows):
        y = place * height + 4
        width = max((WIDTH - left - 70) * count / most, 2)
        bar = element(
            "rect", x=left, y=y, width=width, height=height - 8, rx=4, class_=colour
        )
        parts += [
            label(
                left - 12,
                y + 14,
                plain(name, RANKED_COLUMNS),
                "name",
                text_anchor="end",
            ),
            element("g", bar + element("title", f"{plain(name)}: {count:,}")),
            label(left + width + 8, y + 14, short(count), "note"),
        ]
    return picture(WIDTH, len(rows) * height + 8, parts, "Ranking")


def _frame(values: Sequence[float]) -> Frame:
    return Frame(52, 30, WIDTH - 14, HEIGHT - 34, values[-1])


def _bar(
    frame: Frame,
    size: int,
    place: int,
    values: tuple[float, float],
    colour: str,
    gap: float = 0.18,
) -> str:
    """Return a bar between two values, in one of so many places."""
    low, high = values
    if high <= low:
        return ""
    width = (frame.right - frame.left) / size
    return element(
        "rect",
        x=frame.left + width * (place + gap / 2),
        y=frame.y(high),
        width=width * (1 - gap),
        height=max(frame.y(low) - frame.y(high), 0.5),
        rx=min(2.0, width / 4),
        class_=colour,
    )


def _times(frame: Frame, shown: Shown) -> Iterator[str]:
    """Yield a few moments below a frame."""
    size = len(shown.counts["posts"])
    step = max(-(-size // _TICKS), 1)
    spell = _speller(shown.step_ms, size * shown.step_ms)
    for place in range(0, size, step):
        x = frame.x((place + 0.5) / size)
        text = spell(shown.begin_ms + place * shown.step_ms)
        yield label(x, frame.bottom + 20, text, text_anchor="middle")


def _speller(step_ms: int, span_ms: int) -> Callable[[int], str]:
    """Return what names a moment as closely as the steps are."""
    form = "%b %Y" if span_ms > 700 * DAY_MS else "%d %b"
    if step_ms < DAY_MS and span_ms <= 5 * DAY_MS:
        form = "%d %b %H:%M" if span_ms > DAY_MS else "%H:%M"
    if step_ms < MINUTE_MS and span_ms < HOUR_MS:
        form = "%H:%M:%S"
    return lambda time_ms: _date(time_ms).strftime(form)


def _date(time_ms: int) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _moment(time_ms: int) -> str:
    return _date(time_ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(time_ms: float) -> str:
    """Return a short time in its best unit."""
    if time_ms < 1_000:
        return f"{time_ms:.3g} ms"
    if time_ms < 120_000:
        return f"{time_ms / 1_000:.3g} s"
    if time_ms < 2 * HOUR_MS:
        return f"{time_ms / MINUTE_MS:.3g} min"
    return f"{time_ms / HOUR_MS:.3g} h"
