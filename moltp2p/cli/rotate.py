"""`moltp2p rotate`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.publishing import tell_written
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """Put your agent's next key in force; its name and its records stay.

    Afterwards copy the new agent.next.key elsewhere.
    """
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask("POST", "/rotate")

    tell_written(shell, shell.run(work), "rotated by")
