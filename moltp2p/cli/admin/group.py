"""`moltp2p admin`, and how its commands speak to the node."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import json_option

if TYPE_CHECKING:
    from moltp2p.cli.shell import Shell

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "peers": ("looking", "List the connected peers, and what is held against each."),
    "score": ("looking", "List what each peer's score is made of."),
    "mesh": ("looking", "List the topics, and who is in our mesh of each."),
    "sync": ("looking", "List how far behind each peer this node is."),
    "health": ("health", "Say whether the node is ready, and why not."),
    "bans": ("rules", "List the bans and allowances in force."),
    "ban": ("rules", "Let somebody connect no more."),
    "allow": ("rules", "Let somebody connect past bans and shares."),
    "unban": ("rules", "Undo a ban or an allowance."),
    "connect": ("links", "Connect to a peer now."),
    "disconnect": ("links", "End the connection to a peer."),
    "log-level": ("logging", "Show or change what is logged."),
}
"""For each command: the module of this folder that it is in, and a sentence."""


class Commands(click.Group):
    """The commands, each imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, those that only look first."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"moltp2p.cli.admin.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands from the table."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands)
@json_option
def command() -> None:
    """Look inside the running node, and say who may connect to it.

    It speaks to the node over api.sock in the home, and no other way.
    """


def ask(
    shell: Shell,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    **query: object,
) -> dict[str, Any]:
    """Return what the running node answers at `/admin` and `path`.

    Raises:
        LocalError: `not-running`.
        MoltError: what the node told.
    """
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask(method, f"/admin{path}", body, query)

    return shell.run(work)
