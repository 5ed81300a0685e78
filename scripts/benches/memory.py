"""`memory`: resident memory of an idle node, of a peer, of records in flight."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

import trio

from scripts.benches.outcome import Outcome
from scripts.benches.peers import Peer, open_peer, ours

PEERS: Final = 16
RECORDS: Final = 10_000
POLL_S: Final = 0.05
SETTLE_S: Final = 3.0


async def rss(peer: Peer) -> float:
    """Return a node's resident bytes."""
    return float((await peer.ask("state"))["rss"])


async def run(rounds: int) -> Outcome:
    """Measure one node as peers come, and as a burst passes through it."""
    outcome = Outcome("memory")
    side = ours()
    async with AsyncExitStack() as stack:
        center = await stack.enter_async_context(open_peer(side))
        await trio.sleep(SETTLE_S)
        idle = await rss(center)
        address = (await center.ask("address"))["address"]
        others = []
        for _ in range(PEERS):
            other = await stack.enter_async_context(open_peer(side))
            await other.ask("dial", address=address)
            others.append(other)
        await trio.sleep(SETTLE_S)
        connected = await rss(center)
        peak = connected
        async with trio.open_nursery() as nursery:
            done = trio.Event()

            async def publish() -> None:
                count = RECORDS * rounds
                await others[0].ask("publish", count=count, first=0, rate=None)
                done.set()

            nursery.start_soon(publish)
            while not done.is_set():
                peak = max(peak, await rss(center))
                await trio.sleep(POLL_S)
    outcome.add("idle node", idle / 1e6, "MB")
    outcome.add("each peer", (connected - idle) / PEERS / 1e3, "kB")
    in_flight = (peak - connected) / (RECORDS * rounds) * 1_000
    outcome.add("1,000 records passing", in_flight / 1e3, "kB")
    outcome.conditions["load"] = (
        f"one node with {PEERS} peers relays a burst of {RECORDS * rounds} records"
    )
    return outcome
