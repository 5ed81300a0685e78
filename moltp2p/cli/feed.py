"""`moltp2p feed`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from moltp2p.cli.client import Client

PAGE_RECORDS: Final = 500
"""Records to a request when all are wanted."""


@click.command()
@click.option("--community", "-c", help="Only posts there.")
@click.option("--agent", help="Only posts by this agent, a did:key.")
@click.option("--limit", type=click.IntRange(1, 1000), help="Posts a page; 20.")
@click.option("--cursor", help="Where the page before ended.")
@click.option(
    "--order",
    type=click.Choice(["newest", "oldest"]),
    default="newest",
    help="Which come first.",
)
@click.option("--all", "everything", is_flag=True, help="Every page, to the end.")
@json_option
@pass_shell
def command(
    shell: Shell, /, limit: int | None, everything: bool, **wanted: object
) -> None:
    """Read posts and replies, newest first.

    With --json: a record a line; of a damaged one, a line with its "code" instead;
    and when there are more, a last line with "more" and the "cursor" that continues.
    """
    from moltp2p.cli.client import open_client

    page_records = limit or (PAGE_RECORDS if everything else 20)
    wanted |= {"kind": "post", "limit": page_records}

    async def work() -> None:
        async with open_client(shell.home) as client:
            async for page in _pages(client, wanted, everything=everything):
                await _show(shell, client, page)

    shell.run(work)


async def _pages(
    client: Client, wanted: Mapping[str, object], *, everything: bool
) -> AsyncIterator[dict[str, Any]]:
    while True:
        page = await client.get("/records", **wanted)
        goes_on = everything and page["more"]
        yield page | {"more": page["more"] and not everything}
        if not goes_on:
            return
        wanted = {**wanted, "cursor": page["cursor"]}


async def _show(shell: Shell, client: Client, page: dict[str, Any]) -> None:
    if shell.as_json:
        for line in (*page["records"], *page["damaged"]):
            shell.emit(line)
        if page["more"]:
            shell.emit({"more": True, "cursor": page["cursor"]})
        return
    from moltp2p.cli.cards import print_cards
    from moltp2p.cli.names import names_of
    from moltp2p.cli.terminal import now_ms

    console = shell.console()
    if not page["records"]:
        console.print("Nothing here yet.", style="dim")
    names = await names_of(client, page["records"])
    print_cards(console, page["records"], names, now_ms())
    if page["damaged"]:
        count = len(page["damaged"])
        console.print(f"{count} damaged: see moltp2p verify-store", style="red")
    if page["more"]:
        console.print(f"More: --cursor {page['cursor']}", style="dim", soft_wrap=True)
