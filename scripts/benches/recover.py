"""`recover`: a node killed under load serves again, and what it acknowledged is there.

For each size of store: from SIGKILL to the first answer, and to the first record that
is acknowledged; beside that, the same node ended in order and started again. Then how
fast a backup is made and put back.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import trio

from moltp2p.core.ids import RecordId, parse_record_id
from moltp2p.core.topics import NetworkParams
from moltp2p.node.home import Home
from moltp2p.store.leveldb import open_store
from moltp2p.store.repairing import restore
from moltp2p.testing.factories import TestAgent
from scripts.benches.corpus import bodies
from scripts.benches.outcome import Outcome

LARGE: Final = "MOLTP2P_BENCH_LARGE"
"""In the environment: whether a million records are measured too."""

SIZES: Final = (10_000, 100_000)
LARGE_SIZE: Final = 1_000_000
AGENTS: Final = 50
BATCH_RECORDS: Final = 512
LINES: Final = 64
"""Posts to a request under load."""
LOADS: Final = 4
"""Requests at a time."""
LOAD_S: Final = 2.0
POLL_S: Final = 0.01
NETWORK: Final = NetworkParams("bench")
MOLTP2P: Final = Path(sys.executable).with_name("moltp2p")


@dataclass
class Subject:
    """A home whose node is killed.

    Attributes:
        home: where.
        texts: what is posted.
        acknowledged: the records that were.
    """

    home: Path
    texts: list[str]
    acknowledged: list[RecordId] = field(default_factory=list)

    def fill(self, count: int) -> None:
        """Make an agent, and a store of so many records by others."""
        Home(self.home).init_agent(secrets.token_bytes)
        (self.home / "config.toml").write_text(
            f'network = "{NETWORK.id}"\nadmission = "open"\n'
        )
        agents = [TestAgent(f"agent {n}", NETWORK.id) for n in range(AGENTS)]
        dice = random.Random(1)  # noqa: S311 - the same records each time
        with closing(open_store(self.home / "records", NETWORK)) as store:
            while (held := store.count()) < count:
                for _ in range(min(BATCH_RECORDS, count - held)):
                    dice.choice(agents).post(dice.choice(self.texts))
                store.add([each for agent in agents for each in agent.records], held)
                for agent in agents:
                    del agent.records[:-1]

    @asynccontextmanager
    async def run(self) -> AsyncIterator[trio.Process]:
        """Start its node; ends when the node has ended."""
        words = [str(MOLTP2P), "--home", str(self.home), "--json", "run"]
        words += ["--log-level", "error"]
        # What starts so is a setting to a node, and ours are none.
        env = {k: v for k, v in os.environ.items() if not k.startswith("MOLTP2P_")}
        process = await trio.lowlevel.open_process(
            words, stdout=subprocess.DEVNULL, env=env
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open a client of its node."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.home / "api.sock"))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node/v1", timeout=600.0
        ) as client:
            yield client

    async def answers(self, process: trio.Process) -> None:
        """Wait until the node answers.

        Raises:
            RuntimeError: when it ended instead.
        """
        while process.poll() is None:
            try:
                await (await trio.open_unix_socket(self.home / "api.sock")).aclose()
            except OSError:
                await trio.sleep(POLL_S)
                continue
            async with self.api() as api:
                (await api.get("/status")).raise_for_status()
            return
        raise RuntimeError(f"the node ended with {process.returncode}")

    async def post(self, api: httpx.AsyncClient) -> None:
        """Publish one request's worth of posts; note what is acknowledged."""
        lines = [
            json.dumps({"community": "general", "text": text})
            for text in self.texts[:LINES]
        ]
        headers = {"content-type": "application/x-ndjson"}
        request = api.build_request(
            "POST", "/posts", content="\n".join(lines), headers=headers
        )
        response = await api.send(request, stream=True)
        async for line in response.aiter_lines():
            self.acknowledged.append(parse_record_id(json.loads(line)["id"]))

    async def load(self, process: trio.Process) -> None:
        """Publish for a while, and kill the node in the middle of it."""

        async def insist() -> None:
            try:
                async with self.api() as api:
                    while True:
                        await self.post(api)
            except (httpx.TransportError, json.JSONDecodeError):
                return  # it was killed; a line that is cut off acknowledges nothing

        async with trio.open_nursery() as nursery:
            for _ in range(LOADS):
                nursery.start_soon(insist)
            await trio.sleep(LOAD_S)
            process.send_signal(signal.SIGKILL)

    def lost(self) -> int:
        """Return how many acknowledged records are not there."""
        with closing(open_store(self.home / "records", NETWORK)) as store:
            return sum(not store.has(record) for record in self.acknowledged)


