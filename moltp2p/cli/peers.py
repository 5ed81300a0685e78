"""`moltp2p peers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """List the connected peers, oldest connection first.

    With --json: a peer a line.
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
        shell.console().print(_table(peers))
    else:
        shell.console().print("No peers. Give `run` a --bootstrap address.")


def _table(peers: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from moltp2p.cli.terminal import safe, span

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("peer", "address", "for", "mesh", "dropped"):
        table.add_column(title, overflow="fold")
    for peer in peers:
        address = safe(peer["address"]).partition("/p2p/")[0]
        arrow = "→" if peer["outbound"] else "←"
        table.add_row(
            f"{peer['peer'][:8]}…{peer['peer'][-6:]}",
            f"{arrow} {address}",
            span(peer["connected_s"]),
            f"{peer['mesh']}/{peer['topics']}",
            str(peer["dropped"]),
        )
    return table
