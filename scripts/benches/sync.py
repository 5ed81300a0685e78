"""`sync`: getting what one lacks, from everything to nothing.

Cold: one node process gets all from another, verified and on disk, over sockets;
beside it hypercore and ssb-ebt (`cold.py`).
Sessions: how many bytes and rounds it takes to find out what is missing, between two
stores, before the records themselves.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import trio

from moltp2p.core.codec import MAX_INT
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.sync.initiator import Initiator
from moltp2p.proto.sync.messages import Window
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.store.base import Store
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import TestAgent
from scripts.benches.cold import home_in, measure_cold
from scripts.benches.corpus import bodies
from scripts.benches.outcome import Outcome

RECORDS: Final = int(os.environ.get("MOLTP2P_BENCH_RECORDS", "100000"))
MISSING: Final = 1_000
AGENTS: Final = 50
BATCH_RECORDS: Final = 1_000
NETWORK: Final = NetworkParams("bench")
TOPICS: Final = tuple(range(NETWORK.shards + 1))


def written(total: int) -> Iterator[list[Record]]:
    """Yield so many records in batches, in the order in which they were written."""
    agents = [TestAgent(f"agent {n}", NETWORK.id) for n in range(AGENTS)]
    dice = random.Random(1)  # noqa: S311 - the same records each time
    texts = bodies()
    batch = [agent.incept() for agent in agents]
    made = len(batch)
    time_ms = agents[0].time_ms
    while made < total:
        agent = dice.choice(agents)
        # One clock for all, so that the newest are the last ones written.
        time_ms += 1000
        agent.time_ms = time_ms
        batch.append(agent.post(dice.choice(texts), f"c-{dice.randrange(40)}"))
        del agent.records[:-1]
        made += 1
        if len(batch) == BATCH_RECORDS:
            yield batch
            batch = []
    yield batch


def fill(whole: Path, newest: Path, scattered: Path) -> None:
    """Fill a store, and two that lack some of it."""
    dice = random.Random(2)  # noqa: S311 - the same each time
    gone = frozenset(dice.sample(range(AGENTS, RECORDS), MISSING))
    old = RECORDS - MISSING
    kept: list[Callable[[int], bool]] = [
        lambda _: True,
        lambda place: place < old,
        lambda place: place not in gone,
    ]
    with ExitStack() as stack:
        stores = [
            stack.enter_context(closing(open_store(path, NETWORK)))
            for path in (whole, newest, scattered)
        ]
        number = 0
        for batch in written(RECORDS):
            places = range(number, number + len(batch))
            number += len(batch)
            for store, keeps in zip(stores, kept, strict=True):
                some = [r for r, at in zip(batch, places, strict=True) if keeps(at)]
                store.add(some, number)


# -- sessions ------------------------------------------------------------------


def session(here: Store, there: Store) -> dict[str, float]:
    """Compare two stores; return what it took, and what was found missing."""
    initiator = Initiator(here, Window(TOPICS, 0, MAX_INT))
    responder = Responder(there, Scope(TOPICS))
    need: list[tuple[int, RecordId]] = []
    sent = rounds = 0
    begun = time.perf_counter()
    frame: bytes | None = initiator.open()
    ours_s = time.perf_counter() - begun
    while frame is not None:
        answer = responder.receive(frame)
        rounds += 1
        sent += len(frame) + len(answer)
        begun = time.perf_counter()
        step = initiator.receive(answer)
        ours_s += time.perf_counter() - begun
        need += step.need
        frame = step.reply
    return {"bytes": sent, "rounds": rounds, "missing": len(need), "s": ours_s}


def measure_sessions(outcome: Outcome, paths: dict[str, Path]) -> None:
    """Measure what it takes to find out what is missing."""
    with closing(open_store(paths["whole"], NETWORK)) as whole:
        same = session(whole, whole)
        outcome.add("nothing new: bytes", same["bytes"], "B")
        outcome.add("nothing new: rounds", same["rounds"], "")
        outcome.add("nothing new: our time", same["s"] * 1e3, "ms")
        for name in ("newest", "scattered"):
            with closing(open_store(paths[name], NETWORK)) as lacking:
                found = session(lacking, whole)
            if found["missing"] != MISSING:
                raise RuntimeError(f"{found['missing']} found, of {MISSING}")
            title = f"{MISSING:,} {name} missing"
            outcome.add(f"{title}: bytes each", found["bytes"] / MISSING, "B")
            outcome.add(f"{title}: rounds", found["rounds"], "")
            outcome.add(f"{title}: our time", found["s"] * 1e3, "ms")


async def healed(outcome: Outcome) -> None:
    """Measure how long nodes take that were split (see `split.py`)."""
    done = await trio.run_process(
        [sys.executable, "-m", "scripts.benches.split"], capture_stdout=True
    )
    name = "20 nodes, 30 % of gossip lost, split for 60 s: alike after"
    outcome.add(name, float(done.stdout), "s of virtual time")


async def run(rounds: int) -> Outcome:
    """Measure all of it."""
    outcome = Outcome("sync")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = home_in(folder / "source")
        paths = {
            "whole": source / "records",
            "newest": folder / "newest",
            "scattered": folder / "scattered",
        }
        await trio.to_thread.run_sync(lambda: fill(*paths.values()))
        await trio.to_thread.run_sync(measure_sessions, outcome, paths)
        await measure_cold(outcome, source, folder, RECORDS, rounds)
    await healed(outcome)
    outcome.conditions["records"] = f"{RECORDS:,}, by {AGENTS} agents, on 17 topics"
    outcome.conditions["sessions"] = (
        "frames of both directions, before the records themselves; a round is a frame"
        " and its answer"
    )
    return outcome
