"""A mesh on the screen: what a tester reads while it runs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from io import StringIO

from rich.console import Console

from moltp2p.cli.mesh_view import mesh_view
from moltp2p.testing.layout import Layout
from moltp2p.testing.members import Heard, Snapshot
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.plan import Plan

WIDTH = 80


def lines(mesh: Mesh) -> list[str]:
    """Return the screen's lines, of a terminal of 80 columns."""
    console = Console(width=WIDTH, file=StringIO())
    with console.capture() as shown:
        console.print(mesh_view(mesh, Plan(2, 9, [])))
    return shown.get().splitlines()


def mesh_of(*records: int) -> Mesh:
    """Return a mesh whose nodes hold so many records, two of them their first."""
    mesh = Mesh([], [], 0.0, AsyncExitStack(), Layout(len(records)))
    mesh.is_up = [True] * len(records)
    mesh.snapshots = [Snapshot("did:key:z6Mk", 1, 1, held, 0) for held in records]
    mesh.authored, mesh.before = [0] * len(records), 2
    return mesh


def behind(mesh: Mesh) -> list[int]:
    rows = [line.split("│") for line in lines(mesh) if line.startswith("│")]
    return [int(row[7]) for row in rows]


def test_in_two_halves_each_node_is_behind_by_what_the_other_half_wrote() -> None:
    mesh = mesh_of(7, 6)
    mesh.authored = [5, 4]

    assert behind(mesh) == [4, 5]


def test_before_anything_is_posted_nobody_is_behind_but_by_what_others_hold() -> None:
    assert behind(mesh_of(2, 1)) == [0, 1]


def test_a_long_post_ends_in_an_ellipsis() -> None:
    mesh = mesh_of(2, 2)
    mesh.heard = [
        Heard("did:key:z6MkfFWk12345", "general", "word " * 40),
        Heard("did:key:z6MkfFWk12345", "general", "short"),
    ]

    long, short = lines(mesh)[-2:]

    assert long.rstrip().endswith("…")
    assert len(long) <= WIDTH
    assert short.rstrip().endswith("short")
