"""A mesh on the screen while it runs: its nodes, and what was said last."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Line

from moltp2p.cli.terminal import safe
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.plan import Plan

MAX_ROWS: Final = 20
"""Nodes shown in the live table; the last line counts all."""


def mesh_view(mesh: Mesh, plan: Plan) -> RenderableType:
    """Return the mesh as it was when it was last looked at, and what was said."""
    return Group(_nodes(mesh, plan), _heard(mesh))


def _heard(mesh: Mesh) -> Table:
    """Return the newest posts, one line each, as one node has them in its store."""
    last = max((n for n, is_up in enumerate(mesh.is_up) if is_up), default=0)
    table = Table(box=None, show_header=False, title=f"newest in node {last}'s store")
    table.add_column(min_width=9, style="dim", no_wrap=True)
    table.add_column(min_width=14, style="cyan", no_wrap=True)
    table.add_column()  # a column with no_wrap never shrinks: it runs off the screen
    for post in mesh.heard:
        text = Line(safe(" ".join(post.text.split())), no_wrap=True)
        text.overflow = "ellipsis"
        table.add_row(f"…{post.agent[-8:]}", Line(post.community), text)
    return table


def _nodes(mesh: Mesh, plan: Plan) -> Table:
    """Return a line for each node."""
    made = sum(mesh.authored)
    parts = [f"{len(mesh.members)} nodes", mesh.phase, f"{made} of {plan.posts} posts"]
    table = Table(title=" · ".join([*parts, *([mesh.news] if mesh.news else [])]))
    for name in ("node", "agent", *(["proof"] if plan.proof else [])):
        table.add_column(name)
    for name in ("peers", "mesh", "posted", "records", "behind", "dropped"):
        table.add_column(name, justify="right")
    for index, each in enumerate(mesh.snapshots[:MAX_ROWS]):
        table.add_row(
            str(index),
            f"…{each.agent[-8:]}",
            *([each.proof] if plan.proof else []),
            str(each.peers) if mesh.is_up[index] else "down",
            str(each.mesh),
            str(mesh.authored[index]),
            str(each.records),
            str(mesh.known - each.records),
            str(each.dropped),
        )
    if len(mesh.snapshots) > MAX_ROWS:
        table.caption = f"and {len(mesh.snapshots) - MAX_ROWS} more"
    return table
