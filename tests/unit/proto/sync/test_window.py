"""Windows of time: parts of one cover it, and cover it once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from moltp2p.core.codec import MAX_INT
from moltp2p.proto.sync.messages import Window
from moltp2p.proto.sync.window import LADDER_MS, ladder, without

NOW_MS = 1_760_000_000_000
HOUR_MS, DAY_MS = LADDER_MS
ALL = Window((0, 1, 2), 0, MAX_INT)


WINDOWS = {
    "all": ALL,
    "agents alone": Window((0,), 0, MAX_INT),
    "one shard": Window((3,), 0, MAX_INT),
    "the last minute": Window((0, 1), NOW_MS - 60_000, NOW_MS),
    "since yesterday": Window((1, 2), NOW_MS - DAY_MS - 5, MAX_INT),
}


def _covers(windows: list[Window], window: Window, rng: random.Random) -> bool:
    """Tell whether each place of a window lies in just one of several."""
    times = [window.since_ms, window.until_ms - 1, NOW_MS, NOW_MS - HOUR_MS - 1]
    times += [NOW_MS - rng.randrange(2 * DAY_MS) for _ in range(50)]

    def within(each: Window, topic: int, time_ms: int) -> bool:
        return topic in each.topics and each.since_ms <= time_ms < each.until_ms

    return all(
        sum(within(each, topic, time_ms) for each in windows)
        == within(window, topic, time_ms)
        for topic in range(5)
        for time_ms in times
    )


@pytest.mark.parametrize("name", WINDOWS)
def test_a_ladder_covers_its_window_once(name: str, rng: random.Random) -> None:
    windows = ladder(WINDOWS[name], NOW_MS)

    assert _covers(windows, WINDOWS[name], rng)
    assert [each.since_ms for each in windows if 0 not in each.topics] == sorted(
        (each.since_ms for each in windows if 0 not in each.topics), reverse=True
    )


PARTS: dict[str, Callable[[Window], Window]] = {
    "newer": lambda w: Window(w.topics, NOW_MS - 1_000, w.until_ms),
    "one topic": lambda w: Window(w.topics[:1], w.since_ms, w.until_ms),
    "in the middle": lambda w: Window(w.topics[:1], NOW_MS - 9_000, NOW_MS - 10),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", WINDOWS)
def test_a_part_and_what_is_left_cover_the_window_once(
    name: str, part: str, rng: random.Random
) -> None:
    cut = PARTS[part](WINDOWS[name])

    assert _covers([cut, *without(WINDOWS[name], cut)], WINDOWS[name], rng)
