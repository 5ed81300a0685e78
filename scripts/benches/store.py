"""`store`: what a store costs, and how that grows with the records in it.

One store grows to 10,000, then 100,000, then (with --large) 1,000,000 records, all
signed, in order of time; at each size it is asked everything. Reads are warm, as in a
node that runs. Generating records is not timed. Then posts are published, by each road
that an agent has (`publishing.py`).
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Final

import trio

from moltp2p.core.ids import AgentId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.sync.initiator import Initiator
from moltp2p.proto.sync.messages import Same, Window
from moltp2p.proto.sync.reconcile import Bound, ReconcileSet
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.store.base import Query, Store
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import TestAgent, signer
from scripts.benches import publishing
from scripts.benches.corpus import bodies
from scripts.benches.outcome import Outcome
from scripts.benches.recover import LARGE

SIZES: Final = (10_000, 100_000, 1_000_000)
BATCH: Final = 64
TIMED_BATCHES: Final = 150
"""Adding is timed over the last of those that lead to a size."""

NETWORK: Final = NetworkParams("bench")
TOPICS: Final = tuple(range(NETWORK.shards + 1))
AGENTS: Final = 1_000
COMMUNITIES: Final = tuple(f"community-{n}" for n in range(64))
BEGIN_MS: Final = 1_750_000_000_000
STEP_MS: Final = 1_000
END_MS: Final = 2**63 - 1
PAGE: Final = 50
QUERIES: Final = 200
"""Pages that may be asked for: their records are more than LevelDB's cache holds."""


def records() -> Iterator[Record]:
    """Yield signed posts for ever: one a second, each agent in its turn."""
    agents = [TestAgent(f"agent {n}", NETWORK.id, BEGIN_MS) for n in range(AGENTS)]
    texts, dice = bodies(), random.Random(1)  # noqa: S311 - the same each time
    yield from (agent.incept() for agent in agents)
    for number in count():
        agent = agents[number % AGENTS]
        agent.records = agent.records[-1:]  # else this would be what is measured
        agent.time_ms = BEGIN_MS + number * STEP_MS
        yield agent.post(texts[number % len(texts)], dice.choice(COMMUNITIES))


def late_records(number: int) -> list[Record]:
    """Return posts of agents that come late, at any time since the beginning."""
    dice = random.Random(2)  # noqa: S311
    agent = TestAgent("late", NETWORK.id)
    agent.incept()
    for _ in range(number):
        agent.time_ms = BEGIN_MS + dice.randrange(SIZES[-1]) * STEP_MS
        agent.post("late", dice.choice(COMMUNITIES))
    return agent.records


def grow(store: Store, source: Iterator[Record], size: int) -> list[float]:
    """Add records until there are so many; return how long each batch took, in s."""
    times = []
    while (missing := size - store.count()) > 0:
        batch = list(islice(source, min(BATCH, missing)))
        times.append(timed(partial(store.add, batch, BEGIN_MS)))
    return times


