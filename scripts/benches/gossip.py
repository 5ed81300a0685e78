"""`gossip`: records a second with none lost, and a burst, between two nodes and six.

Each side publishes as fast as its own `publish` returns. Where something is lost
that way, its sustained rate is the highest of a ladder of paced rates at which
nothing is. What a message costs in processor time at each end is told beside it:
that says most about a machine on which others work too.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from scripts.benches.outcome import Outcome
from scripts.benches.peers import Peer, Side, bare, js, open_peers, ours

BURST: Final = 10_000
LADDER: Final = (800, 400, 200, 100, 50, 25)
LADDER_S: Final = 4
QUIET_S: Final = 4.0
"""With nothing new for so long, what is missing is called lost."""
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One load on one side.

    Attributes:
        published: messages.
        received: over all receivers.
        expected: the same, had all arrived.
        rate: messages a second, from the first published to the last received.
        sender_us: processor time of the sender for each, in microseconds.
        receiver_us: the same, of one receiver.
    """

    published: int
    received: int
    expected: int
    rate: float
    sender_us: float
    receiver_us: float


async def load(peers: Sequence[Peer], count: int, rate: float | None) -> Run:
    """Let the first node publish, and wait for the others to receive."""
    sender, *receivers = peers
    cost_s = (await sender.ask("state"))["cpu_s"]
    before = [await peer.ask("state") for peer in receivers]
    had = [state["received"] for state in before]
    times = await sender.ask("publish", count=count, first=sum(had), rate=rate)
    states = await drained(receivers, [start + count for start in had])
    cost_s = (await sender.ask("state"))["cpu_s"] - cost_s
    costs_s = [b["cpu_s"] - a["cpu_s"] for a, b in zip(before, states, strict=True)]
    ended = max([state["last"] for state in states] + [times["ended"]])
    return Run(
        published=count,
        received=sum(state["received"] for state in states) - sum(had),
        expected=count * len(receivers),
        rate=count / (ended - times["began"]),
        sender_us=cost_s / count * 1e6,
        receiver_us=statistics.mean(costs_s) / count * 1e6,
    )


async def drained(
    receivers: Sequence[Peer], wanted: Sequence[int]
) -> list[dict[str, float]]:
    """Return the receivers' states once they have all, or nothing new comes."""
    total, since = -1, trio.current_time()
    while True:
        states = [await peer.ask("state") for peer in receivers]
        if all(s["received"] >= want for s, want in zip(states, wanted, strict=True)):
            return states
        if (now := sum(state["received"] for state in states)) > total:
            total, since = now, trio.current_time()
        if trio.current_time() - since > QUIET_S:
            return states
        await trio.sleep(POLL_S)


async def sustained(side: Side, nodes: int, count: int) -> tuple[float, Run]:
    """Return the highest whole rate, and the run at full speed."""
    async with open_peers(side, nodes) as peers:
        burst = await load(peers, count, None)
    if burst.received >= burst.expected:
        return burst.rate, burst
    for rate in LADDER:
        if rate >= burst.rate * 2:
            continue
        async with open_peers(side, nodes) as peers:
            run = await load(peers, rate * LADDER_S, rate)
        if run.received >= run.expected:
            return run.rate, burst
    return 0.0, burst


async def run(rounds: int) -> Outcome:
    """Measure all sides in turns, in the reverse order in every second round."""
    outcome = Outcome("gossip")
    sides = [ours(), bare(), js(), js(signed=True)]
    for nodes in (2, 6):
        rates: dict[str, list[float]] = {side.name: [] for side in sides}
        bursts: dict[str, list[Run]] = {side.name: [] for side in sides}
        for turn in range(rounds):
            for side in sides if turn % 2 == 0 else sides[::-1]:
                rate, burst = await sustained(
                    side, nodes, BURST if nodes == 2 else BURST // 2
                )
                rates[side.name].append(rate)
                bursts[side.name].append(burst)
        for side in sides:
            name = f"{side.name}, {nodes} nodes"
            outcome.add(
                f"{name}: sustained", statistics.median(rates[side.name]), "1/s"
            )
            _add_bursts(outcome, name, bursts[side.name])
        mine = statistics.median(rates["ours"])
        for other in ("py-libp2p", "js-libp2p", "js signed"):
            outcome.compare(
                f"ours / {other}, {nodes} nodes", mine, statistics.median(rates[other])
            )
    outcome.conditions["load"] = (
        f"{BURST} messages from one of two nodes, {BURST // 2} from one of six;"
        f" {rounds} rounds, medians"
    )
    outcome.conditions["sides"] = (
        "ours is signed, verified and in a synced LevelDB at each end; py-libp2p and"
        " js-libp2p neither sign, verify nor store; js signed signs and verifies"
    )
    return outcome


def _add_bursts(outcome: Outcome, name: str, bursts: Sequence[Run]) -> None:
    arrived = min(burst.received / burst.expected for burst in bursts)
    outcome.add(f"{name}: burst arrived", arrived * 100, "%")
    if arrived < 1:
        return  # what is dropped early costs little
    for end in ("sender", "receiver"):
        costs_us = [getattr(burst, f"{end}_us") for burst in bursts]
        outcome.add(f"{name}: {end}'s cost", statistics.median(costs_us), "us")
