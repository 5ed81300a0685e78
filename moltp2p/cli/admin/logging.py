"""`moltp2p admin log-level`."""

from __future__ import annotations

import click

from moltp2p.cli.admin.group import ask
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.argument(
    "level", type=click.Choice(["debug", "info", "warning", "error"]), required=False
)
@json_option
@pass_shell
def log_level(shell: Shell, level: str | None) -> None:
    """Show the least severe event that is logged, or change it to LEVEL.

    It holds until the node ends; then the setting log_level does again.
    """
    body = None if level is None else {"level": level}
    answer = ask(shell, "GET" if body is None else "PUT", "/log-level", body)
    if shell.as_json:
        shell.emit(answer)
    else:
        click.echo(answer["level"])
