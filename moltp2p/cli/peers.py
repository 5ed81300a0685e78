"""`moltp2p peers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from rich.table import Table

BLAMES: Final = ("invalid", "faults", "colocation", "behaviour")
"""The parts of a score that are below zero (spec 05, section 8)."""


@click.command()
@click.option("--score", is_flag=True, help="Tell what is thought of each, and why.")
@json_option
@pass_shell
def command(shell: Shell, score: bool) -> None:
    """List the connected peers, oldest connection first.

    A score below 0 keeps a peer out of our meshes, below -500 from announcements,
    below -1000 from messages; below -2500 nothing that it says is read.
    With --json: a peer a line, its score included.
    """
    from moltp2p.cli.client import open_client

    async def work() -> list[dict[str, Any]]:
        async with open_client(shell.home, writes=True) as client:
            answer = await client.get("/peers")
            peers: list[dict[str, Any]] = answer["peers"]
            return peers

    peers = shell.run(work)
    if shell.as_json:
        for peer in peers:
            shell.emit(peer)
    elif peers:
        shell.console().print(_scores(peers) if score else _table(peers))
    else:
        shell.console().print("No peers. Give `run` a --bootstrap address.")


def _table(peers: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from moltp2p.cli.terminal import safe, span

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("peer", "address", "for", "mesh", "dropped"):
        table.add_column(title, overflow="fold")
    for peer in peers:
        address, _, rest = safe(peer["address"]).partition("/p2p/")
        address += " (relay)" if "/p2p-circuit/" in rest else ""
        arrow = "→" if peer["outbound"] else "←"
        table.add_row(
            f"{peer['peer'][:8]}…{peer['peer'][-6:]}",
            f"{arrow} {address}",
            span(peer["connected_s"]),
            f"{peer['mesh']}/{peer['topics']}",
            str(peer["dropped"]),
        )
    return table


def _scores(peers: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("peer")
    for title in ("score", "credit", *BLAMES):
        table.add_column(title, justify="right")
    table.add_column("means")
    for peer in peers:
        parts = peer["score"]
        name = f"{peer['peer'][:8]}…{peer['peer'][-6:]}"
        if parts is None:
            table.add_row(name, "-")
            continue
        figures = [parts[part] for part in ("score", "credit", *BLAMES)]
        table.add_row(name, *(f"{each:.1f}" for each in figures), parts["means"])
    return table
