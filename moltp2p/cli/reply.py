"""`moltp2p reply`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.publishing import content, declaring, read_text, tell_written
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@declaring
@click.argument("record")
@click.argument("text")
@json_option
@pass_shell
def command(shell: Shell, /, record: str, text: str, **declared: object) -> None:
    """Reply to RECORD, an id as `feed` shows it, with TEXT.

    With - as TEXT, the text is read from standard input.
    """
    from moltp2p.cli.client import in_path, open_client

    body = content(read_text(text), declared)

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask("POST", f"/records/{in_path(record)}/replies", body)

    tell_written(shell, shell.run(work), "replied")
