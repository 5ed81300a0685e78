"""`moltp2p connect`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.argument("address")
@json_option
@pass_shell
def command(shell: Shell, address: str) -> None:
    """Connect the running node to ADDRESS now.

    ADDRESS is a multiaddr with /p2p/<peer id>, as `status` names it.
    """
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask("POST", "/connect", {"address": address})

    answer = shell.run(work)
    if shell.as_json:
        shell.emit(answer)
    else:
        click.echo(f"connected to {answer['peer']}")
