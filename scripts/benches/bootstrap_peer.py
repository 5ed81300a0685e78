"""A bootstrap peer in a process of its own, which limits this machine's nodes too.

`bootstrap_peer.py crowd` lets a crowd of them in: here all have one address. What it
keeps in memory on purpose is little then, and full within minutes, so that what it
grows by shows.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil
import trio

from moltp2p.core.topics import NetworkParams
from moltp2p.net.base import ConnectionLimits
from moltp2p.node.config import Config
from moltp2p.node.node import open_node
from moltp2p.node.settings import Role
from moltp2p.node.world import real_world
from moltp2p.store.base import Policy, Store
from moltp2p.store.leveldb import LevelDb
from moltp2p.store.records import RecordStore
from scripts.benches.lines import answer_lines

LIMITS: Final = ConnectionLimits(exempt_loopback=False)
CROWD: Final = replace(LIMITS, per_address=160, per_subnet=160, address_per_s=32)
SMALL: Final = {"write_buffer_size": 2**18, "lru_cache_size": 2**18}
"""In place of 8 MiB each, which half an hour's posts would not fill."""


def release() -> None:
    """Have malloc give back what it keeps for later: that is no growth of a node's.

    How much that is wavers by half a megabyte, with what was freed where.
    """
    ctypes.CDLL(None).malloc_trim(0)


async def main() -> None:
    """Run the node until stdin ends."""
    is_crowd = sys.argv[1:] == ["crowd"]
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            Path(folder) / "home",
            NetworkParams("test-bench"),
            Role.BOOTSTRAP,
            target_peers=0,
            limits=CROWD if is_crowd else LIMITS,
        )

        def open_store(path: Path, network: NetworkParams, policy: Policy) -> Store:
            engine = LevelDb(path, **SMALL if is_crowd else {})
            return RecordStore(engine, network, policy)

        world = replace(real_world(), open_store=open_store)
        async with open_node(config, world=world) as node:

            async def address(_: dict[str, Any]) -> Mapping[str, object]:
                gossip = (await node.status()).gossip
                return {"address": gossip.addresses[0] if gossip else ""}

            async def state(_: dict[str, Any]) -> Mapping[str, object]:
                readings = await node.readings()
                network = readings.network
                gc.collect()
                release()
                memory = psutil.Process().memory_info()
                return {
                    "connections": network.connections if network else 0,
                    "refused": dict(network.refused) if network else {},
                    "bugs": dict(network.handler_bugs) if network else {},
                    "records": readings.status.store.records,
                    "fingerprint": readings.status.store.fingerprint,
                    "cpu_s": sum(psutil.Process().cpu_times()[:2]),
                    "rss": memory.rss,
                    "mapped": memory.shared,
                }

            await answer_lines({"address": address, "state": state})


if __name__ == "__main__":
    trio.run(main)
