"""Ending with what peers have: rounds, errands, and serving others (spec 06).

peers come and go ─────┐
peers compare with us ─┼─▶ plan ─▶ rounds: compare, fetch, compare again
time passes ───────────┘
what came shows that something is missing ─▶ wants ─▶ errands: one ask each
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from moltp2p.core.errors import LocalError, PeerError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.net.background import open_background
from moltp2p.net.base import PeerDown, PeerUp
from moltp2p.node.clues import Clue
from moltp2p.node.status import PeerSyncStatus, SyncStatus
from moltp2p.node.sync.bulk import Bulk, Tally
from moltp2p.node.sync.fetching import open_fetching
from moltp2p.node.sync.rounds import GUILTLESS, RoundDriver, Tools
from moltp2p.node.sync.serving import Server
from moltp2p.proto.sync import fetch
from moltp2p.proto.sync import messages as sync_messages
from moltp2p.proto.sync.fetch import Ask, AskRecords, AskSequence, End, fits
from moltp2p.proto.sync.plan import Begin, SyncPlan, SyncSettings
from moltp2p.proto.sync.wants import Errand, Wants
from moltp2p.proto.sync.window import within_horizon

ERRANDS: Final = 2
"""Errands at once."""

REWATCH_S: Final = 0.1
LOOK_S: Final = 1.0
"""How often to look for somebody to run an errand to, at least."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a node keeps, and so asks for.

    Attributes:
        topics: the numbers of the topics.
        since_ms: the horizon now: nothing before it is kept.
        topics_of: the topics that a peer is known to follow; empty for not known.
        sees_gaps: whether a gap in a sequence is one. Whoever follows some topics
            lacks what an agent says on others, and must not ask for that.
    """

    topics: frozenset[int]
    since_ms: Callable[[], int]
    topics_of: Callable[[PeerId], frozenset[int]]
    sees_gaps: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one ask.

    Attributes:
        records: how many came, held already or not.
        next_seq: where to ask on in a sequence; None when that was all.
    """

    records: int
    next_seq: int | None


