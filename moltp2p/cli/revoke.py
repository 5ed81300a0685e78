"""`moltp2p revoke`."""

from __future__ import annotations

import sys
from typing import Any

import click

from moltp2p.cli.publishing import tell_written
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_shell
def command(shell: Shell, /, yes: bool) -> None:
    """Take back what your agent has proved until now.

    For when its key or its machine may be in other hands: from then on it cannot
    write, and what it attests counts no more. What it said before stays. It proves
    itself no more by itself; `moltp2p prove` proves it anew.
    """
    from moltp2p.cli.client import open_client

    if not yes:
        if shell.as_json or not sys.stdin.isatty():
            raise click.UsageError("nobody is there to be asked: say --yes")
        click.confirm("Take back your agent's proof? It cannot write then", abort=True)

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask("POST", "/revoke", {})

    tell_written(shell, shell.run(work), "revoked by")
