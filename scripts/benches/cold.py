"""Cold sync: one node process gets all from another; two others do the same beside it.

| side | what is brought |
|---|---|
| ours | a store's records: each judged, its signature verified, in a synced LevelDB |
| hypercore 11, ssb-ebt 9 | one log's items, as `rivals/replication.py` says |

What they bring is a part of ours, so that a run ends: their rates hardly depend on it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import trio

from moltp2p.node.home import Home
from scripts.benches.outcome import Outcome
from scripts.benches.rivals.replication import HYPERCORE, SSB_EBT, Replicator, replicate

RIVALS: Final[dict[Replicator, int]] = {HYPERCORE: 50_000, SSB_EBT: 10_000}
"""With how many items, for about a quarter of a minute each."""

MOLTP2P: Final = Path(sys.executable).with_name("moltp2p")
START_S: Final = 60.0
CONFIG: Final = 'network = "bench"\nadmission = "open"\nsync_interval = 0\n'


@dataclass(frozen=True, slots=True)
class Listener:
    """A node in a process of its own.

    Attributes:
        api: its API.
        process: itself.
    """

    api: httpx.AsyncClient
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return how much of a processor it has had, seconds."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    async def sync(self) -> tuple[dict[str, Any], float]:
        """Compare with its peers; return its last word, and how long it took."""
        begun = time.perf_counter()
        lines = (await self.api.post("/sync")).text.splitlines()
        return json.loads(lines[-1]), time.perf_counter() - begun


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Listener]:
    """Run a listener for the length of the block."""
    command = [str(MOLTP2P), "--home", str(home), "--json", "run", "--role", "listener"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("MOLTP2P_")}
    child = await trio.lowlevel.open_process(
        [*command, "--log-level", "error"], stdout=subprocess.DEVNULL, env=env
    )
    try:
        transport = httpx.AsyncHTTPTransport(uds=str(home / "api.sock"))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node/v1", timeout=600.0
        ) as api:
            with trio.fail_after(START_S):
                await _answers(api)
            yield Listener(api, psutil.Process(child.pid))
    finally:
        child.terminate()
        with trio.CancelScope(shield=True):
            await child.wait()


async def _answers(api: httpx.AsyncClient) -> None:
    """Wait until a node answers."""
    for _ in count():
        try:
            if (await api.get("/status")).is_success:
                return
        except httpx.TransportError:
            pass  # it is still starting
        await trio.sleep(0.05)


OURS: Final = "cold: records a second"


async def measure_cold(
    outcome: Outcome, source: Path, folder: Path, records: int, rounds: int
) -> None:
    """Measure getting everything, in turns with others, every second time backwards."""
    figures: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    for turn in range(rounds):
        for side in (None, *RIVALS)[:: 1 if turn % 2 == 0 else -1]:
            if side is not None:
                rate = await replicate(side, RIVALS[side])
                rates.setdefault(side.name, []).append(rate)
                continue
            found = await cold(source, home_in(folder / f"sink {turn}"), records)
            for name, value in found.items():
                figures.setdefault(name, []).append(value)
    for (name, values), unit in zip(figures.items(), UNITS, strict=True):
        outcome.add(name, statistics.median(values), unit)
    for name, values in rates.items():
        outcome.add(f"{name}: items a second", statistics.median(values), "1/s")
        ours = statistics.median(figures[OURS])
        outcome.compare(f"cold / {name}", ours, statistics.median(values))
    some = ", ".join(f"{side.name}: {n:,} items" for side, n in RIVALS.items())
    outcome.conditions["cold"] = (
        "each record judged, its signature verified, and in a synced LevelDB; two"
        f" processes over Noise and yamux on loopback; median of {rounds}"
    )
    outcome.conditions["beside"] = (
        f"{some} of the same texts, two processes of Node; in turns with ours, rates"
        " compared"
    )


async def cold(source: Path, sink_home: Path, records: int) -> dict[str, float]:
    """Measure once how long one process takes to get all from another."""
    async with running(source) as whole, running(sink_home) as sink:
        address = (await whole.api.get("/status")).json()["addresses"][0]
        await sink.api.post("/connect", json={"address": address})
        before = whole.cpu_s(), sink.cpu_s()
        last, took_s = await sink.sync()
        if (last["status"], last["gained"]) != ("synced", records):
            raise RuntimeError(f"not all came: {last}")
        spent = whole.cpu_s() - before[0], sink.cpu_s() - before[1]
        _, again_s = await sink.sync()
    return {
        OURS: records / took_s,
        "cold: processor of the source, a record": spent[0] / records * 1e6,
        "cold: processor of the sink, a record": spent[1] / records * 1e6,
        "nothing new, with its request": again_s * 1e3,
    }


UNITS: Final = ("1/s", "us", "us", "ms")


def home_in(folder: Path) -> Path:
    """Make a home for a listener."""
    Home(folder).create()
    (folder / "config.toml").write_text(CONFIG)
    return folder
