"""A node in a process of its own, so that what it costs can be measured.

Takes JSON lines and answers each, as the peers of benchmarks do: `address`, `state`
(what it holds now) and `publish` (so many messages of so many bytes).
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio

from moltp2p.net.finding.discovery import Means, open_discovery
from moltp2p.net.host import open_host
from scripts.benches.lines import Meter, answer_lines
from tests.acquaintances import wall_ms
from tests.gossipers import gossip_on
from tests.swarm import TOPIC


def peak_bytes() -> int:
    """Return the most memory that was resident since the last call."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # proc(5): resets it
    return int(peak) * 1024


async def main() -> None:
    """Run the node until stdin ends."""
    async with (
        open_host(b"v" * 32, ["/ip4/127.0.0.1/tcp/0"]) as network,
        gossip_on(network) as gossiper,
        open_discovery(network, [], random.Random(1), Means(wall_ms)),
    ):
        pubsub = gossiper.pubsub

        async def address(_: dict[str, Any]) -> Mapping[str, object]:
            return {"address": network.addresses()[0]}

        async def state(_: dict[str, Any]) -> Mapping[str, object]:
            gc.collect()
            gossiper.batches.clear()
            stats = pubsub.stats()
            return {
                **Meter().state(),
                "peak": peak_bytes(),
                "connections": network.stats().connections,
                "bugs": sum(network.stats().handler_bugs.values()),
                "faults": sum(network.stats().faults.values()),
                "rpcs": stats.received_rpcs,
                "slots": network.slots.total,  # type: ignore[attr-defined]
                "tasks": trio.lowlevel.current_statistics().tasks_living,
                "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - of names
                "peers": len(stats.peers),
                "queued": [peer.queued_bytes for peer in stats.peers],
                "inbox": stats.inbox,
            }

        async def publish(command: dict[str, Any]) -> Mapping[str, object]:
            dice = random.Random(command["count"])
            with trio.move_on_after(command["within_s"]):
                for _ in range(command["count"]):
                    await pubsub.publish(TOPIC, dice.randbytes(command["size"]))
            return {}

        await answer_lines({"address": address, "state": state, "publish": publish})


if __name__ == "__main__":
    trio.run(main)
