"""How long a mesh takes to be whole again, by looks at members that only exist."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from moltp2p.testing.faults.recovery import Recovery
from moltp2p.testing.layout import Layout
from moltp2p.testing.members import Snapshot
from moltp2p.testing.mesh import Mesh

LARGE = 24
"""Nodes enough for D_lo to be 6."""


def looked_at(*sizes: int) -> Mesh:
    """Return a mesh whose nodes gossip with so many others each."""
    mesh = Mesh([], [], 0.0, AsyncExitStack(), Layout(len(sizes)))
    mesh.is_up = [True] * len(sizes)
    see(mesh, *sizes)
    return mesh


def see(mesh: Mesh, *sizes: int) -> None:
    mesh.snapshots = [Snapshot("", size, size, 0, 0) for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "is_whole"),
    [
        ((2, 2, 2), True),
        ((2, 1, 2), False),
        ((5,) * 7, True),
        ((5,) * 6 + (4,), False),
        ((6,) * LARGE, True),
        ((6,) * (LARGE - 1) + (5,), False),
    ],
)
async def test_a_mesh_is_whole_when_each_node_has_d_lo_others_or_all(
    sizes: tuple[int, ...], is_whole: bool
) -> None:
    recovery = Recovery(looked_at(*sizes))
    recovery.begin()
    recovery.look()

    assert (recovery.heartbeats is not None) == is_whole


async def test_heartbeats_are_counted_from_the_faults_end_to_the_first_whole_look(
    autojump_clock: MockClock,
) -> None:
    mesh = looked_at(2, 2, 2)
    recovery = Recovery(mesh)
    recovery.look()
    during = recovery.heartbeats
    assert not recovery.is_due(9)

    recovery.begin()
    see(mesh, 2, 0, 2)
    recovery.look()
    await trio.sleep(2.5)
    assert recovery.is_due(3)
    see(mesh, 2, 2, 2)
    recovery.look()
    await trio.sleep(9)
    recovery.look()

    assert during is None
    assert recovery.heartbeats == 3
    assert not recovery.is_due(99)


async def test_what_never_comes_is_not_waited_for_for_ever(
    autojump_clock: MockClock,
) -> None:
    recovery = Recovery(looked_at(1, 0))
    recovery.begin()
    await trio.sleep(3.1)

    assert not recovery.is_due(3)


async def test_a_node_that_is_down_lacks_nobody_and_is_lacked_by_nobody(
    autojump_clock: MockClock,
) -> None:
    mesh = looked_at(1, 0, 1)
    mesh.is_up[1] = False
    recovery = Recovery(mesh)
    recovery.begin()
    recovery.look()

    assert recovery.heartbeats == 0
