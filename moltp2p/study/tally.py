"""Counting what a survey tells: one pass, in bounded memory.

    records   over time, by community, by hour; who answers whom, how deep
    arrivals  how long each was on its way
    agents    the names of those that are shown

Posts and agents are known by eight bytes of their ids: two that begin alike would be
taken for one, which among a million happens once in 40 million stores.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter, defaultdict
from typing import Any, Final

from moltp2p.core.ids import AgentId, agent_text, parse_agent
from moltp2p.core.kinds import Kind
from moltp2p.core.selection import Selection
from moltp2p.core.validate import Road
from moltp2p.store.survey import AGENTS, ARRIVALS, END, HEAD, PRESENCE, RECORDS
from moltp2p.study.frames import json_lines
from moltp2p.study.held import Held, arrivals_in, records_in
from moltp2p.study.timeline import DAY_MS, HOUR_MS, Timeline

KNOWN_POSTS: Final = 2_000_000
"""Posts whose author and depth are remembered, about 110 bytes each; replies to others
have no depth, and no edge."""
KNOWN_AGENTS: Final = 500_000
KNOWN_EDGES: Final = 500_000
KNOWN_COMMUNITIES: Final = 100_000
MAX_DEPTH: Final = 254
TOP_AGENTS: Final = 12
GRAPH_AGENTS: Final = 48

SERIES: Final = ("posts", "replies", "agents", "communities")

_DEPTH_BIT, _TIME_BIT = 20, 28
_AGENT_MASK, _DEPTH_MASK = 2**_DEPTH_BIT - 1, 2 ** (_TIME_BIT - _DEPTH_BIT) - 1
_UNKNOWN: Final = 255
"""The depth of a reply to what is not held, or not yet; and of all below it."""
_MONDAY: Final = 3
"""1970 began on a Thursday, three days after one."""


class Tally:
    """What was counted so far.

    Args:
        selection: what was asked for. Of a part, those agents count that are in it.

    Attributes:
        selection: the same.
        agents: how many there are.
        head: of which store it is.
        end: how much there was.
        kinds: records by their kind.
        timeline: posts, replies, and agents and communities when they are new.
        hours: posts and replies by weekday, Monday first, and hour, UTC.
        communities: posts and replies by community.
        depths: replies by how far they are from the post that began the thread.
        edges: how often one agent answered another, by their numbers.
        delays_ms: by road, from the author's clock to the node's.
        deleted: records whose author deleted them.
        first_ms: the earliest time of a record.
        last_ms: the latest.
        ai_generated: posts whose author says that a model wrote them.
        spans: when the listener ran.
        missing: places of agents' sequences that were not held.
        with_gaps: agents of whom a place is missing.
        told: of the agents that are shown, what a survey tells.
    """

    def __init__(self, selection: Selection | None = None) -> None:
        self.selection = selection or Selection()
        self.agents = 0
        self.head: dict[str, Any] = {}
        self.end: dict[str, Any] = {}
        self.kinds: Counter[int] = Counter()
        self.timeline = Timeline(SERIES)
        self.hours = [[0] * 24 for _ in range(7)]
        self.communities: Counter[str] = Counter()
        self.depths: Counter[int] = Counter()
        self.edges: Counter[tuple[int, int]] = Counter()
        self.delays_ms = {road.value: array("q") for road in Road}
        self.deleted = 0
        self.first_ms: int | None = None
        self.last_ms = 0
        self.ai_generated = 0
        self.spans: list[dict[str, Any]] = []
        self.missing = 0
        self.with_gaps = 0
        self.told: dict[str, dict[str, Any]] = {}
        self._agents: dict[AgentId, int] = {}
        self._ids: list[AgentId] = []
        self._posts: list[int] = []
        self._known: dict[int, int] = {}
        self._orphans: list[tuple[int, int]] = []
        self._floating: list[tuple[int, int]] = []
        self._shown: set[str] | None = None

    def take(self, tag: bytes, payload: bytes) -> None:
        """Take the next frame."""
        match tag:
            case _ if tag == RECORDS:
                for held in records_in(payload):
                    self._take_record(held)
            case _ if tag == ARRIVALS:
                self._take_arrivals(payload)
            case _ if tag == AGENTS:
                self._take_agents(payload)
            case _ if tag == PRESENCE:
                self.spans = [each for each in json_lines(payload) if "span" in each]
            case _ if tag == HEAD:
                self.head = json.loads(payload)
            case _ if tag == END:
                self.end = json.loads(payload)
            case _:  # of a later version
                pass

    def top_agents(self, count: int) -> list[int]:
        """Return the numbers of those who posted most."""
        order = sorted(range(len(self._posts)), key=lambda n: (-self._posts[n], n))
        return order[:count]

    def talkers(self, count: int) -> list[int]:
        """Return the numbers of agents who answer each other much.

        From whoever talks most on, always the one who talks most with those before.
        """
        near: dict[int, Counter[int]] = defaultdict(Counter)
        for (one, other), times in self.edges.items():
            if one != other:
                near[one][other] += times
                near[other][one] += times
        most = iter(sorted(near, key=lambda n: (-near[n].total(), n)))
        chosen: dict[int, None] = {}
        drawn: Counter[int] = Counter()
        while len(chosen) < min(count, len(near)):
            nearest = max(drawn, key=lambda n: (drawn[n], -n), default=None)
            if nearest is None:
                nearest = next(n for n in most if n not in chosen)
            chosen[nearest] = None
            del drawn[nearest]
            for other, times in near[nearest].items():
                if other not in chosen:
                    drawn[other] += times
        return sorted(chosen, key=lambda n: (-near[n].total(), n))

    def posts_of(self, number: int) -> int:
        """Return how many posts and replies an agent wrote."""
        return self._posts[number]

    def agent(self, number: int) -> str:
        """Return the did:key of the agent with that number."""
        return agent_text(self._ids[number])

    # -- records ---------------------------------------------------------------

    def _take_record(self, held: Held) -> None:
        fields = held.said.fields
        kind, time_ms = fields["kind"], fields["time"]
        self.kinds[kind] += 1
        self.deleted += held.state == 1
        if self.first_ms is None:
            self.first_ms = time_ms
        self.last_ms = max(self.last_ms, time_ms)
        agent = self._number_of(fields["agent"], time_ms)
        if kind == Kind.POST:
            self._take_post(held, agent, time_ms)

    def _number_of(self, agent: AgentId, time_ms: int) -> int | None:
        """Return an agent's number; None where too many have one."""
        number = self._agents.get(agent)
        if number is None and len(self._agents) < KNOWN_AGENTS:
            number = self._agents[agent] = len(self._agents)
            self._ids.append(agent)
            self._posts.append(0)
            self.timeline.add("agents", time_ms)
        return number

    def _take_post(self, held: Held, agent: int | None, time_ms: int) -> None:
        fields = held.said.fields
        refs, community = fields.get("refs", {}), fields["community"]
        parent = refs.get("parent")
        self.timeline.add("posts" if parent is None else "replies", time_ms)
        weekday = (time_ms // DAY_MS + _MONDAY) % 7
        self.hours[weekday][time_ms // HOUR_MS % 24] += 1
        self.ai_generated += fields.get("ai_generated") is True
        if community not in self.communities:
            if len(self.communities) >= KNOWN_COMMUNITIES:
                return
            self.timeline.add("communities", time_ms)
        self.communities[community] += 1
        if agent is None:
            return
        self._posts[agent] += 1
        if len(self._known) < KNOWN_POSTS:
            self._place(_key(held.id), agent, time_ms, parent)

    def _place(self, key: int, agent: int, time_ms: int, parent: bytes | None) -> None:
        """Note a post's author and depth; what it answers may come later."""
        self._known[key] = time_ms << _TIME_BIT | agent
        if parent is None:
            return
        self._known[key] |= _UNKNOWN << _DEPTH_BIT
        if not self._answer(key, _key(parent)):
            self._orphans.append((key, _key(parent)))

    def _answer(self, key: int, parent: int) -> bool:
        """Note that one post answers another; tell whether the other is known."""
        other = self._known.get(parent)
        if other is None:
            return False
        edge = self._known[key] & _AGENT_MASK, other & _AGENT_MASK
        if edge in self.edges or len(self.edges) < KNOWN_EDGES:
            self.edges[edge] += 1
        if not self._sink(key, parent):
            self._floating.append((key, parent))
        return True

    def _sink(self, key: int, parent: int) -> bool:
        """Note how deep a reply is; tell whether that is known."""
        depth = self._known[parent] >> _DEPTH_BIT & _DEPTH_MASK
        if depth == _UNKNOWN:
            return False
        depth = min(depth + 1, MAX_DEPTH)
        without = self._known[key] & ~(_DEPTH_MASK << _DEPTH_BIT)
        self._known[key] = without | depth << _DEPTH_BIT
        self.depths[depth] += 1
        return True

    def _adopt(self) -> None:
        """Place replies whose author's clock was before that of what they answer."""
        for key, parent in self._orphans:
            self._answer(key, parent)
        below: dict[int, list[int]] = defaultdict(list)
        for key, parent in self._floating:
            below[parent].append(key)
        self._orphans, self._floating = [], []
        ready = list(below)
        while ready:
            parent = ready.pop()
            children = below.get(parent, [])
            if children and all(self._sink(key, parent) for key in children):
                del below[parent]
                ready += (key for key in children if key in below)

    # -- what comes behind the records -----------------------------------------

    def _take_arrivals(self, payload: bytes) -> None:
        for _, record, came in arrivals_in(payload):
            known = self._known.get(_key(record))
            if known is not None:
                self.delays_ms[came.road.value].append(
                    came.at_ms - (known >> _TIME_BIT)
                )

    def _take_agents(self, payload: bytes) -> None:
        if self._shown is None:
            self._adopt()
            numbers = {*self.top_agents(TOP_AGENTS), *self.talkers(GRAPH_AGENTS)}
            self._shown = set(map(self.agent, numbers))
        is_whole = self.selection == Selection()
        for each in json_lines(payload):
            if not is_whole and parse_agent(each["agent"]) not in self._agents:
                continue
            self.agents += 1
            self.missing += each["missing"]
            self.with_gaps += bool(each["missing"])
            if each["agent"] in self._shown:
                self.told[each["agent"]] = each


def _key(record: bytes) -> int:
    return int.from_bytes(record[:8])
