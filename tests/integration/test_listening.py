"""A live mesh, and a listener beside it: what it hears, and what one takes home."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest
import trio

from moltp2p.api.serve import open_api
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role
from moltp2p.testing.members import Member, MemberSettings, Text, open_local_member
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

NETWORK: Final = "test-listening"
LOOK_S: Final = 0.05
MOLTP2P: Final = Path(sys.executable).with_name("moltp2p")


@asynccontextmanager
async def open_listener(home: Path, bootstrap: Sequence[str]) -> AsyncIterator[Node]:
    """Run a listener with its API; its home need not be there."""
    params = NetworkParams(NETWORK, admission=False)
    config = Config(home, params, Role.LISTENER, bootstrap=tuple(bootstrap), mdns="off")
    async with open_node(config) as node, open_api(node):
        settings = f'network = "{NETWORK}"\nadmission = "open"\n'
        (home / "config.toml").write_text(settings)
        yield node


async def molt(home: Path, *words: str) -> dict[str, Any]:
    """Run a command that answers with one line."""
    command = [str(MOLTP2P), "--home", str(home), "--json", *words]
    with trio.fail_after(PATIENCE_S):
        done = await trio.run_process(command, capture_stdout=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, answer
    return answer


async def watch(home: Path, after: int, count: int) -> list[dict[str, Any]]:
    """Read so many lines of the feed behind a cursor."""
    command = [str(MOLTP2P), "--home", str(home), "watch", "--json", "--after"]
    child = await trio.lowlevel.open_process(
        [*command, str(after)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    data = b""
    try:
        with trio.fail_after(PATIENCE_S):
            while data.count(b"\n") < count:
                data += await child.stdout.receive_some()
    finally:
        child.kill()
        await child.wait()
    return [json.loads(line) for line in data.splitlines()[:count]]


async def say(member: Member, count: int, about: str) -> set[str]:
    texts = [Text(f"c-{n % 3}", f"{about} {n} <b>") for n in range(count)]
    return set(await member.publish(texts))


async def holds(node: Node, count: int) -> None:
    """Wait until a node holds so many records."""
    with trio.fail_after(PATIENCE_S):
        while True:
            if (await node.status()).store.records >= count:
                return
            await trio.sleep(LOOK_S)


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    return [
        row
        for path in sorted(folder.glob(f"{table}/*/*.parquet"))
        for row in pq.ParquetFile(path).read().to_pylist()
    ]


@dataclass
class Taken:
    """What came of it.

    Attributes:
        live: the answer of `dataset` while the listener ran.
        counted: the answer of `stats`.
        heard: the feed's first lines.
        more: the lines behind them, after it was off for a while.
        stopped: the answer of `dataset` at last.
        fingerprint: of the listener's set, at last.
    """

    live: dict[str, Any] = field(default_factory=dict)
    counted: dict[str, Any] = field(default_factory=dict)
    heard: list[dict[str, Any]] = field(default_factory=list)
    more: list[dict[str, Any]] = field(default_factory=list)
    stopped: dict[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None


async def take_home(folder: Path) -> Taken:
    """Have a listener join a mesh late, leave, come back, and end."""
    home, taken = folder / "ear", Taken()
    async with open_local_member(
        MemberSettings(str(folder / "alice"), NETWORK)
    ) as alice:
        bootstrap = await alice.addresses()
        await say(alice, 20, "before")
        async with (
            open_local_member(
                MemberSettings(str(folder / "bob"), NETWORK, bootstrap=tuple(bootstrap))
            ) as bob,
            open_listener(home, bootstrap) as ear,
        ):
            await holds(ear, 22)
            await say(bob, 20, "now")
            await holds(ear, 42)
            taken.live = await molt(home, "dataset", str(folder / "live"))
            page = str(folder / "page.html")
            taken.counted = await molt(home, "stats", "--html", page)
            taken.heard = await watch(home, 0, 42)
        await say(alice, 10, "while it was off")
        async with open_listener(home, bootstrap) as ear:
            await holds(ear, 52)
            taken.more = await watch(home, taken.heard[-1]["cursor"], 10)
            taken.fingerprint = (await ear.status()).store.fingerprint
    taken.stopped = await molt(home, "dataset", str(folder / "stopped"))
    return taken


async def test_a_listener_takes_a_live_mesh_home(tmp_path: Path) -> None:
    taken = await take_home(tmp_path)

    assert not list((tmp_path / "ear").glob("agent*"))
    counts = taken.live["counts"]
    assert counts["records"] == counts["arrivals"] == taken.counted["records"] == 42
    assert "default-src 'none'" in (tmp_path / "page.html").read_text()
    feed = [*taken.heard, *taken.more]
    assert [(each["cursor"], each["missed"]) for each in feed] == [
        (number, 0) for number in range(1, 53)
    ]
    assert {each["text"][:5] for each in taken.more} == {"while"}
    assert taken.stopped["counts"]["records"] == 52
    assert taken.stopped["fingerprint"] == taken.fingerprint
    assert taken.stopped["fingerprint_agrees"] is True
    assert taken.live["fingerprint_agrees"] is True
    arrivals, records = (rows(tmp_path / "stopped", t) for t in ("arrivals", "records"))
    assert {row["record"] for row in arrivals} == {row["id"] for row in records}
    assert {row["road"] for row in arrivals} == {"gossip", "sync"}
    assert all(row["peer"] for row in arrivals)
    manifest = json.loads((tmp_path / "stopped" / "manifest.json").read_text())
    (gap,) = manifest["completeness"]["listening"]["gaps"]
    assert not gap["crashed"]
    peers = pq.ParquetFile(tmp_path / "stopped" / "peers.parquet").read().to_pylist()
    # Strangers on this machine may have looked in, and are seen as well.
    assert {row["peer"] for row in arrivals} <= {row["peer"] for row in peers}
    assert manifest["completeness"]["peers_seen"] == len(peers) >= 2
