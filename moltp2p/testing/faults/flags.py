"""What the flags of `moltp2p mesh` mean, in the words of a scenario.

    --latency 50                                 network.latency: constant, ms 50
    --latency lognormal,median_ms=80,sigma=0.4   network.latency: that model
    --partition 0-2|3-5@10s-40s                  partition: groups, at_s, until_s
    --kill 0.1,away_s=5                          churn: kills, per_s 0.1, away_s 5
    --slow 0.2,uplink_mbit=1                     slow: share 0.2, uplink_mbit 1
    --behaviour replay,per_beat=20               sybils.behaviours: that one

A number or a name, and then fields as in a scenario file.
"""

from __future__ import annotations

import re
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.testing.sim.library import parse_override, put

Table = dict[str, object]

_NUMBER: Final = re.compile(r"^[0-9]+(\.[0-9]+)?$")
_SPAN: Final = re.compile(r"^([0-9]+(?:\.[0-9]+)?)s?-([0-9]+(?:\.[0-9]+)?)s?$")


def latency(text: str) -> Table:
    """Return `network.latency`: milliseconds one way, or a model and its fields.

    Raises:
        UsageError: `bad-option`.
    """
    hint = "write milliseconds, or a model: 50, uniform,from_ms=10,to_ms=90"
    head, fields = _split("--latency", text, hint)
    if (ms := _number(head.removesuffix("ms"))) is not None:
        return {"model": "constant", "ms": ms} | fields
    return {"model": head} | fields


def partition(text: str) -> Table:
    """Return `partition`: who is apart from whom, from when until when.

    Raises:
        UsageError: `bad-option`.
    """
    hint = "write groups of nodes, and seconds: 0-2|3-5@10s-40s"
    groups, at, span = text.rpartition("@")
    times = _SPAN.match(span.strip())
    sides = [side.strip() for side in groups.split("|")]
    if not at or times is None or len(sides) < 2 or not all(sides):
        raise UsageError("bad-option", f"--partition {text}: not understood", hint)
    at_s, until_s = float(times[1]), float(times[2])
    if at_s >= until_s:
        raise UsageError("bad-option", f"--partition {text}: ends before it begins")
    return {"groups": sides, "at_s": at_s, "until_s": until_s}


def kills(text: str) -> Table:
    """Return `churn`: how many nodes a second are killed, and fields.

    Raises:
        UsageError: `bad-option`.
    """
    hint = "write kills a second, over all nodes: 0.1, or 0.1,away_s=5"
    return {"model": "kills", "from_s": 0} | _rated("--kill", text, "per_s", hint)


def slow(text: str) -> Table:
    """Return `slow`: which share of the nodes has a thin line, and how thin.

    Raises:
        UsageError: `bad-option`.
    """
    hint = "write a share of the nodes: 0.2, or 0.2,uplink_mbit=1,downlink_mbit=1"
    return _rated("--slow", text, "share", hint)


def behaviour(text: str) -> Table:
    """Return one of `sybils.behaviours`: its name, and fields.

    Raises:
        UsageError: `bad-option`.
    """
    hint = "write a name, and fields: silent, or dropper,share=0.5"
    name, fields = _split("--behaviour", text, hint)
    return {"name": name} | fields


def _rated(flag: str, text: str, field: str, hint: str) -> Table:
    head, fields = _split(flag, text, hint)
    number = _number(head)
    if number is None:
        raise UsageError("bad-option", f"{flag} {text}: {head!r} is no number", hint)
    return {field: number} | fields


def _split(flag: str, text: str, hint: str) -> tuple[str, Table]:
    head, *rest = (part.strip() for part in text.split(","))
    fields: Table = {}
    for part in rest:
        if "=" not in part or not head:
            raise UsageError("bad-option", f"{flag} {text}: not understood", hint)
        try:
            put(fields, *parse_override(part))
        except UsageError as error:
            raise UsageError(
                "bad-option", f"{flag} {text}: {error.message}", hint
            ) from None
    return head, fields


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.match(text) else None
