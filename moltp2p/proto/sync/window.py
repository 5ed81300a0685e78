"""Windows of time: which records two peers compare, recent ones first.

agents, all time │ the rest: last hour │ last day │ before
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from moltp2p.proto.sync.messages import Window
from moltp2p.proto.sync.responder import AGENTS

LADDER_MS: Final = (3_600_000, 86_400_000)  # SPEC 06: "the last hour, the last day"


def ladder(window: Window, now_ms: int) -> list[Window]:
    """Return the same as several windows, in the order in which to compare them.

    Whoever lacks much gets the key chains first, and then what is recent.
    """
    rest = tuple(topic for topic in window.topics if topic != AGENTS)
    windows = [replace(window, topics=(AGENTS,))] if AGENTS in window.topics else []
    until_ms = window.until_ms
    for age_ms in LADDER_MS:
        since_ms = now_ms - age_ms
        if rest and window.since_ms < since_ms < until_ms:
            windows.append(Window(rest, since_ms, until_ms))
            until_ms = since_ms
    if rest:
        windows.append(Window(rest, window.since_ms, until_ms))
    return windows


def within_horizon(
    topics: Sequence[int], until_ms: int, horizon_ms: int
) -> list[Window]:
    """Return what to compare in a round: all that is kept of these topics.

    Args:
        topics: their numbers.
        until_ms: the first time that is not compared.
        horizon_ms: before it, only what is on the agents' topic is kept.
    """
    windows = [Window(tuple(sorted(topics)), horizon_ms, until_ms)]
    if horizon_ms and AGENTS in topics:
        windows.append(Window((AGENTS,), 0, horizon_ms))
    return windows


def is_part(part: Window, window: Window) -> bool:
    """Tell whether one window lies within another, and is not all of it."""
    return (
        part != window
        and bool(part.topics)
        and set(part.topics) <= set(window.topics)
        and window.since_ms <= part.since_ms < part.until_ms <= window.until_ms
    )


def without(window: Window, part: Window) -> list[Window]:
    """Return what is left of a window beside a part of it, oldest first."""
    left = []
    if window.since_ms < part.since_ms:
        left.append(replace(window, until_ms=part.since_ms))
    others = tuple(topic for topic in window.topics if topic not in part.topics)
    if others:
        left.append(replace(window, topics=others, since_ms=part.since_ms))
    if part.until_ms < window.until_ms:
        left.append(replace(window, topics=part.topics, since_ms=part.until_ms))
    return left
