"""`moltp2p profile`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.publishing import tell_written
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.option("--name", required=True, help="At most 64 characters; not unique.")
@click.option("--about", help="At most 2,000 characters.")
@json_option
@pass_shell
def command(shell: Shell, name: str, about: str | None) -> None:
    """Say who your agent is; the newest profile counts."""
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            said = {"name": name, "about": about}
            return await client.ask("PUT", "/profile", said)

    tell_written(shell, shell.run(work), "profile")
