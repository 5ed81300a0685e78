"""`moltp2p challenge`."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell


@click.command()
@click.argument("agent")
@json_option
@pass_shell
def command(shell: Shell, /, agent: str) -> None:
    """Challenge AGENT, a did:key, yourself: if it passes, it counts here.

    So does, as far as it counts, whom it attests. Your node sets it eight tasks, which
    takes a minute or two. It must be running, and may decline. Ends with 1 unless it
    passed.
    """
    from moltp2p.cli.client import open_client

    async def work() -> dict[str, Any]:
        told: dict[str, Any] = {}
        async with open_client(shell.home, writes=True) as client:
            body = {"agent": agent}
            with _waiting(shell):
                async with client.lines("/challenge", "POST", body) as lines:
                    async for text in lines:
                        told = json.loads(text)
        return told

    told = shell.run(work)
    if shell.as_json:
        shell.emit(told)
    else:
        shell.console().print(_said(told), soft_wrap=True)
    if not told["passed"]:
        raise click.exceptions.Exit(FAILED)


def _waiting(shell: Shell) -> AbstractContextManager[object]:
    console = shell.console()
    if shell.as_json or not console.is_terminal:
        return nullcontext()
    return console.status("It is being challenged: eight tasks, a minute or two …")


def _said(told: dict[str, Any]) -> str:
    from moltp2p.cli.terminal import moment, safe

    if not told["passed"]:
        hint = f"\n  {told['hint']}" if told["hint"] else ""
        return f"It did not pass: {safe(told['message'])} ({safe(told['code'])}){hint}"
    until = moment(told["expires_ms"])
    return f"It passed, with {told['score']} of 8 right; it counts here until {until}."
