"""`dataset`: a listener's store as Parquet files: how fast, and in how much memory.

A store of 100,000 records (with --large also 1,000,000) is filled as a listener fills
it, arrivals and all; then `moltp2p dataset` reads it, in processes of its own, while
the node is stopped. Making the store is not timed.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psutil
import trio

from moltp2p.core.ids import PeerId
from moltp2p.core.validate import Road
from moltp2p.node.config import ENVIRON_PREFIX
from moltp2p.node.home import Home
from moltp2p.store.arrivals import Came
from moltp2p.store.base import Policy
from moltp2p.store.leveldb import open_store
from scripts.benches.outcome import Outcome
from scripts.benches.recover import LARGE, MOLTP2P
from scripts.benches.store import NETWORK, records

SIZES: Final = (100_000, 1_000_000)
BATCH: Final = 512
LOOK_S: Final = 0.05
PEERS: Final = tuple(PeerId(f"12D3KooW{n:044}") for n in range(12))


@dataclass(slots=True)
class Use:
    """What a command took, all its processes together.

    Attributes:
        wall_s: from its start to its end.
        memory_mib: at most, that is no file's.
        resident_mib: at most, with the store's files as far as they are mapped.
        busiest_s: processor time of the process that took most.
        told: its answer.
    """

    wall_s: float = 0.0
    memory_mib: float = 0.0
    resident_mib: float = 0.0
    busiest_s: float = 0.0
    told: dict[str, Any] | None = None


def fill(home: Path, size: int) -> None:
    """Fill a listener's store."""
    Home(home).create()
    (home / "config.toml").write_text(f'network = "{NETWORK.id}"\n')
    policy = Policy(keep_all=True, arrivals=True)
    source = records()
    with closing(open_store(home / "records", NETWORK, policy)) as store:
        while (missing := size - store.count()) > 0:
            batch = list(islice(source, min(BATCH, missing)))
            times = [record.header.time_ms + 40 for record in batch]
            came = [
                Came(at_ms, Road.GOSSIP, PEERS[n % len(PEERS)])
                for n, at_ms in enumerate(times)
            ]
            store.add(batch, times[-1], came)


async def run_command(*words: str) -> Use:
    """Run a command line, and look at its processes meanwhile."""
    use, begin = Use(), time.perf_counter()
    arguments = [str(MOLTP2P), "--json", *words]
    # What benchmarks tell each other in the environment is no setting of a node's.
    plain = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRON_PREFIX)}
    with tempfile.TemporaryFile() as answer:
        process = await trio.lowlevel.open_process(arguments, stdout=answer, env=plain)
        while process.poll() is None:
            _look(psutil.Process(process.pid), use)
            await trio.sleep(LOOK_S)
        use.wall_s = time.perf_counter() - begin
        answer.seek(0)
        use.told = json.loads(answer.read())
    return use


def _look(process: psutil.Process, use: Use) -> None:
    anonymous = resident = 0.0
    with suppress(psutil.Error, OSError):
        for each in (process, *process.children(recursive=True)):
            anonymous += _anonymous_mib(each.pid)
            resident += each.memory_info().rss / 2**20
            times = each.cpu_times()
            use.busiest_s = max(use.busiest_s, times.user + times.system)
        use.memory_mib = max(use.memory_mib, anonymous)
        use.resident_mib = max(use.resident_mib, resident)


def _anonymous_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    lines = [each for each in status.splitlines() if each.startswith("RssAnon")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0  # it has ended


async def run(rounds: int) -> Outcome:
    """Measure stores of 100,000 records, or of a million too."""
    del rounds
    outcome = Outcome("dataset")
    sizes = SIZES if os.environ.get(LARGE) else SIZES[:1]
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            await _measure(Path(folder), size, outcome)
    outcome.conditions |= {
        "memory": "of all processes; beside it resident, where the store's own files"
        " count as far as they are mapped, which the system takes back when it likes",
        "store": "a listener's, stopped; signed posts, and as many arrivals",
    }
    return outcome


async def _measure(folder: Path, size: int, outcome: Outcome) -> None:
    home, place = folder / f"home-{size}", folder / f"dataset-{size}"
    await trio.to_thread.run_sync(fill, home, size)
    use = await run_command("--home", str(home), "dataset", str(place))
    if use.told is None or use.told["status"] != "written":
        raise ValueError(f"no dataset: {use.told}")
    if use.told["counts"]["records"] != size:
        raise ValueError(f"not all of {size} records: {use.told}")
    if not use.told["fingerprint_agrees"]:
        raise ValueError("the dataset's records are not the store's")
    outcome.growth.append(
        {
            "records": size,
            "records, 1/s": size / use.wall_s,
            "busiest process, us/record": use.busiest_s / size * 1e6,
            "memory, MiB": use.memory_mib,
            "resident, MiB": use.resident_mib,
            "dataset, B/record": use.told["bytes"] / size,
        }
    )
    outcome.add(f"{size:,} records", size / use.wall_s, "1/s")
    outcome.add(f"{size:,} records: memory", use.memory_mib, "MiB")
