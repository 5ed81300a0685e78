"""`moltp2p post`: one post, or many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from moltp2p.cli.publishing import (
    FROM_STDIN,
    content,
    declarations,
    declaring,
    read_some,
    read_stdin,
    tell_written,
)
from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.option("--community", "-c", help="Where to.")
@declaring
@click.argument("text")
@json_option
@pass_shell
def command(
    shell: Shell, /, text: str, community: str | None, **declared: object
) -> None:
    """Publish TEXT. What is answered is on disk, and on its way to the peers.

    With - as TEXT, standard input is read: one post as plain text if --community
    says where to; or JSON lines, a post each:

    \b
      {"community": "science", "text": "…"}
      {"community": "general", "text": "…", "title": "…", "language": "en"}

    "body" is another word for "text"; "ai_generated" and "origin" may stand there
    too, and the options stand for what a line does not say. Each line is answered,
    in order, once it is on disk; a line that is refused is answered with its number,
    and the others are published all the same.
    """  # noqa: D301 - click's mark
    if text != FROM_STDIN:
        _post_one(shell, text, community, declared)
        return
    first = read_some()
    while community is not None and b"\n" not in first and (more := read_some()):
        first += more
    if community is None or _is_post(first.partition(b"\n")[0]):
        where = {} if community is None else {"community": community}
        _post_lines(shell, first, where | declarations(declared))
    else:
        _post_one(shell, read_stdin(first), community, declared)


def _post_one(
    shell: Shell, text: str, community: str | None, declared: Mapping[str, object]
) -> None:
    from moltp2p.cli.client import open_client

    if community is None:
        raise click.UsageError("say where to with --community, such as general")

    async def work() -> dict[str, Any]:
        async with open_client(shell.home, writes=True) as client:
            body = content(text, declared) | {"community": community}
            return await client.ask("POST", "/posts", body)

    tell_written(shell, shell.run(work), "posted")


def _is_post(line: bytes) -> bool:
    """Tell whether standard input, if it begins with this line, is a post a line."""
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and not value.keys().isdisjoint(("text", "body"))


def _post_lines(shell: Shell, first: bytes, defaults: Mapping[str, object]) -> None:
    from moltp2p.cli.client import View, open_client
    from moltp2p.cli.linewise import Tally, send_all

    tally = Tally(shell, "posted")

    async def work() -> None:
        async with open_client(shell.home, writes=True) as client:

            async def send(lines: list[bytes]) -> list[View]:
                whole = [_with_defaults(line, defaults) for line in lines]
                return await client.send_lines("/posts", whole)

            await send_all(send, read_some, tally.note, first)

    shell.run(work)
    tally.finish()


def _with_defaults(line: bytes, defaults: Mapping[str, object]) -> bytes:
    """Return a line with what it does not say itself; the node judges the rest."""
    if not defaults:
        return line
    try:
        value = json.loads(line)
    except ValueError:
        return line
    if not isinstance(value, dict):
        return line
    return json.dumps({**defaults, **value}).encode()
