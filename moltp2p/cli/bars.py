"""Bars for what takes long, and lines above them; on a terminal alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Tell: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and of how much; 0 where nobody knows of how much."""


BAR_COLUMNS: Final = 20
"""With words and figures less than 80: the `^C` that a terminal writes behind a line
that is full begins another, and the bar is not taken away."""


def count(done: int) -> str:
    """Return a number of things."""
    return f"{done:,}"


class Bars:
    """Bars on standard error; made by `open_bars`.

    Args:
        live: whether somebody looks.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._progress: Progress | None = None

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
        if not self._live:
            return lambda _done, _total: None
        task: TaskID | None = None

        def tell(done: int, total: int) -> None:
            nonlocal task
            progress = self._drawn()
            # Without an end a bar goes to and fro.
            told = f"{spell(done)} of {spell(total)}" if total else spell(done)
            if task is None:
                task = progress.add_task(what, total=None, told=told)
            progress.update(task, completed=done, total=total or None, told=told)

        return tell

    def close(self) -> None:
        """Take the bars away."""
        if self._progress is not None:
            self._progress.stop()

    def _drawn(self) -> Progress:
        """Return who draws; from the first bar on, since loading that takes a while."""
        if self._progress is None:
            self._progress = _progress()
            self._progress.start()
        return self._progress


@contextmanager
def open_bars(*, live: bool) -> Iterator[Bars]:
    """Draw bars for the length of the block.

    Args:
        live: whether a person reads what is said; without a terminal nobody does.
    """
    bars = Bars(live=live and sys.stderr.isatty())
    with closing(bars):
        yield bars


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(BAR_COLUMNS),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    return Progress(*columns, console=console, transient=True)
