"""The one writer: judges what came by any road, and stores it in groups.

    publish ─┐
    gossip ──┼─▶ queue ─▶ one worker thread: judge, judge, … one synced batch
    import ──┘            └─▶ answers, once the batch is on disk

All jobs that wait are done together, so that a sync of the disk is shared: the
busier the node, the larger the group. While the disk is full all are refused at once
(node/outage.py).
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import trio

from moltp2p.core.author import Author, Draft, Head
from moltp2p.core.codec import MAX_INT
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.core.facts import Overlay
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.core.kinds import CHAIN_KINDS, Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, Ruling, judge, judge_own
from moltp2p.core.verdict import Verdict
from moltp2p.node.clues import Clue, of_chain, of_gap
from moltp2p.node.outage import Outage
from moltp2p.node.pen import AWAITED, Incoming, Pen
from moltp2p.node.retention import Retention
from moltp2p.node.witness import Suspicions
from moltp2p.store.base import KEEP_QUOTAS, MAX_PAGE_RECORDS, Query, Store

QUEUED_JOBS: Final = 1_024
"""Jobs that may wait; a further one waits at its caller."""

GROUP_RECORDS: Final = 512
"""Records to a batch, about 50 ms of judging; a job is never split."""

_OWN: Final = Incoming(b"", Road.LOCAL)
"""Stands for what was written here: it came by no other road, from no peer."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that was new to the store.

    Attributes:
        record: the record.
        road: how it came.
        peer: who brought it, when a peer did.
        relay: whether it still has to be passed on by us: it was written here,
            or it had to wait in the pen.
    """

    record: Record
    road: Road
    peer: PeerId | None
    relay: bool


class Desk:
    """Where one group of jobs is worked on, in the worker thread."""

    def __init__(self, store: Store, pen: Pen, bench: Bench) -> None:
        self.now_ms = bench.now_ms
        self.kept: list[Kept] = []
        self.rulings: Counter[tuple[Verdict, str]] = Counter()
        self.clues: list[Clue] = []
        self.suspects: list[Record] = []
        self._facts = Overlay(store)
        self._store = store
        self._bench = bench
        self._pen = pen
        self._heads: dict[AgentId, Head] = {}

    def rule(self, incoming: Incoming) -> Ruling:
        """Judge one record; keep it, or pen it, as the ruling says."""
        ruling = self._judge(incoming)
        self._settle(ruling, incoming, relay=False)
        record = ruling.record
        if ruling.code in AWAITED and record is not None:
            self._pen.put(record.id, record.header.agent, incoming)
            self.clues.append(of_chain(record, incoming.peer))
        if ruling.code == "chain-forked" and record is not None:
            self.suspects.append(record)
        return ruling

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
        return self._heads.get(agent) or self._store.head(agent)

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
                "wait until the node has synced with a peer; or, if nothing was "
                "written since: moltp2p verify-store --newest",
            )
        head = self.head(agent)
        if head is None:
            raise UsageError("no-agent", "the agent has no first record yet")
        return head

    def _judge(self, incoming: Incoming) -> Ruling:
        bench = dataclasses.replace(
            self._bench, road=incoming.road, topic=incoming.topic
        )
        return judge(incoming.wire, bench, self._facts)

    def _settle(self, ruling: Ruling, incoming: Incoming, *, relay: bool) -> None:
        self.rulings[ruling.verdict, ruling.code] += 1
        record = ruling.keep
        if record is None:
            return
        self._facts.note(record)
        self.kept.append(Kept(record, incoming.road, incoming.peer, relay))
        header = record.header
        head = self.head(header.agent)
        if incoming.road is Road.GOSSIP:
            # Rounds find all gaps at once; what they bring comes in no order.
            clue = of_gap(record, head, incoming.peer, self._facts.has)
            self.clues += [] if clue is None else [clue]
        if head is None or header.seq > head.seq:
            self._heads[header.agent] = Head(header.seq, record.id)
        elif header.kind not in CHAIN_KINDS:
            self.suspects.append(record)
        if header.kind in CHAIN_KINDS:
            self._release(header.agent)

    def _release(self, agent: AgentId) -> None:
        """Judge again what waited for a change of this agent's key chain."""
        for incoming in self._pen.take(agent):
            ruling = self._judge(incoming)
            # What came by sync is on its way to others by theirs.
            relay = incoming.road is Road.GOSSIP
            self._settle(ruling, incoming, relay=relay)
            if ruling.code in AWAITED and ruling.record is not None:
                self._pen.put(ruling.record.id, agent, incoming)


@dataclass(slots=True, eq=False)
class _Job(Generic[Answer]):
    work: Callable[[Desk], Answer]
    records: int
    done: trio.Event = field(default_factory=trio.Event)
    answer: Answer | None = None
    error: MoltError | None = None

    def do(self, desk: Desk) -> None:
        try:
            self.answer = self.work(desk)
        except MoltError as error:  # ours to mend or this disk's; no other job's
            self.error = error


