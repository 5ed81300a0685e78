"""`latency`: from publishing to having received, six nodes, 100 messages a second.

Of ours, received means verified and in a synced store.
"""

from __future__ import annotations

import statistics
from typing import Final

from scripts.benches.gossip import load
from scripts.benches.outcome import Outcome
from scripts.benches.peers import Side, bare, js, open_peers, ours

NODES: Final = 6
RATE: Final = 100.0
MESSAGES: Final = 1_000
WARM_UP: Final = 100


async def delays_ms(side: Side) -> list[float]:
    """Return the delays of one run, sorted, the warm-up left out."""
    async with open_peers(side, NODES) as peers:
        await load(peers, WARM_UP, RATE)
        skip = [len((await peer.ask("delays"))["delays"]) for peer in peers[1:]]
        await load(peers, MESSAGES, RATE)
        found: list[float] = []
        for peer, first in zip(peers[1:], skip, strict=True):
            found += (await peer.ask("delays"))["delays"][first:]
    return sorted(found)


async def run(rounds: int) -> Outcome:
    """Measure all sides in turns, in the reverse order in every second round."""
    outcome = Outcome("latency")
    sides = [ours(), bare(), js()]
    found: dict[str, list[tuple[float, float, float]]] = {s.name: [] for s in sides}
    for turn in range(rounds):
        for side in sides if turn % 2 == 0 else sides[::-1]:
            delays = await delays_ms(side)
            last = len(delays) - 1
            share = len(delays) / (MESSAGES * (NODES - 1)) * 100
            p50, p99 = delays[round(last * 0.5)], delays[round(last * 0.99)]
            found[side.name].append((p50, p99, share))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in found.items()
    }
    for name, (p50, p99, share) in medians.items():
        outcome.add(f"{name}: p50", p50, "ms")
        outcome.add(f"{name}: p99", p99, "ms")
        outcome.add(f"{name}: arrived", share, "%")
    for other in ("py-libp2p", "js-libp2p"):
        outcome.compare(f"ours / {other}, p50", medians["ours"][0], medians[other][0])
    outcome.conditions["load"] = (
        f"{NODES} nodes, {RATE:g} messages a second from one of them,"
        f" {MESSAGES} in all; {rounds} rounds, medians"
    )
    return outcome