class Syncing:
    """Made by `open_syncing`.

    Args:
        tools: network, store, journal and ledger.
        scope: what we keep.
        plan: says with whom to begin a round, and when.
        wants: what is fetched on its own.
    """

    def __init__(
        self, tools: Tools, scope: Scope, plan: SyncPlan, wants: Wants
    ) -> None:
        self._tools = tools
        self._scope = scope
        self._plan = plan
        self._wants = wants
        self._server = Server(tools.store, scope.topics, scope.since_ms, self._differed)
        self._rounds: dict[PeerId, RoundDriver] = {}
        self._changed = trio.Event()
        self._ended = trio.Event()
        self._errands = 0
        self._counters: Counter[str] = Counter()

    # -- what others may ask ---------------------------------------------------

    def seek(self, clues: Sequence[Clue]) -> None:
        """Go after what is missing; never waits."""
        now = trio.current_time()
        for clue in clues:
            if isinstance(clue.ask, AskSequence) and not self._scope.sees_gaps:
                continue
            self._wants.add(clue.ask, clue.peer, now, unless=clue.unless)
        self._wake()

    def refetch(self, records: Sequence[RecordId], *, bodies: bool = False) -> None:
        """Have records fetched that are held damaged, or without their bodies.

        Args:
            records: at most as many as an ask takes.
            bodies: whether they are of use with their bodies alone.
        """
        ask = AskRecords(tuple(dict.fromkeys(records)), bodies)
        self._wants.add(ask, None, trio.current_time())
        self._wake()

    def willing(self) -> list[PeerId]:
        """Return who is connected and can be asked."""
        return self._plan.willing()

    async def ask(self, peer: PeerId, ask: Ask) -> Told:
        """Ask a peer for records now, keep what passes, and return what came of it.

        Raises:
            PeerError: as `Fetching.ask`, or the code of a record that was rejected.
            LocalError: `disk-full`, `store-failed`.
        """
        tally = Tally()
        end = await self._ask(peer, ask, tally)
        return Told(len(tally.came), end.next_seq)

    async def sync(self) -> AsyncIterator[SyncStatus]:
        """Compare with everybody who is there, now; yield how far that is.

        The last status is that of the end. Ends at once when nobody is there.
        """
        now = trio.current_time()
        # Who connected just now may not have been noticed yet.
        present = {info.peer for info in self._tools.network.peers()}
        for peer in present - self._plan.peers().keys():
            self._plan.connected(peer, now)
        waiting = self._plan.asked_for(now)
        self._wake()
        while True:
            waiting = {peer for peer in waiting if self._is_pending(peer)}
            yield self.status()
            if not waiting:
                return
            with trio.move_on_after(PROGRESS_S):
                await self._ended.wait()

    def status(self) -> SyncStatus:
        """Return how we stand with each peer, and the counters."""
        now = trio.current_time()
        return SyncStatus(
            peers=[
                PeerSyncStatus(
                    peer=peer,
                    running=each.running,
                    behind=self._rounds[peer].round.behind
                    if peer in self._rounds
                    else each.behind,
                    agreed_s=None if each.agreed_at is None else now - each.agreed_at,
                    gained=each.gained
                    + (self._rounds[peer].round.gained if peer in self._rounds else 0),
                    failure=each.code or None,
                )
                for peer, each in self._plan.peers().items()
            ],
            counters={
                **self._counters,
                **{f"served_{name}": n for name, n in self._server.counters.items()},
                "wanted": len(self._wants),
                "unwanted": self._tools.ledger.unwanted,
                "dropped_wants": self._wants.dropped,
            },
        )

    # -- rounds ----------------------------------------------------------------

    async def watch(self) -> None:
        """Tell the plan who comes and goes, for ever."""
        network = self._tools.network
        while True:
            async for event in network.watch():
                match event:
                    case PeerUp(info):
                        self._plan.connected(info.peer, trio.current_time())
                    case PeerDown(peer):
                        self._plan.disconnected(peer)
                self._wake()
            # We fell behind, and missed who left; or the network is closing.
            present = {info.peer for info in network.peers()}
            for peer in self._plan.peers().keys() - present:
                self._plan.disconnected(peer)
            await trio.sleep(REWATCH_S)

    async def work(self) -> None:
        """Begin rounds and errands when they are due, for ever."""
        outage = self._tools.journal.outage
        async with trio.open_nursery() as nursery:
            while True:
                # What cannot be written is not fetched.
                await outage.wait_over()
                self._changed = trio.Event()
                now = trio.current_time()
                for begin in self._plan.due(now):
                    nursery.start_soon(self._round, begin)
                while errand := self._next_errand(now):
                    nursery.start_soon(self._errand, errand)
                look_at = max(self._wants.wake_at(), now + LOOK_S)
                with trio.move_on_at(min(self._plan.wake_at(), look_at)):
                    await self._changed.wait()

    async def _round(self, begin: Begin) -> None:
        now_ms = self._tools.journal.clock_ms()
        topics = self._scope.topics_of(begin.peer) & self._scope.topics
        windows = within_horizon(
            topics=sorted(topics or self._scope.topics),
            until_ms=begin.until_ms(now_ms),
            horizon_ms=self._scope.since_ms(),
        )
        driver = RoundDriver(self._tools, begin.peer, windows, fresh=begin.fresh)
        self._rounds[begin.peer] = driver
        try:
            result = await driver.run()
        finally:
            del self._rounds[begin.peer]
        self._counters["rounds"] += 1
        self._counters["failed_rounds"] += bool(result.code)
        self._counters["gained"] += result.gained
        self._plan.ended(begin.peer, result, trio.current_time())
        self._wake()
        self._ended.set()
        self._ended = trio.Event()

    def _differed(self, peer: PeerId) -> None:
        self._plan.differed(peer, trio.current_time())
        self._wake()

    def _is_pending(self, peer: PeerId) -> bool:
        each = self._plan.peers().get(peer)
        return each is not None and each.urgent

    # -- errands ---------------------------------------------------------------

    def _next_errand(self, now: float) -> Errand | None:
        if self._errands >= ERRANDS:
            return None
        errand = self._wants.next(self.willing(), now)
        self._errands += errand is not None
        return errand

    async def _errand(self, errand: Errand) -> None:
        satisfied = False
        try:
            satisfied = await self._run_errand(errand)
        except PeerError as error:
            if error.code not in GUILTLESS:
                self._tools.network.report(errand.peer, error.code)
        except LocalError:
            pass  # the disk is full, or fails: rounds bring it later
        finally:
            self._errands -= 1
            self._wants.done(errand, satisfied=satisfied, now=trio.current_time())
        self._counters["errands"] += 1
        self._wake()

    async def _run_errand(self, errand: Errand) -> bool:
        if errand.unless is not None and await trio.to_thread.run_sync(
            self._tools.store.has, errand.unless
        ):
            return True
        tally = Tally()
        await self._ask(errand.peer, errand.ask, tally)
        self._counters["gained_by_errands"] += tally.kept
        return bool(tally.kept)

    async def _ask(self, peer: PeerId, ask: Ask, tally: Tally) -> End:
        tools, topics = self._tools, self._scope.topics
        bulk = Bulk(tools.journal, tools.ledger, topics, peer, trio.current_time)

        async def take(wires: tuple[bytes, ...]) -> None:
            for record in await bulk.judge(await bulk.read(wires), tally):
                if not fits(ask, record):
                    raise PeerError("unasked-record", "sent what was not asked for")

        async with open_fetching(tools.network, peer) as fetching:
            return await fetching.ask(ask, take)

    def _wake(self) -> None:
        self._changed.set()


PROGRESS_S: Final = 0.25
"""Between two statuses while a sync that somebody asked for is under way."""


@asynccontextmanager
async def open_syncing(
    tools: Tools, scope: Scope, settings: SyncSettings, rng: random.Random
) -> AsyncIterator[Syncing]:
    """Keep up with peers, and let them keep up with us, for the length of the block.

    Args:
        tools: network, store, journal and ledger.
        scope: what we keep.
        settings: what the operator chose.
        rng: jitter, and whom to ask.
    """
    plan = SyncPlan(settings, rng, trio.current_time())
    syncing = Syncing(tools, scope, plan, Wants(rng))
    server = syncing._server  # noqa: SLF001 - made here, and nobody else's
    tools.network.handle(sync_messages.PROTOCOL, server.reconcile)
    tools.network.handle(fetch.PROTOCOL, server.fetch)
    journal = tools.journal
    nothing, journal.seek = journal.seek, syncing.seek
    nobody, journal.let_in = journal.let_in, tools.ledger.let_in
    try:
        async with open_background() as nursery:
            nursery.start_soon(syncing.watch)
            nursery.start_soon(syncing.work)
            yield syncing
    finally:
        journal.seek, journal.let_in = nothing, nobody
