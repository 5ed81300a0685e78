"""`hostile`: thousands of attempts from one address, and what they cost others.

Two agents speak through a bootstrap peer that both are connected to, and to nobody
else; each node is a process. Meanwhile a fourth attacks the bootstrap peer. Others
dial it for the first time, and are answered.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.net.host import open_host
from moltp2p.proto.address import parse_address
from scripts.benches.gossip import load
from scripts.benches.outcome import Outcome
from scripts.benches.peers import Peer, Side, open_peer, ours

BOOTSTRAP: Final = Side(
    "bootstrap", (sys.executable, "-m", "scripts.benches.bootstrap_peer")
)
ATTEMPTS: Final = 5_000
"""In each hostile turn; two rounds make ten thousand."""
TURN_S: Final = 15.0
RATE: Final = 50.0
WARM_UP: Final = 100
NEWCOMER_EACH_S: Final = 1.0


@dataclass(slots=True)
class Turn:
    """What one turn, calm or not, was like for others: milliseconds."""

    delays: list[float] = field(default_factory=list)
    dials: list[float] = field(default_factory=list)
    failed: int = 0
    cpu_s: float = 0.0

    def take(self, other: Turn) -> None:
        """Add another turn's."""
        self.delays += other.delays
        self.dials += other.dials
        self.failed += other.failed
        self.cpu_s += other.cpu_s


async def attack(address: str) -> dict[str, int]:
    """Attack for a turn; return what came of it."""
    end = parse_address(address).endpoint
    command = [sys.executable, "-m", "scripts.benches.attacker", str(end.ip)]
    command += [str(end.port), str(ATTEMPTS), str(TURN_S)]
    done = await trio.run_process(command, capture_stdout=True)
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


async def dial_anew(address: str, found: Turn) -> None:
    """Come as one stranger after the other, for ever; note how long each took."""
    number = 0
    while True:
        number += 1
        async with open_host((7_000 + number).to_bytes(32), []) as stranger:
            begun = trio.current_time()
            try:
                await stranger.dial(address)
            except PeerError:
                found.failed += 1
            else:
                found.dials.append((trio.current_time() - begun) * 1e3)
        await trio.sleep(NEWCOMER_EACH_S)


async def turn(boot: Peer, alice: Peer, bob: Peer, address: str) -> Turn:
    """Speak for a turn, and return what that was like."""
    found = Turn()
    began_s = (await boot.ask("state"))["cpu_s"]
    before = len((await bob.ask("delays"))["delays"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial_anew, address, found)
        await load([alice, bob], int(RATE * TURN_S), RATE)
        nursery.cancel_scope.cancel()
    found.cpu_s = (await boot.ask("state"))["cpu_s"] - began_s
    found.delays = (await bob.ask("delays"))["delays"][before:]
    return found


async def run(rounds: int) -> Outcome:
    """Measure calm and hostile turns, one after the other."""
    outcome = Outcome("hostile")
    calm, hostile, counts = Turn(), Turn(), dict[str, int]()
    side = ours()
    async with (
        open_peer(BOOTSTRAP) as boot,
        open_peer(side) as alice,
        open_peer(side) as bob,
    ):
        address = (await boot.ask("address"))["address"]
        for peer in (alice, bob):
            await peer.ask("dial", address=address)
        await _meshed(alice, bob)
        await load([alice, bob], WARM_UP, RATE)
        for _ in range(rounds):
            calm.take(await turn(boot, alice, bob, address))
            async with trio.open_nursery() as nursery:

                async def attack_and_count() -> None:
                    for name, count in (await attack(address)).items():
                        counts[name] = counts.get(name, 0) + count

                nursery.start_soon(attack_and_count)
                hostile.take(await turn(boot, alice, bob, address))
        state = await boot.ask("state")
    _tell(outcome, calm, hostile, counts, state)
    outcome.conditions["load"] = (
        f"{RATE:g} records a second through one bootstrap peer, a newcomer each"
        f" {NEWCOMER_EACH_S:g} s; in every other turn of {TURN_S:g} s {ATTEMPTS:,}"
        f" hostile connections from one address; {rounds} rounds"
    )
    return outcome


async def _meshed(alice: Peer, bob: Peer) -> None:
    with trio.fail_after(60):
        for peer in (alice, bob):
            while True:
                if (await peer.ask("state"))["mesh"]:
                    break
                await trio.sleep(0.1)


def _tell(
    outcome: Outcome,
    calm: Turn,
    hostile: Turn,
    counts: dict[str, int],
    state: dict[str, Any],
) -> None:
    for name, found in (("calm", calm), ("hostile", hostile)):
        outcome.add(f"{name}: delay p50", _share(found.delays, 0.5), "ms")
        outcome.add(f"{name}: delay p99", _share(found.delays, 0.99), "ms")
        outcome.add(f"{name}: dial p50", _share(found.dials, 0.5), "ms")
        outcome.add(f"{name}: dial p99", _share(found.dials, 0.99), "ms")
        outcome.add(f"{name}: newcomers let in", len(found.dials), "dials")
        outcome.add(f"{name}: newcomers turned away", found.failed, "dials")
    outcome.compare(
        "delay p99, hostile / calm",
        _share(hostile.delays, 0.99),
        _share(calm.delays, 0.99),
    )
    extra_s = hostile.cpu_s - calm.cpu_s
    outcome.add("processor for each attempt", extra_s / counts["attempts"] * 1e6, "us")
    for name, count in counts.items():
        outcome.add(f"hostile connections: {name}", count, "")
    for code, count in state["refused"].items():
        outcome.add(f"refused: {code}", count, "")
    outcome.add("bugs", sum(state["bugs"].values()), "")


def _share(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[round((len(ordered) - 1) * share)]
