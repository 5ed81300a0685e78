"""A schedule on a mesh of members that only note what is done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.faults.injector import Injector, latency_told, told, whom
from moltp2p.testing.layout import Layout
from moltp2p.testing.members import Member
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.sim.latency import Constant, LogNormal, Regions, Uniform
from moltp2p.testing.sim.scenario import Load, Network, Nodes, Scenario
from moltp2p.testing.sim.trouble import Kills, Partition, Slow

START_S = 3.0
"""How long a member of this mesh takes to start again."""

SCENARIO = Scenario(
    about="a test",
    virtual_s=70,
    nodes=Nodes(count=4),
    network=Network(latency=Constant(ms=20), jitter=0, uplink_mbit=0),
    load=Load(from_s=0, until_s=60),
)


class Noting:
    """A member that notes what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faced: list[Orders] = []
        self.cuts: list[tuple[float, list[PeerId]]] = []

    async def face(self, orders: Orders) -> None:
        self.faced.append(orders)

    async def cut(self, peers: Sequence[PeerId]) -> None:
        self.cuts.append((trio.current_time(), list(peers)))

    async def faults_injected(self) -> Mapping[str, int]:
        return {"held": 1}


class Noted(Mesh):
    """A mesh whose members die and are born by a note."""

    async def _stop(self, index: int) -> None:
        assert not self.is_up[index]

    async def _start(self, index: int) -> Member:
        await trio.sleep(START_S)
        assert not self.is_up[index]
        return cast("Member", Noting(f"n{index}"))


def noted() -> tuple[Mesh, list[Noting]]:
    members = [Noting(f"n{index}") for index in range(4)]
    layout = Layout(4, processes=True, has_faults=True)
    mesh = Noted([], [], 0.0, AsyncExitStack(), layout)
    mesh.members = [cast("Member", each) for each in members]
    mesh.peers = [PeerId(each.name) for each in members]
    mesh.is_up = [True] * 4
    return mesh, members


async def played(scenario: Scenario, seed: int = 1) -> tuple[Injector, Mesh]:
    mesh, _ = noted()
    injector = Injector(mesh, scenario, seed)
    await injector.begin()
    await injector.run()
    await injector.end()
    return injector, mesh


async def test_a_partition_cuts_each_side_off_the_other_at_its_time(
    autojump_clock: MockClock,
) -> None:
    mesh, members = noted()
    partition = Partition(at_s=10, until_s=40, groups=("0-1", "2-3"))
    injector = Injector(mesh, replace(SCENARIO, partition=partition), 1)
    await injector.begin()
    await injector.run()

    near, far = [PeerId("n0"), PeerId("n1")], [PeerId("n2"), PeerId("n3")]
    for member in members:
        theirs = far if member.name in near else near
        assert member.cuts == [(10, theirs), (40, [])]
        others = {peer for peer in near + far if peer != member.name}
        assert member.faced[0].latency_s == dict.fromkeys(others, 0.02)
    faults = [(e.fault, e.done_s, e.detail) for e in injector.injected]
    assert faults == [
        ("conditions", 0, "latency 20 ms"),
        ("partition", 10, "0,1 | 2,3"),
        ("heal", 40, ""),
    ]
    assert mesh.news == "heal"


async def test_whoever_is_killed_is_started_again_and_told_everything(
    autojump_clock: MockClock,
) -> None:
    churn = Kills(per_s=0.1, away_s=1, from_s=0)
    injector, mesh = await played(replace(SCENARIO, churn=churn))

    kinds = [each.fault for each in injector.injected]
    assert kinds.count("kill") == kinds.count("restart") > 2
    assert all(mesh.is_up)
    for each in injector.injected:
        if each.fault == "restart":
            assert each.done_s >= each.at_s + START_S - 0.001
            member = cast("Noting", mesh.members[each.nodes[0]])
            assert len(member.faced) == 1
    assert injector.counts["killed"] == kinds.count("kill")
    assert injector.counts["held"] == 4 + kinds.count("kill")


async def test_kills_of_which_none_falls_due_are_said_to_be_none(
    autojump_clock: MockClock,
) -> None:
    churn = Kills(per_s=0.001, from_s=0)
    injector, _ = await played(replace(SCENARIO, churn=churn))

    (said,) = (each for each in injector.injected if each.fault == "kill")
    assert said.detail == "none: this seed has no death in 60 s"


async def test_a_slow_start_holds_up_nothing_else(autojump_clock: MockClock) -> None:
    churn = Kills(per_s=2, away_s=0.5, from_s=0)
    injector, _ = await played(replace(SCENARIO, churn=churn))

    first: dict[int, float] = {}
    for each in injector.injected:
        if each.fault == "kill":
            first.setdefault(each.nodes[0], each.done_s - each.at_s)
    assert first == pytest.approx(dict.fromkeys(range(4), 0.0))


async def test_the_same_seed_injects_the_same(autojump_clock: MockClock) -> None:
    churn = Kills(per_s=0.2, away_s=5, from_s=0)
    scenario = replace(SCENARIO, churn=churn)

    async def faults(seed: int) -> list[tuple[float, float, str, tuple[int, ...]]]:
        injector, _ = await played(scenario, seed)
        return [
            (e.at_s, round(e.done_s, 6), e.fault, e.nodes) for e in injector.injected
        ]

    once = await faults(5)
    assert once == await faults(5)
    assert once != await faults(6)


async def test_without_sybils_none_can_be_asked() -> None:
    mesh, _ = noted()

    with pytest.raises(UsageError, match="no Sybils"):
        await Injector(mesh, SCENARIO, 1)._den("join")


def test_lasting_conditions_are_told_in_words() -> None:
    network = Network(latency=Constant(ms=0), loss=0.1, uplink_mbit=2)
    scenario = replace(SCENARIO, network=network, slow=Slow(share=0.5))

    assert told(scenario) == (
        "loss 10.0%, uplinks of 2 Mbit/s, 2 slow nodes, 0.5 Mbit/s up"
    )
    assert latency_told(Uniform(from_ms=5, to_ms=9)) == "5 to 9 ms"
    assert latency_told(LogNormal(median_ms=80)) == "about 80 ms"
    assert latency_told(Regions(shares={"a": 1}, ms={"a-a": 1})) == "by 1 regions"
    assert whom([1, 2], 4) == "node 1, 2"
    assert whom(range(4), 4) == ""
