"""`hostile`: thousands of attempts from one address, and what they cost others.

Two agents speak through a bootstrap peer that both are connected to, and to nobody
else; each node is a process. Others dial it for the first time, and are answered.
Turns are of three kinds: calm; with the attack going elsewhere, since whoever attacks
from this machine takes of its processor; and with the attack going at the peer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


async def attack(port: int, counts: dict[str, int]) -> None:
    """Attack for a turn; add up what came of it."""
    command = [sys.executable, "-m", "scripts.benches.attacker", "127.0.0.1"]
    command += [str(port), str(ATTEMPTS), str(TURN_S)]
    done = await trio.run_process(command, capture_stdout=True)
    for name, count in json.loads(done.stdout).items():
        counts[name] = counts.get(name, 0) + count


@asynccontextmanager
async def open_decoy() -> AsyncIterator[int]:
    """Run somebody else to attack for the length of the block; yield the port."""
    command = [sys.executable, "-m", "scripts.benches.decoy"]
    decoy = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    try:
        if decoy.stdout is None:
            raise RuntimeError("the decoy has no pipe")
        yield int(await decoy.stdout.receive_some())
    finally:
        decoy.kill()
        with trio.CancelScope(shield=True):
            await decoy.wait()


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


KINDS: Final = ("calm", "elsewhere", "hostile")


async def run(rounds: int) -> Outcome:
    """Measure turns of each kind, one after the other."""
    found = {kind: Turn() for kind in KINDS}
    counts: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    side = ours()
    async with (
        open_decoy() as decoy,
        open_peer(BOOTSTRAP) as boot,
        open_peer(side) as alice,
        open_peer(side) as bob,
    ):
        address = (await boot.ask("address"))["address"]
        ports = {"elsewhere": decoy, "hostile": parse_address(address).endpoint.port}
        for peer in (alice, bob):
            await peer.ask("dial", address=address)
        await _meshed(alice, bob)
        await load([alice, bob], WARM_UP, RATE)
        for number in range(rounds):
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                async with trio.open_nursery() as nursery:
                    if kind in ports:
                        nursery.start_soon(attack, ports[kind], counts[kind])
                    found[kind].take(await turn(boot, alice, bob, address))
        state = await boot.ask("state")
    outcome = _told(found, counts["hostile"], state)
    outcome.conditions["load"] = (
        f"{RATE:g} records a second through one bootstrap peer, a newcomer each"
        f" {NEWCOMER_EACH_S:g} s; turns of {TURN_S:g} s, of which a hostile one has"
        f" {ATTEMPTS:,} connections from one address; {rounds} rounds"
    )
    return outcome


async def _meshed(alice: Peer, bob: Peer) -> None:
    with trio.fail_after(60):
        for peer in (alice, bob):
            while True:
                if (await peer.ask("state"))["mesh"]:
                    break
                await trio.sleep(0.1)


def _told(
    found: dict[str, Turn], counts: dict[str, int], state: dict[str, Any]
) -> Outcome:
    outcome = Outcome("hostile")
    for kind, each in found.items():
        outcome.add(f"{kind}: delay p50", _share(each.delays, 0.5), "ms")
        outcome.add(f"{kind}: delay p99", _share(each.delays, 0.99), "ms")
        outcome.add(f"{kind}: dial p50", _share(each.dials, 0.5), "ms")
        outcome.add(f"{kind}: dial p99", _share(each.dials, 0.99), "ms")
        outcome.add(f"{kind}: newcomers let in", len(each.dials), "dials")
        outcome.add(f"{kind}: newcomers turned away", each.failed, "dials")
    for kind in ("calm", "elsewhere"):
        for what in ("delay", "dial"):
            ours, theirs = (
                outcome.figures[f"{each}: {what} p99"].value
                for each in ("hostile", kind)
            )
            outcome.compare(f"{what} p99, hostile / {kind}", ours, theirs)
    extra_s = found["hostile"].cpu_s - found["elsewhere"].cpu_s
    outcome.add("processor for each attempt", extra_s / counts["attempts"] * 1e6, "us")
    for name, count in counts.items():
        outcome.add(f"hostile connections: {name}", count, "")
    for code, count in state["refused"].items():
        outcome.add(f"refused: {code}", count, "")
    outcome.add("bugs", sum(state["bugs"].values()), "")
    return outcome


def _share(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[round((len(ordered) - 1) * share)]
