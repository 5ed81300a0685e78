"""Lets a schedule of faults befall a mesh, and notes what came to pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

import trio

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.faults.recovery import Recovery
from moltp2p.testing.faults.schedule import (
    Attacked,
    Healed,
    Joined,
    Killed,
    Left,
    Moment,
    Parted,
    Restarted,
    orders,
    schedule,
)
from moltp2p.testing.hosts.lines import has_netem, shape
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.plan import Injected
from moltp2p.testing.remote import Worker
from moltp2p.testing.sim.latency import (
    Constant,
    Latency,
    LogNormal,
    Regions,
    Uniform,
)
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sybils.opening import open_den


class Injector:
    """Faults for one mesh.

    Args:
        mesh: opened with faults, and in processes of their own if nodes are killed.
        scenario: what is to happen.
        seed: of the schedule.

    Attributes:
        scenario: as given.
        began: `trio.current_time()` of the schedule's beginning.
        injected: what was done, in order.
        counts: how often faults struck, up to a node's last death.
        recovery: from its partition or attack.
        sides: those of the scenario's partition, by node; all the same without one.
    """

    def __init__(self, mesh: Mesh, scenario: Scenario, seed: int) -> None:
        self.began = 0.0
        self.injected: list[Injected] = []
        self.counts: Counter[str] = Counter()
        self.sides: tuple[int, ...] = (0,) * len(mesh.members)
        self._mesh = mesh
        self.scenario = scenario
        self.recovery = Recovery(mesh)
        self._seed = seed
        self._moments = schedule(scenario, seed)
        self._peers: list[PeerId] = []
        self._orders: list[Orders] = []
        self._sybils: Worker | None = None
        self._lives = [trio.Lock() for _ in mesh.members]

    async def begin(self) -> None:
        """Let the lasting conditions hold, and the schedule's time begin."""
        self._peers = list(self._mesh.peers)
        if self.scenario.sybils is not None:
            self._sybils = await open_den(self._mesh, self.scenario, self._seed)
            self._peers += [PeerId(each) for each in await self._den("peers")]
        self._orders = orders(self.scenario, self._seed, self._peers)
        where = await self._shape_lines()
        for index in range(len(self._mesh.members)):
            await self._mesh.face(self._orders[index], [index])
        self.began = trio.current_time()
        if words := told(self.scenario):
            everybody = range(len(self._mesh.members))
            self._note(0.0, "conditions", everybody, words + where)
        is_deadly = any(isinstance(moment, Killed) for moment in self._moments)
        if self.scenario.churn is not None and not is_deadly:
            # Else whoever asked for it might believe that it was tried.
            none = f"none: this seed has no death in {self.scenario.load_until_s:g} s"
            self._note(0.0, "kill", [], none)

    async def _shape_lines(self) -> str:
        """Let the hosts' lines bear what they can; return where the rest is borne."""
        hosts = self._mesh.layout.hosts
        if hosts is None:
            return ""
        if await has_netem(hosts):
            await shape(hosts, self._peers, self._orders)
            self._orders = [eased(each, packets=True) for each in self._orders]
            return " (on the hosts' lines, by tc)"
        thin = [replace(each, latency_s={}, loss=0) for each in self._orders]
        await shape(hosts, self._peers, thin)
        self._orders = [eased(each, packets=False) for each in self._orders]
        is_needed = any(each.latency_s or each.loss for each in self._orders)
        return " (by the nodes: this kernel has no netem)" if is_needed else ""

    async def run(self) -> None:
        """Let everything happen at its time; return when the last is done."""
        async with trio.open_nursery() as nursery:
            for moment in self._moments:
                await trio.sleep_until(self.began + moment.at_s)
                # A start takes seconds, and nothing else waits for it.
                nursery.start_soon(self._happen, moment)

    async def end(self) -> None:
        """Gather the last counts; nothing that was planned is left out."""
        for member in self._mesh.members:
            self.counts.update(await member.faults_injected())

    async def _happen(self, moment: Moment) -> None:
        match moment:
            case Parted(at_s, sides):
                self.sides = sides
                await self._mesh.divide(sides)
                self._note(at_s, "partition", range(len(sides)), _grouped(sides))
            case Healed(at_s):
                await self._mesh.heal()
                self.recovery.begin()
                self._note(at_s, "heal", range(len(self.sides)))
            case Killed(at_s, node):
                async with self._lives[node]:
                    await self._kill(node)
                self._note(at_s, "kill", [node])
            case Restarted(at_s, node):
                async with self._lives[node]:
                    await self._mesh.restart(node)
                self._note(at_s, "restart", [node])
            case Joined(at_s):
                await self._den("join")
                self._note(at_s, "join", [], f"{self.scenario.sybil_count} Sybils")
            case Attacked(at_s):
                await self._den("attack")
                self._note(at_s, "attack", [], sybils_told(self.scenario))
            case Left(at_s):
                self.counts.update(await self._den("leave"))
                self.recovery.begin()
                self._note(at_s, "leave", [], f"{self.scenario.sybil_count} Sybils")
            case _:
                assert_never(moment)

    async def _den(self, call: str) -> Any:  # noqa: ANN401 - JSON
        """Return what the Sybils answer."""
        if self._sybils is None:
            raise UsageError("bad-call", "there are no Sybils")
        return await self._sybils.ask(call)

    async def _kill(self, node: int) -> None:
        member = self._mesh.members[node]
        self.counts.update(await member.faults_injected())
        self.counts["killed"] += 1
        await self._mesh.kill(node)

    def _note(
        self, at_s: float, fault: str, nodes: Sequence[int], detail: str = ""
    ) -> None:
        done_s = trio.current_time() - self.began
        self.injected.append(Injected(at_s, done_s, fault, tuple(nodes), detail))
        self._mesh.news = f"{fault} {detail or whom(nodes, len(self.sides))}".strip()


