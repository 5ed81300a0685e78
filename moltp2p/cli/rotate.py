"""`moltp2p rotate`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.publishing import tell_written
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.option(
    "--since",
    type=click.IntRange(1),
    metavar="SEQ",
    help="After a theft: let go of what the old key signed from SEQ on.",
)
@json_option
@pass_shell
def command(shell: Shell, /, since: int | None) -> None:
    """Put your agent's next key in force; its name and its records stay.

    If somebody else has written with your key, name the seq of their first record
    (`feed --json` shows it) with --since; every node then lets go of it and of all
    that the old key signed after it. Afterwards copy the new agent.next.key elsewhere.
    """
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask("POST", "/rotate", {"since": since})

    tell_written(shell, shell.run(work), "rotated by")