def timed(
    do: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return how long a call takes, in seconds."""
    begin = clock()
    do()
    return clock() - begin


def ask(
    what: Callable[[random.Random], object],
    times: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Ask so often, with other dice each time; return how long it took, in ms, sorted.

    As many times again before, untimed, so that reads are warm.
    """
    dice = random.Random(3)  # noqa: S311
    for _ in range(times):
        what(dice)
    return sorted(timed(lambda: what(dice), clock) * 1e3 for _ in range(times))


class Questions:
    """What a store is asked, at random places of what it holds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._end_ms = BEGIN_MS + store.count() * STEP_MS
        dice = random.Random(4)  # noqa: S311
        self._queries = [self._query(dice) for _ in range(QUERIES)]

    def _time_ms(self, dice: random.Random) -> int:
        return dice.randrange(BEGIN_MS, self._end_ms)

    def page(self, dice: random.Random) -> object:
        """Read a page: the first, or one behind it."""
        return self._store.page(dice.choice(self._queries))

    def _query(self, dice: random.Random) -> Query:
        """Return what asks for a page of a community, of an agent, or of all."""
        agent = AgentId(signer(f"agent {dice.randrange(AGENTS)}").public)
        query = dice.choice(
            [
                Query(community=dice.choice(COMMUNITIES), limit=PAGE),
                Query(agent=agent, limit=PAGE),
                Query(limit=PAGE),
            ]
        )
        for _ in range(dice.randrange(3)):
            query = replace(query, cursor=self._store.page(query).cursor)
        return query

    def sums(self, dice: random.Random) -> object:
        """Sum up all topics since some time."""
        return self._store.sums(TOPICS, self._time_ms(dice), END_MS)

    def rank(self, dice: random.Random) -> object:
        """Find a place by its time."""
        with self._set(dice) as view:
            return view.rank(Bound(self._time_ms(dice)))

    def select(self, dice: random.Random) -> object:
        """Find an item by its position."""
        with self._set(dice) as view:
            return view.item(dice.randrange(view.size()))

    def fingerprint(self, dice: random.Random) -> object:
        """Return the fingerprint of a range."""
        with self._set(dice) as view:
            begin, end = sorted(dice.choices(range(view.size()), k=2))
            return view.fingerprint(begin, end)

    def nothing_new(self, dice: random.Random) -> object:
        """Reconcile all topics since some time with a twin: both sides of it."""
        initiator = Initiator(self._store, Window(TOPICS, self._time_ms(dice), END_MS))
        answer = Responder(self._store, Scope(TOPICS)).receive(initiator.open())
        outcome = initiator.receive(answer).outcome
        if not isinstance(outcome, Same):
            raise TypeError(f"twins that differ: {outcome}")
        return outcome

    def _set(self, dice: random.Random) -> AbstractContextManager[ReconcileSet]:
        return self._store.open_set(dice.choice(TOPICS[1:]), 0, END_MS)


def quantile(times: list[float], share: float) -> float:
    """Return what so large a share of sorted times does not exceed."""
    return times[min(len(times) - 1, int(share * len(times)))]


def measure(store: Store, folder: Path, added: list[float]) -> dict[str, float]:
    """Return a row of the growth: what a store of this size comes to."""
    asked = Questions(store)
    pages, sums = ask(asked.page, 300), ask(asked.sums, 100)
    thought = ask(asked.page, 300, time.thread_time)
    found = {
        name: statistics.median(ask(question, 200))
        for name, question in (
            ("rank", asked.rank),
            ("select", asked.select),
            ("range", asked.fingerprint),
        )
    }
    new = ask(asked.nothing_new, 50)
    return {
        "records": store.count(),
        "adds, 1/s": BATCH / statistics.mean(added[-TIMED_BATCHES:]),
        "page p50, ms": quantile(pages, 0.5),
        "page p99, ms": quantile(pages, 0.99),
        "page p99 of processor, ms": quantile(thought, 0.99),
        "17 sums p50, ms": quantile(sums, 0.5),
        "17 sums p99, ms": quantile(sums, 0.99),
        **{f"{name} p50, ms": value for name, value in found.items()},
        "nothing new p50, ms": quantile(new, 0.5) / 2,
        "memory, MiB": private_mib(),
        "disk, B/record": disk_bytes(folder) / store.count(),
    }


def private_mib() -> float:
    """Return this process's memory that is no file's."""
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


def disk_bytes(folder: Path) -> int:
    """Return how much a folder's files take."""
    return sum(path.stat().st_size for path in folder.iterdir())


NOTED: Final = (
    "adds, 1/s",
    "page p50, ms",
    "page p99, ms",
    "page p99 of processor, ms",
    "nothing new p50, ms",
)


def note(outcome: Outcome) -> None:
    """Note the figures that have targets, of the largest store."""
    first, last = outcome.growth[0], outcome.growth[-1]
    name = f"{last['records']:,.0f} records"
    for column in NOTED:
        what, unit = column.split(", ")
        outcome.add(f"{name}: {what}", last[column], unit)
        outcome.compare(f"{what}, largest / smallest", last[column], first[column])


def measure_all(sizes: Sequence[int]) -> Outcome:
    """Grow a store, and measure it at each size."""
    outcome, source = Outcome("store"), records()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "records"
        with closing(open_store(folder, NETWORK)) as store:
            before_mib = private_mib()
            for size in sizes:
                added = grow(store, source, size)
                outcome.growth.append(measure(store, folder, added))
            late = late_records(BATCH * 20)
            outcome.add("late adds at any time", *grow_late(store, late))
    note(outcome)
    outcome.conditions |= {
        "memory before": f"{before_mib:.0f} MiB; with the generator of records",
        "adding": f"batches of {BATCH}, synced; the last {TIMED_BATCHES} of them",
        "records": f"signed posts of {AGENTS:,} agents in {len(COMMUNITIES)}"
        f" communities, one a second, in {NETWORK.shards} shards",
        "processor": "what the reading thread takes itself, whatever else runs",
        "reading": "warm, one thread; sums, rank, select and range each open a view;"
        " nothing new: half of both sides' time",
    }
    return outcome


def grow_late(store: Store, late: Sequence[Record]) -> tuple[float, str]:
    """Add records of any time in batches; return how many a second."""
    batches = [late[begin : begin + BATCH] for begin in range(0, len(late), BATCH)]
    times = [timed(partial(store.add, batch, BEGIN_MS)) for batch in batches]
    return len(late) / sum(times), "1/s"


async def run(rounds: int) -> Outcome:
    """Measure a store up to 100,000 records, or a million; then publish, in turns."""
    sizes = SIZES if os.environ.get(LARGE) else SIZES[:2]
    outcome = await trio.to_thread.run_sync(measure_all, sizes)
    await publishing.measure(outcome, rounds)
    return outcome