class Journal:
    """The queue before the one writer, and the counts of what it ruled.

    Args:
        store: written by nobody else.
        params: the network's.
        clock_ms: our clock, milliseconds since 1970 UTC.
        retention: knows what is not kept; by default what is beyond a quota.

    Attributes:
        seek: told what a batch showed to be missing; must not block. Set by whoever
            can look for it; without a network nobody can.
    """

    def __init__(
        self,
        store: Store,
        params: NetworkParams,
        clock_ms: Callable[[], int],
        retention: Retention | None = None,
    ) -> None:
        self.seek: Callable[[Sequence[Clue]], None] = _seek_nothing
        self.suspicions = Suspicions()
        self.rulings: Counter[tuple[Verdict, str]] = Counter()
        self.outage = Outage()
        self.pen = Pen()
        self._store = store
        self.params = params
        self.clock_ms = clock_ms
        self.retention = retention or Retention(store, KEEP_QUOTAS, clock_ms)
        self._send, self._receive = trio.open_memory_channel[_Job[Any]](QUEUED_JOBS)

    async def submit(self, work: Callable[[Desk], Answer], records: int = 1) -> Answer:
        """Have `work` done at the desk; return its answer once all is on disk.

        Args:
            work: runs in the worker thread.
            records: about how many records it writes.

        Raises:
            UsageError: what `work` raised; nothing of it was kept. `store-closed`
                when nobody writes any more.
            LocalError: `disk-full`, `store-failed`; nothing was kept.
        """
        job = _Job(work, records)
        try:
            await self._send.send(job)
        except trio.BrokenResourceError:
            raise _closed() from None
        await job.done.wait()
        if job.error is not None:
            raise job.error
        return job.answer  # type: ignore[return-value]

    async def run(self, announce: Callable[[Sequence[Kept], int], None]) -> None:
        """Write until cancelled.

        Args:
            announce: told of each batch that is on disk, with our clock; called
                before the jobs are answered; must not block.
        """
        jobs: list[_Job[Any]] = []
        try:
            while True:
                first = await self._next()
                jobs = [first, *self._others(GROUP_RECORDS - first.records)]
                try:
                    desk, new = await trio.to_thread.run_sync(self._do, jobs)
                except LocalError as error:
                    self.outage.note(error)
                    _fail(jobs, error)
                    continue
                if new:
                    self.outage.end()
                self.rulings.update(desk.rulings)
                self.suspicions.add(desk.suspects)
                announce(new, desk.now_ms)
                if desk.clues:
                    self.seek(desk.clues)
                for job in jobs:
                    job.done.set()
        finally:
            self._refuse(jobs)

    async def _next(self) -> _Job[Any]:
        """Wait for a job; while the store cannot be written, refuse each and look."""
        while self.outage.error is not None and self.outage.is_read_only:
            with trio.move_on_at(self.outage.look_at):
                _fail([await self._receive.receive()], self.outage.error)
                continue
            await self._look()
        return await self._receive.receive()

    async def _look(self) -> None:
        """See whether the store can be written by now."""
        try:
            await trio.to_thread.run_sync(self._store.mend)
        except LocalError as error:
            self.outage.note(error)
        else:
            self.outage.end()

    def _refuse(self, jobs: Iterable[_Job[Any]]) -> None:
        """Answer everybody who waits, and whoever comes later: nobody writes now."""
        _fail([*jobs, *self._others(math.inf)], _closed())
        self._receive.close()

    def _others(self, room: float) -> Iterable[_Job[Any]]:
        while room > 0:
            try:
                job = self._receive.receive_nowait()
            except trio.WouldBlock:
                return
            room -= job.records
            yield job

    def _do(self, jobs: Sequence[_Job[Any]]) -> tuple[Desk, list[Kept]]:
        """Do a group of jobs in the worker thread; return the desk, and what was new.

        Raises:
            LocalError: nothing of any of them was kept.
        """
        bench = Bench(
            self.params,
            self.clock_ms(),
            Road.LOCAL,
            horizon_ms=self.retention.horizon_ms(),
            keep_all=self.retention.policy.keep_all,
        )
        desk = Desk(self._store, self.pen, bench)
        for job in jobs:
            job.do(desk)
        if not desk.kept:
            return desk, []
        is_new = self._store.add([kept.record for kept in desk.kept], desk.now_ms)
        new = zip(desk.kept, is_new, strict=True)
        desk.suspects = [each for each in desk.suspects if self._is_taken(each)]
        return desk, [kept for kept, is_it in new if is_it]

    def _is_taken(self, record: Record) -> bool:
        """Tell whether another record has the place of one that was judged."""
        header = record.header
        if header.kind in CHAIN_KINDS:
            return True
        return len(self._store.sequence(header.agent, header.seq, header.seq, 2)) > 1


def _seek_nothing(_: Sequence[Clue]) -> None:
    pass


def _fail(jobs: Iterable[_Job[Any]], error: MoltError) -> None:
    """Answer those of the jobs that have no answer yet."""
    for job in jobs:
        if not job.done.is_set():
            job.error = job.error or error
            job.done.set()


def _closed() -> UsageError:
    return UsageError("store-closed", "the node was closed before this call")
