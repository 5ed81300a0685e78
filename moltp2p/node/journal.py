"""The one writer: judges what came by any road, and stores it in groups.

    publish ─┐
    gossip ──┼─▶ queue ─▶ one worker thread: judge, judge, … one synced batch
    import ──┘            └─▶ answers, once the batch is on disk

All jobs that wait are done together, so that a sync of the disk is shared: the
busier the node, the larger the group. While the disk is full all are refused at once
(node/outage.py).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any, Final, Generic, TypeVar

import trio

from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Kind
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road
from moltp2p.core.verdict import Verdict
from moltp2p.node.agents import Agents
from moltp2p.node.clues import Clue
from moltp2p.node.desk import Desk, Kept
from moltp2p.node.outage import Outage
from moltp2p.node.pen import Pen
from moltp2p.node.retention import Retention
from moltp2p.node.witness import Suspicions
from moltp2p.store.arrivals import Came
from moltp2p.store.base import KEEP_QUOTAS, Store

QUEUED_JOBS: Final = 1_024
"""Jobs that may wait; a further one waits at its caller."""

GROUP_RECORDS: Final = 512
"""Records to a batch, about 50 ms of judging; a job is never split."""

TICK_S: Final = 60.0
"""At least so often, what has expired stops to count."""

Answer = TypeVar("Answer")


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
        agents: knows who counts; by default nobody is known.

    Attributes:
        seek: told what a batch showed to be missing; must not block. Set by whoever
            can look for it; without a network nobody can.
        let_in: told of each agent of whom more may be kept than before; likewise.
    """

    def __init__(
        self,
        store: Store,
        params: NetworkParams,
        clock_ms: Callable[[], int],
        retention: Retention | None = None,
        agents: Agents | None = None,
    ) -> None:
        self.seek: Callable[[Sequence[Clue]], None] = _seek_nothing
        self.let_in: Callable[[AgentId], None] = _let_nobody_in
        self.suspicions = Suspicions()
        self.rulings: Counter[tuple[Verdict, str]] = Counter()
        self.outage = Outage()
        self.pen = Pen()
        self._store = store
        self.params = params
        self.clock_ms = clock_ms
        self.retention = retention or Retention(store, KEEP_QUOTAS, clock_ms)
        self.agents = agents or Agents(None, store, clock_ms)
        self._moved: set[AgentId] = set()
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
                for agent in desk.released:
                    self.let_in(agent)
                if desk.clues:
                    self.seek(desk.clues)
                for job in jobs:
                    job.done.set()
        finally:
            self._refuse(jobs)

    async def keep_time(self) -> None:
        """Have it noticed that time passes, though nobody writes; until cancelled."""
        while True:
            await trio.sleep(TICK_S)
            with suppress(MoltError):
                await self.submit(lambda _: None)

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
        desk = Desk(self._store, self.pen, self.agents, bench)
        desk.catch_up(self._moved)
        for job in jobs:
            job.do(desk)
        if not desk.kept:
            return desk, []
        new = self._keep(desk)
        self._moved = self._rekey(new)
        return desk, new

    def _keep(self, desk: Desk) -> list[Kept]:
        """Write what is to be kept; return what of it was new."""
        records = [kept.record for kept in desk.kept]
        notes_arrivals = self.retention.policy.arrivals
        came = [Came(kept.came_ms, kept.road, kept.peer) for kept in desk.kept]
        added = desk.sitting.keep(records, desk.now_ms, came if notes_arrivals else ())
        desk.suspects += compress(records, added.is_taken)
        new = list(compress(desk.kept, added.is_new))
        if not notes_arrivals:
            return new
        first = self._store.last_arrival() - len(new) + 1
        return [replace(kept, number=n) for n, kept in enumerate(new, first)]

    def _rekey(self, new: Iterable[Kept]) -> set[AgentId]:
        """Tell of key chains that are others now; return whom that moves."""
        moved: set[AgentId] = set()
        for kept in new:
            if kept.record.header.kind == Kind.ROTATE:
                moved |= self.agents.rekey(kept.record.header.agent)
        return moved


def _let_nobody_in(_: AgentId) -> None:
    pass


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
