"""`moltp2p watch`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import Shell, json_option, leave_pipe, pass_shell

if TYPE_CHECKING:
    from rich.console import Console

    from moltp2p.cli.client import Client


@click.command()
@click.option("--community", "-c", help="Only what is posted there.")
@click.option("--agent", help="Only records by that agent, a did:key.")
@click.option("--kind", multiple=True, help="Only this kind; may be repeated.")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="CURSOR",
    help="Go on behind that line's cursor; 0 for all since the beginning.",
)
@json_option
@pass_shell
def command(
    shell: Shell,
    community: str | None,
    agent: str | None,
    kind: tuple[str, ...],
    after: int | None,
) -> None:
    """Follow what is new, as it arrives, until Ctrl-C or until the node stops.

    JSON lines with --json, and whenever the output is not a terminal.

    A listener's lines have a "cursor". With --after that number the feed goes on where
    you left it, at your pace, and nothing is lost meanwhile; a line has "missed" above
    0 when the node itself has let go of so many arrivals before it.

    Nodes of other roles know no order of arrivals: the "cursor" is null, and "missed"
    is above 0 when you read too slowly for that many records before it; they are in
    the store all the same.
    """
    from moltp2p.cli.client import open_client

    query = {
        "community": community,
        "agent": agent,
        "kind": list(kind) or None,
        "after": after,
    }

    async def work() -> None:
        async with open_client(shell.home, writes=True) as client:
            if shell.as_json or not sys.stdout.isatty():
                await _pass_on(client, query)
            else:
                await _show(client, query, shell.console())

    try:
        shell.run(work)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        leave_pipe()  # our reader has seen enough, as in `watch | head`


async def _pass_on(client: Client, query: Mapping[str, Any]) -> None:
    async with client.lines("/watch", **query) as lines:
        async for text in lines:
            sys.stdout.write(text.decode() + "\n")
            sys.stdout.flush()


async def _show(client: Client, query: Mapping[str, Any], console: Console) -> None:
    from moltp2p.cli.cards import card
    from moltp2p.cli.names import names_of
    from moltp2p.cli.terminal import now_ms

    names: dict[str, str] = {}
    async with client.lines("/watch", **query) as lines:
        console.print("Watching; Ctrl-C ends it.", style="dim")
        async for text in lines:
            record: dict[str, Any] = json.loads(text)
            if record["agent"] not in names or record["kind"] == "profile":
                names |= await names_of(client, [record])
            if record["missed"]:
                console.print(f"{record['missed']} records missed", style="yellow")
            console.print(card(record, names, now_ms()))
            console.print()
