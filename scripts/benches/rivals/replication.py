"""How fast others bring a log from one process to another.

| side | what it does with an item |
|---|---|
| hypercore 11 | verifies a Merkle proof and signature for each batch; RocksDB |
| ssb-ebt 9 | verifies each message's Ed25519 signature; ssb-db2's append-only log |
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from tests.interop.js_install import find_node, find_tool, install

SOURCES: Final = Path(__file__).with_name("npm")
READY_S: Final = 300.0
PULL_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Replicator:
    """A program with two ends, `serve` and `pull`.

    Attributes:
        name: what it is, with its version.
        program: in the folder of npm's packages.
    """

    name: str
    program: str


HYPERCORE: Final = Replicator("hypercore 11", "hypercore.mjs")
SSB_EBT: Final = Replicator("ssb-ebt 9", "ebt.cjs")


async def replicate(side: Replicator, count: int) -> float:
    """Return how many items a second one process gets from another.

    The environment names the texts (`peers.CORPUS`).

    Raises:
        NoNodeError: Node or npm is missing.
        InstallError: npm could not install it.
        RuntimeError: one of the two processes ended early.
    """
    folder = install(find_tool("npm"), SOURCES)
    command = [find_node(), str(folder / side.program)]
    child = await trio.lowlevel.open_process(
        [*command, "serve", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        offer = await _first_line(child, READY_S)
        with trio.fail_after(PULL_S):
            pulled = await trio.run_process(
                [*command, "pull", json.dumps(offer)], capture_stdout=True
            )
        answer: dict[str, float] = json.loads(pulled.stdout)
        return count / answer["seconds"]
    finally:
        child.kill()
        with trio.CancelScope(shield=True):
            await child.wait()


async def _first_line(child: trio.Process, within_s: float) -> dict[str, Any]:
    if child.stdout is None:
        raise RuntimeError("a process without a pipe")
    line = b""
    with trio.fail_after(within_s):
        while not line.endswith(b"\n"):
            more = await child.stdout.receive_some()
            if not more:
                raise RuntimeError("a process ended before it was ready")
            line += more
    told: dict[str, Any] = json.loads(line)
    return told
