"""`cost`: what a delivered record costs, and how that grows with the network.

Each node dials eight of those before it. A record is delivered once to each node
but its author's.
"""

from __future__ import annotations

from typing import Final

from scripts.benches.gossip import load
from scripts.benches.outcome import Outcome
from scripts.benches.peers import Peer, open_peers, ours

SIZES: Final = (2, 6, 12, 25, 50)
DIALS: Final = 8
MESSAGES: Final = 300
RATE: Final = 20.0
UNITS: Final = {"cpu_s": 1e6, "sent_bytes": 1.0, "duplicates": 1.0}


async def totals(peers: list[Peer]) -> dict[str, float]:
    """Return sums over all nodes."""
    states = [await peer.ask("state") for peer in peers]
    return {name: sum(state[name] for state in states) for name in UNITS}


async def run(rounds: int) -> Outcome:
    """Measure networks of growing size; `rounds` times as many records."""
    outcome = Outcome("cost")
    first: dict[str, float] = {}
    for nodes in SIZES:
        async with open_peers(ours(), nodes, DIALS) as peers:
            await load(peers, 20, RATE)
            before = await totals(peers)
            done = await load(peers, MESSAGES * rounds, RATE)
            after = await totals(peers)
        each = {
            name: (after[name] - before[name]) * scale / done.received
            for name, scale in UNITS.items()
        }
        outcome.add(f"{nodes} nodes: processor per delivery", each["cpu_s"], "us")
        outcome.add(
            f"{nodes} nodes: gossip bytes per delivery", each["sent_bytes"], "B"
        )
        outcome.add(f"{nodes} nodes: duplicates per delivery", each["duplicates"], "")
        outcome.add(
            f"{nodes} nodes: delivered", done.received / done.expected * 100, "%"
        )
        first = first or each
        outcome.compare(f"processor, {nodes} / 2 nodes", each["cpu_s"], first["cpu_s"])
    outcome.conditions["load"] = (
        f"{MESSAGES * rounds} records at {RATE:g} a second from one node;"
        f" each node dials {DIALS}; heartbeats are counted in"
    )
    return outcome
