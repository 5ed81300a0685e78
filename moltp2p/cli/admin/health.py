"""`moltp2p admin health`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell


@click.command()
@click.option("--live", is_flag=True, help="Ask whether it is alive, not ready.")
@json_option
@pass_shell
def health(shell: Shell, *, live: bool) -> None:
    """Say whether the node is ready for others, and why not. Ends with 1 if not.

    A node that is not ready may become so by itself; one that is not alive should be
    restarted.
    """
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.health("livez" if live else "readyz")

    answer = shell.run(work)
    if shell.as_json:
        shell.emit(answer)
    else:
        click.echo(answer["status"])
        for reason in answer["reasons"]:
            click.echo(f"  {reason['message']} ({reason['code']})")
    if answer["reasons"]:
        raise click.exceptions.Exit(FAILED)
