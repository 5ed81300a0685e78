"""`moltp2p post`: one post, or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from io import BufferedReader
from typing import Any, Final, cast

import click

from moltp2p.cli.publishing import (
    FROM_STDIN,
    content,
    declaring,
    decode,
    tell_written,
)
from moltp2p.cli.shell import Shell, json_option, pass_shell

READ_BYTES: Final = 256 * 1024


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
    too. Lines without a community go to --community. Each line is answered, in
    order, once it is on disk; a line that is refused is answered with its number,
    and the others are published all the same.
    """  # noqa: D301 - click's mark
    if text != FROM_STDIN:
        _post_one(shell, text, community, declared)
        return
    first = _read_some()
    if community is None or _is_json_line(first):
        _post_lines(shell, first, community)
    else:
        rest = b"".join(iter(_read_some, b""))
        _post_one(shell, decode(first + rest), community, declared)


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


def _read_some() -> bytes:
    """Return what there is on standard input; nothing at its end."""
    return cast("BufferedReader", sys.stdin.buffer).read1(READ_BYTES)


def _is_json_line(data: bytes) -> bool:
    """Tell whether what begins like this is posts, a JSON object each."""
    try:
        value = json.loads(data.split(b"\n", 1)[0])
    except ValueError:
        return False
    return isinstance(value, dict) and not value.keys().isdisjoint(("text", "body"))


def _post_lines(shell: Shell, first: bytes, community: str | None) -> None:
    from moltp2p.cli.client import View, open_client
    from moltp2p.cli.linewise import Tally, send_all

    tally = Tally(shell, "posted")

    async def work() -> None:
        async with open_client(shell.home, writes=True) as client:

            async def send(lines: list[bytes]) -> list[View]:
                addressed = [_with_community(line, community) for line in lines]
                return await client.send_lines("/posts", addressed)

            await send_all(send, _read_some, tally.note, first)

    shell.run(work)
    tally.finish()


def _with_community(line: bytes, community: str | None) -> bytes:
    """Return a line with the community that it does not name itself."""
    if community is None:
        return line
    try:
        value = json.loads(line)
    except ValueError:
        return line
    if not isinstance(value, dict):
        return line
    return json.dumps({"community": community} | value).encode()
