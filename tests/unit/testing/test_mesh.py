"""A mesh in the hands of whoever uses it wrongly, or lets its nodes die."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, cast

import pytest
from trio.testing import MockClock

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.testing import Mesh, Orders, open_mesh
from moltp2p.testing.layout import Layout
from moltp2p.testing.members import Heard, Member, Snapshot

COUNT = 3
PEERS = [PeerId(f"peer {index}") for index in range(COUNT)]


class Noting:
    """A member that notes what it is told, until it fails."""

    def __init__(self) -> None:
        self.fails = False
        self.faced: list[Orders] = []
        self.cuts: list[list[PeerId]] = []
        self.fingerprint = "same"
        self.mesh = COUNT - 1
        self.proof = "asking"
        self.admitted = True

    async def face(self, orders: Orders) -> None:
        self.check()
        self.faced.append(orders)

    async def cut(self, peers: Sequence[PeerId]) -> None:
        self.check()
        self.cuts.append(list(peers))

    async def snapshot(self) -> Snapshot:
        self.check()
        return Snapshot("", COUNT, self.mesh, 7, 0, self.fingerprint, self.proof)

    async def admits(self, agents: Sequence[str]) -> bool:
        self.check()
        return self.admitted

    async def newest(self, count: int) -> list[Heard]:
        self.check()
        return []

    async def faults_injected(self) -> Mapping[str, int]:
        return {}

    def check(self) -> None:
        if self.fails:
            raise LocalError("member-failed", "it has ended")


class Noted(Mesh):
    """A mesh of such members, which die and are born by a note."""

    async def _stop(self, index: int) -> None:
        self.noting(index).fails = True

    async def _start(self, index: int) -> Member:
        return cast("Member", Noting())

    def noting(self, index: int) -> Noting:
        return cast("Noting", self.members[index])


def noted(*, processes: bool = True, has_faults: bool = True) -> Noted:
    layout = Layout(COUNT, processes=processes, has_faults=has_faults)
    mesh = Noted([], [], 0.0, AsyncExitStack(), layout, list(PEERS))
    mesh.members = [cast("Member", Noting()) for _ in range(COUNT)]
    mesh.is_up = [True] * COUNT
    return mesh


@pytest.mark.parametrize("count", [0, -1])
async def test_a_mesh_has_a_node(count: int) -> None:
    with pytest.raises(UsageError, match="bad-option"):
        async with open_mesh(count, memory=True):
            pass


@pytest.mark.parametrize(
    ("groups", "word"),
    [
        ([[0, 1], [1, 2]], "node 1 is twice"),
        ([[0], [0]], "node 0 is twice"),
        ([[0], [3]], "no node 3"),
        ([[0], [-1]], "no node -1"),
        ([["a"], [1]], "no node a"),
        ([[0, 1]], "parts nobody"),
        ([], "parts nobody"),
    ],
)
async def test_groups_that_part_nothing_are_refused_and_nobody_is_cut_off(
    groups: list[Any], word: str
) -> None:
    mesh = noted()

    with pytest.raises(UsageError, match=word) as refused:
        await mesh.part(*groups)

    assert refused.value.code == "bad-option"
    assert [mesh.noting(n).cuts for n in range(COUNT)] == [[], [], []]


async def test_a_mesh_without_faults_says_how_to_have_them() -> None:
    mesh = noted(has_faults=False)
    for misuse in (mesh.part([0], [1]), mesh.heal(), mesh.face(Orders())):
        with pytest.raises(UsageError) as refused:
            await misuse
        assert refused.value.code == "no-faults"
        assert "faults=True" in refused.value.hint


async def test_nodes_of_this_process_are_neither_killed_nor_started() -> None:
    mesh = noted(processes=False)
    for misuse in (mesh.kill(0), mesh.restart(0)):
        with pytest.raises(UsageError) as refused:
            await misuse
        assert refused.value.code == "no-process"
        assert "processes=True" in refused.value.hint


async def test_only_who_runs_is_killed_and_only_who_is_down_started() -> None:
    mesh = noted()
    with pytest.raises(UsageError, match="node 1 runs"):
        await mesh.restart(1)
    await mesh.kill(1)
    with pytest.raises(UsageError, match="node 1 is down"):
        await mesh.kill(1)
    for misuse in (mesh.kill(3), mesh.restart(-1), mesh.face(Orders(), [9])):
        with pytest.raises(UsageError, match="bad-option: there is no node"):
            await misuse


async def test_a_node_that_is_down_is_told_of_faults_when_it_is_up_again() -> None:
    mesh = noted()
    await mesh.kill(2)
    await mesh.part([0, 1], [2])
    await mesh.face(Orders(loss=0.5))
    await mesh.face(Orders(loss=0.1), [1])
    await mesh.restart(2)

    assert mesh.noting(2).cuts == [PEERS[:2]]
    assert [each.loss for each in mesh.noting(2).faced] == [0.5]
    assert [each.loss for each in mesh.noting(1).faced] == [0.5, 0.1]

    await mesh.kill(2)
    await mesh.heal()
    await mesh.restart(2)
    assert mesh.noting(2).cuts == []


async def test_a_node_that_ends_by_itself_is_no_secret() -> None:
    mesh = noted()
    mesh.noting(1).fails = True

    for wait in (mesh.alike(9), mesh.connected(9), mesh.part([0], [1])):
        with pytest.raises(LocalError, match="it has ended"):
            await wait


async def test_who_is_down_is_not_waited_for(autojump_clock: MockClock) -> None:
    mesh = noted()
    mesh.noting(2).fingerprint = "other"
    mesh.noting(2).mesh = 0
    await mesh.look()
    await mesh.kill(2)

    assert await mesh.alike(9) == 0
    assert await mesh.connected(9) == 0


async def test_what_was_waited_for_in_vain_is_told_by_node(
    autojump_clock: MockClock,
) -> None:
    mesh = noted()
    await mesh.kill(1)
    mesh.noting(2).fingerprint = "other"
    mesh.noting(2).mesh = 0

    with pytest.raises(LocalError) as refused:
        await mesh.alike(2)
    assert refused.value.message == (
        "after 2 s they hold different sets:"
        " node 0 7 records, node 1 down, node 2 7 records"
    )
    with pytest.raises(LocalError) as refused:
        await mesh.connected(2)
    assert refused.value.message == (
        "after 2 s some gossip with fewer than 1:"
        " node 0 2 peers, node 1 down, node 2 0 peers"
    )


async def test_before_they_have_proved_it_agents_are_waited_for(
    autojump_clock: MockClock,
) -> None:
    mesh = noted()
    assert await mesh.proved(0) == 0  # on an open network nobody has to

    mesh.layout = replace(mesh.layout, proof=True)
    with pytest.raises(LocalError, match="not-proved: after 2 s: node 0 asking, node"):
        await mesh.proved(2)
    for index in range(COUNT):
        mesh.noting(index).proof = "proved"
    mesh.noting(1).admitted = False  # it has not heard of them yet
    with pytest.raises(LocalError, match="not-proved"):
        await mesh.proved(2)
    await mesh.kill(1)

    assert await mesh.proved(0) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": 1.1},
        {"loss": -0.1},
        {"loss": math.nan},
        {"jitter": 2.0},
        {"default_latency_s": -1.0},
        {"latency_s": {"a": 0.1, "b": -0.1}},
        {"uplink_mbit": -1.0},
        {"downlink_mbit": -1.0},
        {"notice_s": -1.0},
    ],
)
def test_orders_that_cannot_be_are_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="bad-option") as refused:
        Orders(**fields)

    assert next(iter(fields)) in refused.value.message
