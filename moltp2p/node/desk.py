"""Where records are judged and taken in, one group at a time, in the worker thread.

    wire ─▶ judge ─▶ kept      ─▶ the batch that the store gets
                  ├▶ in the pen  its author's key chain, or proof, may be on its way
                  └▶ refused

What is kept may be what others waited for: a rotation, or a proof. They are judged
again at once, so that they are in the same batch.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core.author import Author, Draft, Head
from moltp2p.core.codec import MAX_INT
from moltp2p.core.errors import UsageError
from moltp2p.core.facts import Overlay
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.core.kinds import CHAIN_KINDS, Kind
from moltp2p.core.record import Record
from moltp2p.core.validate import (
    Bench,
    Reading,
    Road,
    Ruling,
    judge,
    judge_own,
    judge_reading,
    read,
)
from moltp2p.core.verdict import Verdict
from moltp2p.node.agents import Agents
from moltp2p.node.clues import Clue, of_chain, of_gap
from moltp2p.node.pen import AWAITED, AWAITS_CHAIN, Incoming, Pen
from moltp2p.store.base import MAX_PAGE_RECORDS, Query, Store

_OWN: Final = Incoming(b"", Road.LOCAL)
"""Stands for what was written here: it came by no other road, from no peer."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that was new to the store.

    Attributes:
        record: the record.
        road: how it came.
        peer: who brought it, when a peer did.
        relay: whether it still has to be passed on by us: it was written here,
            or it had to wait in the pen.
        came_ms: our clock when it came.
        number: of its arrival, where those are noted.
    """

    record: Record
    road: Road
    peer: PeerId | None
    relay: bool
    came_ms: int
    number: int | None = None


class Desk:
    """Where one group of jobs is worked on, in the worker thread."""

    def __init__(self, store: Store, pen: Pen, agents: Agents, bench: Bench) -> None:
        self.now_ms = bench.now_ms
        self.kept: list[Kept] = []
        self.rulings: Counter[tuple[Verdict, str]] = Counter()
        self.clues: list[Clue] = []
        self.suspects: list[Record] = []
        self.released: set[AgentId] = set()
        self.sitting = store.sit()
        self._facts = Overlay(self.sitting.held, agents)
        self._store = store
        self._agents = agents
        self._bench = bench
        self._pen = pen
        self._heads: dict[AgentId, Head] = {}
        self._stored: set[AgentId] = set()
        self._benches: dict[tuple[Road, str | None], Bench] = {}

    def rule(self, batch: Sequence[Incoming]) -> list[Ruling]:
        """Judge records, one after the other; keep or pen each, as its ruling says."""
        found = [
            each.reading or read(each.wire, self._bench.network, each.topic)
            for each in batch
        ]
        readings = (each for each in found if isinstance(each, Reading))
        self.sitting.look_ahead(each.record for each in readings)
        return [
            self._rule(each, incoming)
            for each, incoming in zip(found, batch, strict=True)
        ]

    def _rule(self, found: Reading | Ruling, incoming: Incoming) -> Ruling:
        ruling = found
        if isinstance(ruling, Reading):
            bench = self._bench_for(incoming)
            ruling = judge_reading(ruling, bench, self._facts)
        self._settle(ruling, incoming, relay=False)
        record = ruling.record
        if ruling.code in AWAITED and record is not None:
            self._pen.put(record.id, record.header.agent, incoming)
            if ruling.code in AWAITS_CHAIN:
                self.clues.append(of_chain(record, incoming.peer))
        if ruling.code == "chain-forked" and record is not None:
            self.suspects.append(record)
        return ruling

    def catch_up(self, moved: Iterable[AgentId]) -> None:
        """Judge again what waited for agents whose place is another by now."""
        for agent in {*moved, *self._agents.advance(self.now_ms)}:
            self._release(agent)

    def believe(self, agent: AgentId) -> None:
        """Count an agent as challenged, and judge again what waited for that."""
        self.catch_up(self._agents.believe(agent, self.now_ms))

    def write(self, author: Author, drafts: Sequence[Draft]) -> list[Record]:
        """Write all of `drafts`, or none.

        Raises:
            UsageError: when a draft is not a record that others would accept.
        """
        head = self.require_head(author.agent)
        if head.seq + len(drafts) > MAX_INT:
            raise UsageError(
                "sequence-full",
                f"the agent's newest record has seq {head.seq}, and none follows",
                "whoever wrote that has your key: moltp2p rotate --since SEQ",
            )
        records = []
        for draft in drafts:
            record = author.write(draft, head, self._time_of(draft))
            head = Head(record.header.seq, record.id)
            records.append(record)
        return self.keep_own(records)

    def _time_of(self, draft: Draft) -> int:
        """Return the time for a draft: now, and for a deletion none before its target.

        The clock may have been ahead then; a horizon must not part the two.
        """
        if draft.kind != Kind.DELETE:
            return self.now_ms
        target = self._store.get(draft.refs["target"])
        # SPEC 11: "a higher `seq` than its target's, and no earlier `time`"
        return max(self.now_ms, target.record.header.time_ms if target else 0)

    def keep_own(self, records: Sequence[Record]) -> list[Record]:
        """Keep records that this node's agent signed: all of them, or none.

        Raises:
            UsageError: with the ruling's code when one of them would be refused.
        """
        bench = dataclasses.replace(self._bench, road=Road.LOCAL)
        rulings = [judge_own(record, bench, self._facts) for record in records]
        for ruling in rulings:
            if ruling.verdict is not Verdict.ACCEPT:
                raise UsageError(ruling.code, ruling.message, ruling.hint)
        for ruling in rulings:
            self._settle(ruling, _OWN, relay=True)
        return list(records)

    def head(self, agent: AgentId) -> Head | None:
        """Return where an agent's sequence stands, this group included."""
        if agent not in self._stored:
            self._stored.add(agent)
            self._pass(agent, self._store.head(agent))
        return self._heads.get(agent)

    def _pass(self, agent: AgentId, head: Head | None) -> None:
        """Take it that an agent's sequence has come as far as that, or further."""
        known = self._heads.get(agent)
        if head is not None and (known is None or head.seq > known.seq):
            self._heads[agent] = head

    def head_before(self, agent: AgentId, seq: int) -> Head:
        """Return the agent's newest record before a place in its sequence.

        Raises:
            UsageError: `no-agent` when there is none.
        """
        query = Query(agent=agent, deleted=True, limit=MAX_PAGE_RECORDS)
        while True:
            page = self._store.page(query)
            for stored in page.records:
                header = stored.record.header
                if header.seq < seq:
                    return Head(header.seq, stored.record.id)
            if not page.more:
                raise UsageError("no-agent", f"nothing was written before seq {seq}")
            query = dataclasses.replace(query, cursor=page.cursor)

    def require_head(self, agent: AgentId) -> Head:
        """Return the same, for an agent that has written already.

        Raises:
            UsageError: `no-agent`; `behind` while it would be no safe place to write.
        """
        if self._store.is_behind():
            raise UsageError(
                "behind",
                "peers may hold records of yours that this store has not: writing now "
                "could fork your sequence",
                "wait: some seconds with a peer that knew your records, a minute where "
                "all had to learn them from you; or, if nothing was written since: "
                "moltp2p verify-store --newest",
            )
        head = self.head(agent)
        if head is None:
            raise UsageError("no-agent", "the agent has no first record yet")
        return head

    def _bench_for(self, incoming: Incoming) -> Bench:
        key = incoming.road, incoming.topic
        if key not in self._benches:
            bench = dataclasses.replace(self._bench, road=key[0], topic=key[1])
            self._benches[key] = bench
        return self._benches[key]

    def _settle(self, ruling: Ruling, incoming: Incoming, *, relay: bool) -> None:
        self.rulings[ruling.verdict, ruling.code] += 1
        record = ruling.keep
        if record is None:
            return
        self._facts.note(record)
        came_ms = self.now_ms if incoming.came_ms is None else incoming.came_ms
        self.kept.append(Kept(record, incoming.road, incoming.peer, relay, came_ms))
        header = record.header
        if incoming.road is Road.GOSSIP:
            # Rounds find all gaps at once; what they bring comes in no order.
            head = self.head(header.agent)
            clue = of_gap(record, head, incoming.peer, self._facts.has)
            self.clues += [] if clue is None else [clue]
        self._pass(header.agent, Head(header.seq, record.id))
        moved = self._agents.note(record)
        if header.kind in CHAIN_KINDS:
            moved.add(header.agent)
        for agent in moved:
            self._release(agent)

    def _release(self, agent: AgentId) -> None:
        """Judge again what waited for this agent's key chain, or for its proof."""
        self.released.add(agent)
        for incoming in self._pen.take(agent):
            ruling = judge(incoming.wire, self._bench_for(incoming), self._facts)
            # What came by sync is on its way to others by theirs.
            relay = incoming.road is Road.GOSSIP
            self._settle(ruling, incoming, relay=relay)
            if ruling.code in AWAITED and ruling.record is not None:
                self._pen.put(ruling.record.id, agent, incoming)
