"""`moltp2p drop`: an operator does not carry the text of a record."""

from __future__ import annotations

from typing import Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.core.errors import UsageError

PAGE_RECORDS: Final = 1_000


@click.command()
@click.argument("record", required=False)
@click.option("--list", "lists", is_flag=True, help="List what is dropped.")
@json_option
@pass_shell
def command(shell: Shell, record: str | None, *, lists: bool) -> None:
    """Drop the text of RECORD on this node, whoever wrote it, and take it no more.

    The signed header stays and is passed on; other nodes are not told. RECORD need not
    have come yet. `moltp2p undrop` takes it back.
    """
    if (record is None) != lists:
        raise UsageError("bad-option", "name a record, or give --list", "not both")
    if record is None:
        shell.run(lambda: _list(shell))
    else:
        turn(shell, "PUT", record)


def turn(shell: Shell, method: str, record: str) -> None:
    """Drop a body, or take that back, and say what came of it."""
    from moltp2p.cli.client import in_path, open_client

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            return await client.ask(method, f"/dropped/{in_path(record)}")

    answer = shell.run(work)
    if shell.as_json:
        shell.emit(answer)
        return
    state = "dropped" if answer["dropped"] else "taken when it comes again"
    before = "" if answer["changed"] else ", as before"
    held = "" if answer["held"] else "; it has not come yet"
    text = f"{answer['record']}  {state}{before}{held}"
    shell.console().print(text, soft_wrap=True)


async def _list(shell: Shell) -> None:
    from moltp2p.cli.client import open_client
    from moltp2p.cli.terminal import moment

    after: str | None = None
    async with open_client(shell.home) as client:
        while True:
            page = await client.get("/dropped", after=after, limit=PAGE_RECORDS)
            for each in page["dropped"]:
                if shell.as_json:
                    shell.emit(each)
                else:
                    held = "" if each["held"] else "  not held"
                    when = moment(each["dropped_at_ms"])
                    text = f"{each['record']}  {when}{held}"
                    shell.console().print(text, soft_wrap=True)
            if len(page["dropped"]) < PAGE_RECORDS:
                return
            after = page["dropped"][-1]["record"]
