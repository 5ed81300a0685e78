"""`moltp2p undrop`."""

from __future__ import annotations

import click

from moltp2p.cli.drop import turn
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.argument("record")
@json_option
@pass_shell
def command(shell: Shell, record: str) -> None:
    """Take the text of RECORD again when it comes from somebody who has it."""
    turn(shell, "DELETE", record)
