"""Noticing that an agent has forked, and proving it to others (spec 11, section 4).

    journal ── records whose place was taken ──▶ suspicions ──▶ witness
    witness: is it a fork? ─▶ wait up to a minute ─▶ does nobody prove it? ─▶ write

A fork record is the agent's own that runs here; a node without one says so in its log.
Several nodes notice at once: each waits for a random time, and the first one spares
the others their record.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError, PeerError, UsageError
from moltp2p.core.forks import Fork, Forked, check_fork, place_of, prove
from moltp2p.core.ids import agent_text
from moltp2p.core.kinds import CHAIN_KINDS, Kind
from moltp2p.core.record import Record
from moltp2p.net.log import get_logger
from moltp2p.proto.ratelimit import Rate, RateLimiter
from moltp2p.store.base import Store

MAX_PROOFS: Final = 8  # SPEC 11: "or 8 for that agent"
WAIT_S: Final = 60.0  # SPEC 11: "a random time of up to 60 seconds"
MAX_BRANCHES: Final = 8
"""Records at one place that are compared; two of them are a proof."""
SUSPICIONS: Final = 256
"""Records that wait to be looked at, and forks that the log told of; above it the
oldest is passed over. Whoever sees the fork later can prove it still."""
PENDING: Final = 64
"""Proofs that wait for their time; one more is not made."""
FORKS_A_DAY: Final = 64
"""Fork records that one agent writes a day, and at once, so that those who fork on
purpose do not push out what else it testified (spec 11, section 1)."""

log = get_logger(__name__)

Write = Callable[[Sequence[Draft]], Awaitable[object]]
Call = Callable[..., Awaitable[Any]]


class Suspicions:
    """Records whose place in their agent's sequence, or key chain, was taken."""

    def __init__(self) -> None:
        self._waiting: deque[Record] = deque(maxlen=SUSPICIONS)
        self._some = trio.Event()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def add(self, records: Iterable[Record]) -> None:
        """Queue records to be looked at; never waits."""
        self._waiting.extend(records)
        if self._waiting:
            self._some.set()

    async def take(self) -> Record:
        """Wait for a record, and return it."""
        while not self._waiting:
            self._some = trio.Event()
            await self._some.wait()
        return self._waiting.popleft()


class Witness:
    """Writes fork records for what the journal noticed.

    Args:
        store: where the branches are.
        network: the network's id.
        dice: who waits for how long.
        write: keeps and tells records of this node's agent; None without one.
        call: calls what blocks; in a thread, but for tests.
    """

    def __init__(
        self,
        store: Store,
        network: str,
        dice: random.Random,
        write: Write | None,
        call: Call | None = None,
    ) -> None:
        self._call: Call = call or trio.to_thread.run_sync
        self._store = store
        self._network = network
        self._dice = dice
        self._write = write
        self._pending: OrderedDict[Forked, tuple[float, Fork]] = OrderedDict()
        self._told: OrderedDict[Forked, None] = OrderedDict()
        self._limiter: RateLimiter[None] = RateLimiter(
            Rate(FORKS_A_DAY / 86_400, FORKS_A_DAY), 1
        )

    async def run(self, suspicions: Suspicions) -> None:
        """Look at what is suspected, and write when it is time, until cancelled."""
        while True:
            due = min((at for at, _ in self._pending.values()), default=math.inf)
            record = None
            with trio.move_on_at(due):
                record = await suspicions.take()
            if record is not None:
                await self._look(record)
            await self._tell_due()

    async def _look(self, record: Record) -> None:
        """Note a proof, if there is one that nobody has written yet."""
        try:
            fork: Fork | None = await self._call(self._prove, record)
        except LocalError as error:
            log.warning("cannot look for a fork", code=error.code)
            return
        if fork is None:
            return
        place = place_of(fork)
        self._log(place)
        if self._write is not None and len(self._pending) < PENDING:
            due = trio.current_time() + self._dice.uniform(0, WAIT_S)
            self._pending.setdefault(place, (due, fork))

    def _log(self, place: Forked) -> None:
        """Tell the operator, once for each place that was seen lately."""
        if place in self._told:
            return
        agent = agent_text(place.agent)
        log.warning("an agent has forked", agent=agent, seq=place.seq)
        self._told[place] = None
        if len(self._told) > SUSPICIONS:
            self._told.popitem(last=False)

    async def _tell_due(self) -> None:
        now = trio.current_time()
        for place, (due, fork) in list(self._pending.items()):
            if due <= now:
                del self._pending[place]
                await self._tell(place, fork, now)

    async def _tell(self, place: Forked, fork: Fork, now: float) -> None:
        """Write a fork record, unless somebody did, or there were too many."""
        if self._write is None or not self._limiter.take(None, 1, now):
            return
        try:
            if await self._call(self._is_proven, place):
                return
            await self._write([Draft(Kind.FORK, fork)])
        except (LocalError, UsageError) as error:  # a disk, or a chain too long to show
            log.warning("cannot prove a fork", code=error.code, why=error.message)

    def _prove(self, record: Record) -> Fork | None:
        """Return the proof that a record is a branch, as far as that is news."""
        agent = record.header.agent
        chain = self._store.key_chain(agent)
        names = [] if chain is None else [link.record for link in chain.links]
        held = self._store.get_many(names)
        links = [stored.record for stored in held if stored is not None]
        others = links
        if record.header.kind not in CHAIN_KINDS:
            seq = record.header.seq
            places = self._store.sequence(agent, seq, seq, MAX_BRANCHES)
            branches = self._store.get_many([name for _, name in places])
            others = [stored.record for stored in branches if stored is not None]
        for other in others:
            fork = prove(record, other, links)
            if fork is not None and not self._is_proven(place_of(fork)):
                return fork if self._holds(fork) else None
        return None

    def _holds(self, fork: Fork) -> bool:
        """Tell whether others will accept it: a link of the chain may be damaged."""
        try:
            check_fork(fork, self._network)
        except PeerError:
            return False
        return True

    def _is_proven(self, place: Forked) -> bool:
        known = self._store.forks(place.agent, MAX_PROOFS)
        return len(known) >= MAX_PROOFS or any(seq == place.seq for seq, _ in known)
