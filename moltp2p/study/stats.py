"""Statistics of what a node holds: plain figures, for a table, JSON or a page."""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from moltp2p.core.kinds import Kind
from moltp2p.study.spans import listening
from moltp2p.study.tally import GRAPH_AGENTS, TOP_AGENTS, Tally
from moltp2p.study.timeline import Shown
from moltp2p.study.words import part_of

TOP_COMMUNITIES: Final = 16
GRAPH_EDGES: Final = 360
"""Pairs of agents that are drawn: those who answer each other most."""
OWN_EDGES: Final = 2
"""Of these each agent that is drawn has as many, if it has so many at all."""
SHOWN_DEPTHS: Final = 12
"""Deeper replies are counted with the deepest."""
DELAY_BOUNDS_MS: Final = tuple(round(10 ** (power / 4)) for power in range(25))
"""From 1 ms to 1,000 s, four bars to a power of ten; longer is with the last."""
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

_KINDS: Final = {kind.value: kind.name.lower() for kind in Kind}


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """An agent that is shown.

    Attributes:
        agent: its did:key.
        name: what its newest profile says, if it has one; a stranger wrote it.
        posts: how many posts and replies it wrote.
    """

    agent: str
    name: str | None
    posts: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Who answers whom, among those who do most.

    Attributes:
        agents: its nodes.
        edges: places in `agents` of who answers and who is answered, and how often.
    """

    agents: list[AgentFigures]
    edges: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Delays:
    """How long records were on their way, by one road.

    Attributes:
        road: gossip, sync, import or local.
        records: how many came by it.
        ahead: of these, how many were written by a clock ahead of ours.
        quantiles_ms: `p50`, `p90` and `p99`.
        counts: how many took at least each of `DELAY_BOUNDS_MS`, less than the next.
    """

    road: str
    records: int
    ahead: int
    quantiles_ms: dict[str, int]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Stats:
    """Everything that is told.

    Attributes:
        network: the network's id.
        role: the node's.
        records: records that were read.
        agents: agents of which a record was held; of a part, those who are in it.
        kinds: records by kind.
        posts: posts that answer nothing.
        replies: posts that do.
        communities: how many there are.
        deleted: records whose author deleted them.
        ai_generated: posts whose author says that a model wrote them.
        first_ms: the earliest time of a record; None without one.
        last_ms: the latest.
        over_time: posts, replies, and new agents and communities; None without any.
        hours: posts by weekday, Monday first, and hour, UTC.
        top_communities: the largest, and how many posts they have.
        top_agents: those who posted most.
        depths: replies by depth, from 1; the last has the deeper ones too.
        delays: by road, as far as a listener noted them.
        graph: who answers whom.
        missing: places of agents' sequences that were not held. One agent can make
            this as large as it likes.
        damaged: records that could not be read.
        fingerprint: of the node's set of records.
        listening: when the node ran; None unless it is a listener.
        with_gaps: agents of whom a place is missing.
        part: which part of all records it is, in words; empty for all.
    """

    network: str
    role: str
    records: int
    agents: int
    kinds: dict[str, int]
    posts: int
    replies: int
    communities: int
    deleted: int
    ai_generated: int
    first_ms: int | None
    last_ms: int | None
    over_time: Shown | None
    hours: list[list[int]]
    top_communities: list[tuple[str, int]]
    top_agents: list[AgentFigures]
    depths: list[int]
    delays: list[Delays]
    graph: Graph
    missing: int
    damaged: int
    fingerprint: str
    listening: dict[str, Any] | None
    with_gaps: int
    part: str

    @property
    def claimed_before(self) -> int:
        """Return how many posts and replies claim a time far before all others."""
        before = {} if self.over_time is None else self.over_time.before
        return before.get("posts", 0) + before.get("replies", 0)

    @property
    def begin_ms(self) -> int | None:
        """Return when it began, by all clocks but those."""
        if self.over_time is None or not self.claimed_before:
            return self.first_ms
        return self.over_time.begin_ms

    def view(self) -> dict[str, Any]:
        """Return it for JSON."""
        return dataclasses.asdict(self)


def summarise(tally: Tally) -> Stats:
    """Return what was counted, once the last frame was taken."""
    shown = tally.timeline.shown()
    replies = sum(_series(shown, "replies"))
    posts = sum(_series(shown, "posts"))
    return Stats(
        network=tally.head["network"],
        role=tally.head["role"],
        records=tally.end["records"],
        agents=tally.agents,
        kinds=_named(tally),
        posts=posts,
        replies=replies,
        communities=len(tally.communities),
        deleted=tally.deleted,
        ai_generated=tally.ai_generated,
        first_ms=tally.first_ms,
        last_ms=None if tally.first_ms is None else tally.last_ms,
        over_time=shown,
        hours=tally.hours,
        top_communities=_top(tally),
        top_agents=[
            _figures(tally, number)
            for number in tally.top_agents(TOP_AGENTS)
            if tally.posts_of(number)
        ],
        depths=_depths(tally),
        delays=[
            _delays(road, found) for road, found in tally.delays_ms.items() if found
        ],
        graph=_graph(tally),
        missing=tally.missing,
        damaged=tally.end["damaged"],
        fingerprint=tally.head["fingerprint"],
        listening=listening(tally.spans),
        with_gaps=tally.with_gaps,
        part=part_of(tally.selection),
    )


def _series(shown: Shown | None, name: str) -> list[int]:
    return [] if shown is None else [shown.before[name], *shown.counts[name]]


def _named(tally: Tally) -> dict[str, int]:
    return {
        _KINDS.get(kind) or str(kind): count
        for kind, count in sorted(tally.kinds.items())
    }


def _top(tally: Tally) -> list[tuple[str, int]]:
    order = sorted(tally.communities.items(), key=lambda each: (-each[1], each[0]))
    return order[:TOP_COMMUNITIES]


def _figures(tally: Tally, number: int) -> AgentFigures:
    agent = tally.agent(number)
    told = tally.told.get(agent, {})
    return AgentFigures(agent, told.get("name"), tally.posts_of(number))


def _depths(tally: Tally) -> list[int]:
    deepest = min(max(tally.depths, default=0), SHOWN_DEPTHS)
    counts = [0] * deepest
    for depth, count in tally.depths.items():
        counts[min(depth, deepest) - 1] += count
    return counts


def _delays(road: str, found: array[int]) -> Delays:
    order = sorted(max(each, 0) for each in found)
    counts = [0] * len(DELAY_BOUNDS_MS)
    place = 0
    for delay in order:
        while place + 1 < len(DELAY_BOUNDS_MS) and delay >= DELAY_BOUNDS_MS[place + 1]:
            place += 1
        counts[place] += 1
    quantiles = {name: _quantile(order, share) for name, share in QUANTILES.items()}
    ahead = sum(each < 0 for each in found)
    return Delays(road, len(order), ahead, quantiles, counts)


def _quantile(order: Sequence[int], share: float) -> int:
    return order[min(len(order) - 1, int(share * len(order)))]


def _graph(tally: Tally) -> Graph:
    numbers = tally.talkers(GRAPH_AGENTS)
    places = {number: place for place, number in enumerate(numbers)}
    found = [
        (places[one], places[other], times)
        for (one, other), times in sorted(tally.edges.items())
        if one != other and one in places and other in places
    ]
    found.sort(key=lambda edge: -edge[2])
    return Graph([_figures(tally, number) for number in numbers], _drawn(found))


def _drawn(edges: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return the strongest edges, and of each agent some, strongest first."""
    kept, ends = set[tuple[int, int, int]](), Counter[int]()
    for edge in edges:
        if min(ends[edge[0]], ends[edge[1]]) < OWN_EDGES:
            kept.add(edge)
            ends.update(edge[:2])
    others = (edge for edge in edges if edge not in kept)
    kept.update(islice(others, max(GRAPH_EDGES - len(kept), 0)))
    return [edge for edge in edges if edge in kept]
