"""What goes wrong among nodes: some come and go, are cut off, or are slow.

These are parts of a scenario (`sim.scenario`), which the simulator and a mesh of
real nodes share.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from moltp2p.core.errors import UsageError
from moltp2p.testing.sim.latency import STRICT, Share

Seconds = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]

GROUP_PATTERN: Final = r"^[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*$"
Group = Annotated[str, Field(pattern=GROUP_PATTERN, max_length=1_000)]
"""Nodes by index: numbers and ranges, with commas between."""


@dataclass(frozen=True, config=STRICT)
class Sessions:
    """Nodes come and go at random.

    Attributes:
        share: how many do; the others stay.
        online_s: how long they stay on average (exponentially distributed).
        away_s: how long they are away on average.
        from_s: when it begins.
        until_s: when it ends, and everybody comes back; by default never.
    """

    model: Literal["sessions"] = "sessions"
    share: Share = 0.5
    online_s: Positive = 60
    away_s: Positive = 30
    from_s: Seconds = 10
    until_s: Seconds | None = None


@dataclass(frozen=True, config=STRICT)
class Diurnal:
    """Nodes sleep, each at its own hour.

    Attributes:
        share: how many do; the others stay.
        day_s: how long a day is.
        awake_share: how much of it a node is online.
        from_s: when the first day begins.
    """

    model: Literal["diurnal"] = "diurnal"
    share: Share = 0.8
    day_s: Positive = 120
    awake_share: Annotated[float, Field(gt=0, lt=1)] = 0.6
    from_s: Seconds = 10


@dataclass(frozen=True, config=STRICT)
class Kills:
    """Nodes are killed at random, one at a time, and come back with their store.

    Attributes:
        per_s: how many a second, over all nodes (a Poisson process).
        away_s: how long each stays away.
        from_s: when it begins.
        until_s: when it ends; by default with the load.
    """

    per_s: Annotated[float, Field(gt=0, le=100)] = 0.1
    model: Literal["kills"] = "kills"
    away_s: Positive = 2
    from_s: Seconds = 10
    until_s: Seconds | None = None


@dataclass(frozen=True, config=STRICT)
class Kill:
    """One node's death and return.

    Attributes:
        node: which one, by index.
        at_s: when it is killed.
        back_s: when it is started again.
    """

    node: int
    at_s: float
    back_s: float


def plan_kills(
    kills: Kills, count: int, until_s: float, rng: random.Random
) -> list[Kill]:
    """Return who is killed when, in order; nobody while away, and never everybody."""
    planned: list[Kill] = []
    back_s: dict[int, float] = {}
    end_s = until_s if kills.until_s is None else kills.until_s
    now = kills.from_s + rng.expovariate(kills.per_s)
    while now < end_s:
        present = [node for node in range(count) if back_s.get(node, 0) <= now]
        if len(present) > 1:
            node = rng.choice(present)
            back_s[node] = now + kills.away_s
            planned.append(Kill(node, now, back_s[node]))
        now += rng.expovariate(kills.per_s)
    return planned


Churn = Annotated[Sessions | Diurnal | Kills, Field(discriminator="model")]


@dataclass(frozen=True, config=STRICT)
class Partition:
    """Sides that cannot reach each other for a while.

    Attributes:
        at_s: when it begins.
        until_s: when it heals.
        share: how many nodes are on the other side, where no groups are named; a
            sample of all.
        groups: who is on which side, as in `["0-2,7", "3-6"]`; whoever is in none
            is on the first.
        notice_s: after how long a connection across is given up.
    """

    at_s: Seconds
    until_s: Seconds
    share: Share = 0.5
    groups: tuple[Group, ...] = ()
    notice_s: Seconds = 15

    def sides(self, count: int, rng: random.Random) -> list[int]:
        """Return the side of each node, by index.

        Raises:
            UsageError: `bad-scenario` when a group names a node that does not
                exist, or that another has, or there is only one group.
        """
        if not self.groups:
            others = rng.sample(range(count), round(count * self.share))
            return [int(node in others) for node in range(count)]
        return sides_of([_members(group) for group in self.groups], count)


def sides_of(
    groups: Sequence[Sequence[int]], count: int, code: str = "bad-scenario"
) -> list[int]:
    """Return the side of each of so many nodes; who is in no group is on the first.

    Args:
        groups: nodes by index.
        count: how many there are.
        code: of the error.

    Raises:
        UsageError: `code` when a group names a node that does not exist, or that
            another has, or there are fewer than two groups.
    """
    if len(groups) < 2:
        hint = "name a group for each side"
        raise UsageError(code, "a partition of one group parts nobody", hint)
    found: dict[int, int] = {}
    for side, group in enumerate(groups):
        for node in group:
            if node not in range(count):
                hint = f"the nodes are 0 to {count - 1}"
                raise UsageError(code, f"partition: there is no node {node}", hint)
            if node in found:
                raise UsageError(code, f"partition: node {node} is twice")
            found[node] = side
    return [found.get(node, 0) for node in range(count)]


@dataclass(frozen=True, config=STRICT)
class Slow:
    """Nodes with a thin line, the last ones.

    Attributes:
        share: how many of the honest nodes.
        uplink_mbit: what each can send, all peers together.
        downlink_mbit: what each can take, likewise; 0 is without limit.
    """

    share: Share = 0.2
    uplink_mbit: Positive = 0.5
    downlink_mbit: Annotated[float, Field(ge=0)] = 0

    def first(self, count: int) -> int:
        """Return the first of so many nodes that is slow."""
        return count - round(count * self.share)


def _members(group: str) -> list[int]:
    """Return the nodes that a group names: `0-2,7`."""
    found: list[int] = []
    for part in group.split(","):
        first, _, last = part.partition("-")
        nodes = range(int(first), int(last or first) + 1)
        if not nodes:
            raise UsageError("bad-scenario", f"partition: {part} runs backwards")
        found += nodes
    return found
