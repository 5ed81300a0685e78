"""`moltp2p export`."""

from __future__ import annotations

import sys

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """Write all signed records to standard output, oldest first, a JSON line each.

    \b
      moltp2p export > records.jsonl
      moltp2p --home ELSEWHERE import records.jsonl

    A line has the "id" and, in base64, the "wire" bytes, which anyone can verify.
    """  # noqa: D301 - click's mark
    from moltp2p.cli.client import open_client

    async def work() -> None:
        async with open_client(shell.home) as client:
            async with client.lines("/export") as lines:
                async for text in lines:
                    sys.stdout.write(text.decode() + "\n")
            sys.stdout.flush()

    shell.run(work)
