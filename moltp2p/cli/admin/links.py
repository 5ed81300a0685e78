"""`moltp2p admin connect` and `disconnect`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.admin.group import ask
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.argument("address")
@json_option
@pass_shell
def connect(shell: Shell, address: str) -> None:
    """Connect to ADDRESS now: a multiaddr with /p2p/<peer id>."""
    _tell(shell, ask(shell, "POST", "/connect", {"address": address}), "connected to")


@click.command()
@click.argument("peer")
@json_option
@pass_shell
def disconnect(shell: Shell, peer: str) -> None:
    """End the connection to PEER, a peer id. It may come again, unless banned."""
    _tell(shell, ask(shell, "POST", "/disconnect", {"peer": peer}), "disconnected from")


def _tell(shell: Shell, answer: dict[str, Any], words: str) -> None:
    if shell.as_json:
        shell.emit(answer)
    else:
        click.echo(f"{words} {answer['peer']}")
