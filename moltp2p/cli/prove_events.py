"""What the node tells while it proves its agent, and what is typed meanwhile."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from moltp2p.api.splitting import LineSplitter
from moltp2p.core.errors import LocalError

if TYPE_CHECKING:
    from moltp2p.cli.client import Client

READ_BYTES: Final = 65_536
LAST: Final = ("proved", "proof")
"""The events with which a proof is there."""

View = dict[str, Any]
Take = Callable[[bytes], Awaitable[None]]


async def follow(
    client: Client, options: View, show: Callable[[View], Awaitable[None]], take: Take
) -> View:
    """Have the node prove its agent, until it is proved; return the last event.

    Args:
        client: the node.
        options: of `POST /v1/prove`.
        show: shows an event.
        take: takes a line from standard input.

    Raises:
        LocalError: `node-stopped`.
    """
    last: View = {}
    async with trio.open_nursery() as nursery:
        async with client.lines("/prove", "POST", options) as lines:
            nursery.start_soon(_read, take)
            async for text in lines:
                last = json.loads(text)
                await show(last)
        nursery.cancel_scope.cancel()
    if last.get("event") not in LAST:
        raise LocalError(
            "node-stopped",
            "the node went away before the proof was there",
            "start it again with `moltp2p run`, and prove again",
        )
    return last


async def _read(take: Take) -> None:
    """Take the lines of standard input, until its end."""
    splitter, is_open = LineSplitter(), True
    while is_open:
        # Not through sys.stdin: a thread that waits in its buffer when the command
        # ends would have the interpreter abort.
        data = await trio.to_thread.run_sync(_some, abandon_on_cancel=True)
        is_open = bool(data)
        for line in splitter.feed(data) if data else splitter.end():
            if line.text is not None:
                await take(line.text)


def _some() -> bytes:
    try:
        return os.read(sys.stdin.fileno(), READ_BYTES)
    except (OSError, ValueError):  # closed, or none at all
        return b""