async def start_again(subject: Subject, *, load: bool) -> tuple[float, float]:
    """Start the node; return seconds to an answer, and to a record acknowledged."""
    begun = time.perf_counter()
    async with subject.run() as process:
        await subject.answers(process)
        served_s = time.perf_counter() - begun
        async with subject.api() as api:
            await subject.post(api)
        wrote_s = time.perf_counter() - begun
        if load:
            await subject.load(process)
        else:
            process.terminate()
            await process.wait()
    return served_s, wrote_s


async def measure(outcome: Outcome, folder: Path, size: int, rounds: int) -> None:
    """Measure one size of store."""
    subject = Subject(folder / "home", bodies())
    await trio.to_thread.run_sync(subject.fill, size)
    killed, ended = [], []
    await start_again(subject, load=True)
    for _ in range(rounds):
        killed.append(await start_again(subject, load=False))
        ended.append(await start_again(subject, load=True))
    name = f"{size:,} records"
    served_s, wrote_s = (statistics.median(each) for each in zip(*killed, strict=True))
    order_s = statistics.median(served for served, _ in ended)
    outcome.add(f"{name}: kill to the first answer", served_s, "s")
    outcome.add(f"{name}: kill to the first record", wrote_s, "s")
    outcome.add(f"{name}: started after an end in order", order_s, "s")
    outcome.compare(f"{name}: killed / ended in order", served_s, order_s)
    outcome.add(f"{name}: acknowledged under load", len(subject.acknowledged), "")
    outcome.add(f"{name}: of these lost", subject.lost(), "")
    await trio.to_thread.run_sync(_copies, outcome, subject, folder, name)


def _copies(outcome: Outcome, subject: Subject, folder: Path, name: str) -> None:
    """Measure a backup, synced, and putting it back."""
    with closing(open_store(subject.home / "records", NETWORK)) as store:
        records = store.count()
        with _timed() as elapsed, (folder / "backup").open("wb") as file:
            file.writelines(store.backup(0))
            file.flush()
            os.fsync(file.fileno())
        outcome.add(f"{name}: backed up", records / elapsed(), "records/s")
    with _timed() as elapsed, (folder / "backup").open("rb") as file:
        done = restore(file, folder / "other" / "records", NETWORK)
    if done.records != records:
        raise RuntimeError(f"{done.records} of {records} were put back")
    outcome.add(f"{name}: put back, verified", records / elapsed(), "records/s")


@contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    begun = time.perf_counter()
    yield lambda: time.perf_counter() - begun


async def run(rounds: int) -> Outcome:
    """Measure stores of growing size."""
    outcome = Outcome("recover")
    for size in _sizes():
        with tempfile.TemporaryDirectory() as folder:
            await measure(outcome, Path(folder), size, rounds)
    outcome.conditions["load"] = (
        f"{LOADS} clients, {LINES} posts a request, for {LOAD_S:g} s, then SIGKILL;"
        " the start of Python and its imports is counted in"
    )
    return outcome


def _sizes() -> Iterator[int]:
    yield from SIZES
    if os.environ.get(LARGE):
        yield LARGE_SIZE
