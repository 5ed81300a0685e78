"""When a listener listened, and when not, from the spans that it noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from moltp2p.api.views import rfc3339


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the listener heard nothing.

    Attributes:
        from_ms: its beginning; where that was a crash, up to 10 s before it.
        until_ms: its end.
        crashed: whether nobody saw it begin.
    """

    from_ms: int
    until_ms: int
    crashed: bool


def listening(spans: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return when the node listened, and when not; None if it noted nothing."""
    running = _of("running", spans)
    if not running:
        return None
    hearing = _of("hearing", spans)
    begin, end = running[0]["from_ms"], running[-1]["until_ms"]
    uptime = sum(each["until_ms"] - each["from_ms"] for each in running)
    heard = sum(each["until_ms"] - each["from_ms"] for each in hearing)
    return {
        "from_ms": begin,
        "until_ms": end,
        "from": rfc3339(begin),
        "until": rfc3339(end),
        "uptime_s": uptime / 1000,
        "uptime_share": uptime / (end - begin) if end > begin else 1.0,
        "with_peers_s": heard / 1000,
        "gaps": [_gap(gap) for gap in gaps(running)],
        "without_peers": [_gap(gap) for gap in deaf(hearing, begin, end)],
    }


def gaps(spans: Sequence[dict[str, Any]]) -> Iterator[Gap]:
    """Yield what lies between spans, which are in order."""
    for one, other in pairwise(spans):
        if other["from_ms"] > one["until_ms"]:
            yield Gap(one["until_ms"], other["from_ms"], not one["ended"])


def deaf(
    hearing: Sequence[dict[str, Any]], begin_ms: int, end_ms: int
) -> Iterator[Gap]:
    """Yield when there was no peer, from the first start to the last end."""
    edges = [
        {"from_ms": begin_ms, "until_ms": begin_ms, "ended": True},
        *hearing,
        {"from_ms": end_ms, "until_ms": end_ms, "ended": True},
    ]
    return gaps(edges)


def _of(state: str, spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [each for each in spans if each["span"] == state]
    return sorted(found, key=lambda each: each["from_ms"])


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "from_ms": gap.from_ms,
        "until_ms": gap.until_ms,
        "from": rfc3339(gap.from_ms),
        "seconds": (gap.until_ms - gap.from_ms) / 1000,
        "crashed": gap.crashed,
    }
