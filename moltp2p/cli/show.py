"""`moltp2p show`: one record, and the replies to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from moltp2p.cli.client import Client

MAX_REPLIES: Final = 500
"""Replies that are looked up; a longer thread is cut, and says so."""

PAGE_RECORDS: Final = 100
MAX_DEPTH: Final = 12
"""How far a reply is moved to the right at most, in steps."""


@click.command()
@click.argument("record")
@json_option
@pass_shell
def command(shell: Shell, record: str) -> None:
    """Show RECORD, an id as `feed` shows it, with all replies as a tree.

    With --json: a record a line, each reply below what it replies to.
    """
    from moltp2p.cli.client import in_path, open_client

    async def work() -> None:
        async with open_client(shell.home) as client:
            top = await client.get(f"/records/{in_path(record)}")
            await _show(shell, client, top)

    shell.run(work)


async def _show(shell: Shell, client: Client, top: dict[str, Any]) -> None:
    thread, is_cut = await _thread(client, top)
    if shell.as_json:
        for record, _ in thread:
            shell.emit(record)
        if is_cut:
            shell.emit({"more": True})
        return
    await _print_thread(shell, client, thread, is_cut=is_cut)


async def _thread(
    client: Client, top: dict[str, Any]
) -> tuple[list[tuple[dict[str, Any], int]], bool]:
    """Return records with their depth, depth first, and whether some were left out."""
    thread = []
    waiting = [(top, 0)]
    found = 0
    while waiting:
        record, depth = waiting.pop()
        thread.append((record, depth))
        room = MAX_REPLIES - found
        if room <= 0:
            return thread + waiting[::-1], True
        replies = await _replies(client, record["id"], room)
        found += len(replies)
        waiting += [(reply, depth + 1) for reply in reversed(replies)]
    return thread, False


async def _replies(client: Client, record: str, room: int) -> list[dict[str, Any]]:
    """Return the replies to a record, oldest first, at most `room`."""
    replies: list[dict[str, Any]] = []
    cursor = None
    while len(replies) < room:
        page = await client.get(
            "/records",
            parent=record,
            order="oldest",
            limit=min(PAGE_RECORDS, room - len(replies)),
            cursor=cursor,
        )
        replies += page["records"]
        cursor = page["cursor"]
        if not page["more"]:
            break
    return replies


async def _print_thread(
    shell: Shell,
    client: Client,
    thread: list[tuple[dict[str, Any], int]],
    *,
    is_cut: bool,
) -> None:
    from rich.padding import Padding

    from moltp2p.cli.cards import card
    from moltp2p.cli.names import names_of
    from moltp2p.cli.terminal import now_ms

    console = shell.console()
    now = now_ms()
    names = await names_of(client, [record for record, _ in thread])
    for record, depth in thread:
        shown = card(record, names, now, whole=True)
        indent = (0, 0, 0, 2 * min(depth, MAX_DEPTH))
        console.print(Padding(shown, indent, expand=False))
        console.print()
    if is_cut:
        console.print(f"More than {MAX_REPLIES} replies; not all shown.", style="dim")
