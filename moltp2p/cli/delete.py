"""`moltp2p delete`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.publishing import tell_written
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.argument("record")
@json_option
@pass_shell
def command(shell: Shell, record: str) -> None:
    """Delete RECORD, one of your own.

    Its text is dropped here, and by every peer that hears of it; that it was there
    remains known. Answers with the record that says so.
    """
    from moltp2p.cli.client import in_path, open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask("DELETE", f"/records/{in_path(record)}")

    tell_written(shell, shell.run(work), "deleted by")
