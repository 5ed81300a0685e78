"""Many JSON lines to the node, a group at a time, and an answer for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import click
import trio

from moltp2p.api.problems import problem_of
from moltp2p.api.splitting import Line, LineSplitter, too_long
from moltp2p.cli.client import View
from moltp2p.cli.shell import FAILED, Shell
from moltp2p.cli.terminal import safe
from moltp2p.core.errors import LocalError, MoltError

GROUP_LINES: Final = 1_000
"""Lines to a request; a longer one would have the node keep its answers for us."""

Send = Callable[[list[bytes]], Awaitable[list[View]]]


class Tally:
    """Passes answers on, and counts them.

    Args:
        shell: how to answer.
        done: what has been done to a line that was not refused, in one word.
    """

    def __init__(self, shell: Shell, done: str) -> None:
        self.accepted = 0
        self.refused = 0
        self._shell = shell
        self._done = done

    def note(self, answer: View) -> None:
        """Take the answer to one line."""
        if answer.get("status") == "error":
            self.refused += 1
            self._tell_refused(answer)
            return
        self.accepted += 1
        if self._shell.as_json:
            self._shell.emit(answer)

    def finish(self) -> None:
        """Say how many there were; end with a failure when one was refused."""
        if not self._shell.as_json:
            total = self.accepted + self.refused
            click.echo(f"{self._done} {self.accepted} of {total}")
        if self.refused:
            raise click.exceptions.Exit(FAILED)

    def _tell_refused(self, answer: View) -> None:
        if self._shell.as_json:
            self._shell.emit(answer)
            return
        words = f"line {answer['line']}: {answer['message']} ({answer['code']})"
        click.echo(safe(words), err=True)


async def send_all(
    send: Send,
    read: Callable[[], bytes],
    note: Callable[[View], None],
    first: bytes = b"",
) -> None:
    """Send lines as they can be read, until their end.

    Args:
        send: has the node answer some lines, each with one view.
        read: returns some more bytes, none at the end; may block.
        note: takes the answers, in order.
        first: what was read already.

    Raises:
        MoltError: when the node cannot go on; says from which line on.
    """
    splitter = LineSplitter()
    data = first or await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    while data:
        await _send_lines(send, splitter.feed(data), note)
        data = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    await _send_lines(send, splitter.end(), note)


async def _send_lines(
    send: Send, lines: Sequence[Line], note: Callable[[View], None]
) -> None:
    for start in range(0, len(lines), GROUP_LINES):
        group = lines[start : start + GROUP_LINES]
        for answer in await _answers(send, group):
            note(answer)


async def _answers(send: Send, group: Sequence[Line]) -> list[View]:
    """Return the answers to a group of lines, numbered as they were read."""
    texts = [each.text for each in group if each.text is not None]
    try:
        told = iter(await send(texts) if texts else [])
    except MoltError as error:
        first = group[0].number
        message = f"{error.message}; no line was answered from line {first} on"
        raise LocalError(error.code, message, error.hint) from None
    return [
        problem_of(too_long(), line=each.number)
        if each.text is None
        else _renumbered(next(told), each.number)
        for each in group
    ]


def _renumbered(answer: View, number: int) -> View:
    return answer | {"line": number} if "line" in answer else answer