def eased(orders: Orders, *, packets: bool) -> Orders:
    """Return what is left for a node when its host's line bears a part.

    Args:
        orders: all of it.
        packets: whether the line bears latency and loss too.
    """
    left = replace(orders, uplink_mbit=0, downlink_mbit=0)
    return replace(left, latency_s={}, loss=0) if packets else left


def _grouped(sides: Sequence[int]) -> str:
    groups = [
        ",".join(str(node) for node, side in enumerate(sides) if side == one)
        for one in sorted(set(sides))
    ]
    return " | ".join(groups)


def whom(nodes: Sequence[int], count: int) -> str:
    """Return which nodes these are, out of so many; empty when it is all or none."""
    if len(nodes) in {0, count}:
        return ""
    return "node " + ", ".join(map(str, nodes))


def sybils_told(scenario: Scenario) -> str:
    """Return what the Sybils do, in words."""
    if scenario.sybils is None:
        return ""
    return " + ".join(each.name for each in scenario.sybils.behaviours)


def told(scenario: Scenario) -> str:
    """Return what holds all the time, in words; empty when nothing does."""
    network, slow = scenario.network, scenario.slow
    parts = []
    if way := latency_told(network.latency):
        parts.append(f"latency {way}")
    if network.loss:
        parts.append(f"loss {network.loss:.1%}")
    if network.uplink_mbit:
        parts.append(f"uplinks of {network.uplink_mbit:g} Mbit/s")
    if slow:
        count = scenario.nodes.count - slow.first(scenario.nodes.count)
        parts.append(f"{count} slow nodes, {slow.uplink_mbit:g} Mbit/s up")
    return ", ".join(parts)


def latency_told(latency: Latency) -> str:
    """Return how far apart nodes are, in words; empty when they are not."""
    match latency:
        case Constant(ms=ms):
            return f"{ms:g} ms" if ms else ""
        case Uniform(from_ms=from_ms, to_ms=to_ms):
            return f"{from_ms:g} to {to_ms:g} ms"
        case LogNormal(median_ms=median_ms):
            return f"about {median_ms:g} ms"
        case Regions():
            return f"by {len(latency.shares)} regions"
        case _:
            assert_never(latency)
