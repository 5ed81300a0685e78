"""`moltp2p watch`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import Shell, json_option, leave_pipe, pass_shell

if TYPE_CHECKING:
    from rich.console import Console

    from moltp2p.cli.client import Client


@click.command()
@click.option("--community", "-c", help="Only what is posted there.")
@json_option
@pass_shell
def command(shell: Shell, community: str | None) -> None:
    """Follow what is new, as it arrives, until Ctrl-C or until the node stops.

    JSON lines with --json, and whenever the output is not a terminal. A line has
    "missed" above 0 when you read too slowly for that many records before it; they
    are in the store all the same.
    """
    from moltp2p.cli.client import open_client

    async def work() -> None:
        async with open_client(shell.home, writes=True) as client:
            if shell.as_json or not sys.stdout.isatty():
                await _pass_on(client, community)
            else:
                await _show(client, community, shell.console())

    try:
        shell.run(work)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        leave_pipe()  # our reader has seen enough, as in `watch | head`


async def _pass_on(client: Client, community: str | None) -> None:
    async with client.lines("/watch", community=community) as lines:
        async for text in lines:
            sys.stdout.write(text.decode() + "\n")
            sys.stdout.flush()


async def _show(client: Client, community: str | None, console: Console) -> None:
    from moltp2p.cli.cards import card
    from moltp2p.cli.names import names_of
    from moltp2p.cli.terminal import now_ms

    names: dict[str, str] = {}
    async with client.lines("/watch", community=community) as lines:
        console.print("Watching; Ctrl-C ends it.", style="dim")
        async for text in lines:
            record: dict[str, Any] = json.loads(text)
            if record["agent"] not in names or record["kind"] == "profile":
                names |= await names_of(client, [record])
            if record["missed"]:
                console.print(f"{record['missed']} records missed", style="yellow")
            console.print(card(record, names, now_ms()))
            console.print()
