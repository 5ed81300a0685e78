"""Bars for what takes long, and lines above them; on a terminal alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import click

from moltp2p.cli.shell import Shell

if TYPE_CHECKING:
    from rich.progress import Progress

Tell: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and of how much; 0 where nobody knows of how much."""


def count(done: int) -> str:
    """Return a number of things."""
    return f"{done:,}"


class Bars:
    """Bars on standard error; made by `open_bars`."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def say(self, text: str, *, err: bool = False) -> None:
        """Write a line: to standard output, or to standard error.

        Args:
            text: harmless (`terminal.safe`).
            err: whether to standard error.
        """
        stream = sys.stderr if err else sys.stdout
        if self._progress is None or not stream.isatty():
            click.echo(text, err=err)
        else:  # by whoever draws the bars, or it stands in the middle of one
            self._progress.console.print(text, soft_wrap=True)

    def add(self, what: str, spell: Callable[[int], str] = count) -> Tell:
        """Return what is told how far it is; the bar shows from then on.

        Args:
            what: is done.
            spell: says how much that is.
        """
        progress = self._progress
        if progress is None:
            return lambda _done, _total: None
        task = progress.add_task(what, total=None, visible=False, told="")

        def tell(done: int, total: int) -> None:
            # Without an end a bar goes to and fro.
            told = f"{spell(done)} of {spell(total)}" if total else spell(done)
            some = total or None
            progress.update(task, completed=done, total=some, visible=True, told=told)

        return tell


@contextmanager
def open_bars(shell: Shell) -> Iterator[Bars]:
    """Draw bars for the length of the block, unless a program reads the answer."""
    if shell.as_json or not sys.stderr.isatty():
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield Bars(progress)
