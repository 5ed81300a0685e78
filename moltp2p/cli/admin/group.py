"""`moltp2p admin`, and how its commands speak to the node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.lazy import LazyGroup
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


class Commands(LazyGroup):
    """The operator's commands, those that only look first."""

    table = COMMANDS

    def where(self, name: str) -> tuple[str, str]:
        """Return the module of this folder, which may hold several commands."""
        return f"moltp2p.cli.admin.{COMMANDS[name][0]}", name.replace("-", "_")


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
