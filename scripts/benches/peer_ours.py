"""A whole node of ours: what it counts is in its store, synced.

Its agent writes into a few communities in turn, of one shard each: what it has room for
in one (spec 11) is less than a run of the benchmark, and the oldest would not be kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.core.validate import Road
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.world import real_world
from scripts.benches.corpus import bodies
from scripts.benches.lines import Meter, answer_lines, paced

NETWORK: Final = NetworkParams("test-bench")
COMMUNITIES: Final = ("bench-0", "bench-1", "bench-2", "bench-4")
HANDFUL: Final = 64
"""Posts that an agent in a hurry hands over at once."""
UNDER_WAY: Final = 4
"""Handfuls that it hands over without waiting for the first to be on the disk. The
other sides' publishing returns before anything is sent."""


async def count_arrivals(node: Node, meter: Meter) -> None:
    """Count what peers bring, once it is stored.

    On a machine that is slow enough a round of reconciliation finds, and fetches, what
    is still in gossip's queues.
    """
    async with node.subscribe() as arrivals:
        async for arrival in arrivals:
            header = arrival.stored.record.header
            if arrival.road is not Road.LOCAL and header.community in COMMUNITIES:
                meter.received += arrival.missed
                meter.count(header.time_ms / 1e3)


async def main() -> None:
    """Run the node until stdin ends."""
    texts = bodies()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.init_agent(real_world().draw)
        config = Config(home.path, NETWORK, target_peers=0)
        topics = {topic_of(NETWORK, name) for name in COMMUNITIES}
        meter = Meter()
        async with open_node(config) as node, trio.open_nursery() as nursery:
            nursery.start_soon(count_arrivals, node, meter)

            async def address(_: dict[str, Any]) -> Mapping[str, object]:
                gossip = (await node.status()).gossip
                return {"address": gossip.addresses[0] if gossip else ""}

            async def dial(command: dict[str, Any]) -> Mapping[str, object]:
                return {"peer": await node.connect(command["address"])}

            async def state(_: dict[str, Any]) -> Mapping[str, object]:
                gossip = (await node.status()).gossip
                mesh = min(gossip.mesh[topic] for topic in topics) if gossip else 0
                joined = sum(1 for peer in await node.peers() if peer.topics)
                return {
                    "peers": joined,
                    "mesh": mesh,
                    "sent_bytes": gossip.counters["sent_bytes"] if gossip else 0,
                    "duplicates": gossip.counters["duplicates"] if gossip else 0,
                    **meter.state(),
                }

            async def publish(command: dict[str, Any]) -> Mapping[str, object]:
                count, first, rate = (command[k] for k in ("count", "first", "rate"))
                size = 1 if rate else HANDFUL

                async def send(number: int) -> None:
                    some = range(number * size, min((number + 1) * size, count))
                    community = COMMUNITIES[number % len(COMMUNITIES)]
                    drafts = [draft(texts, first + each, community) for each in some]
                    await node.publish(*drafts)

                return await paced(-(-count // size), rate, send, UNDER_WAY)

            async def delays(_: dict[str, Any]) -> Mapping[str, object]:
                return {"delays": meter.delays_ms}

            await answer_lines(
                {
                    "address": address,
                    "dial": dial,
                    "state": state,
                    "publish": publish,
                    "delays": delays,
                }
            )
            nursery.cancel_scope.cancel()


def draft(texts: list[str], number: int, community: str) -> Draft:
    """Return the post of that number."""
    return Draft(Kind.POST, Post(texts[number % len(texts)]), community)


if __name__ == "__main__":
    trio.run(main)
