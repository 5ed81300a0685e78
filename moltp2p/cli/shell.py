"""What every command is given: which home, and how to answer.

--json          one JSON object a line on stdout; a failure is the last line
without it      words and colours on stdout; a failure goes to stderr
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from moltp2p.core.errors import MoltError

if TYPE_CHECKING:
    from rich.console import Console

JSON_FLAG: Final = "--json"
APP_NAME: Final = "moltp2p"

FAILED: Final = 1
"""The exit code when something could not be done."""

Result = TypeVar("Result")


@dataclass(slots=True)
class Shell:
    """One call of the command line.

    Attributes:
        as_json: whether a program reads the answer.
        chosen: the home that was asked for, if one was.
    """

    as_json: bool = False
    chosen: Path | None = None

    @property
    def home(self) -> Path:
        """Return the home, absolute."""
        if self.chosen is not None:
            return self.chosen.expanduser().absolute()
        import platformdirs

        return platformdirs.user_data_path(APP_NAME, appauthor=False)

    def choose_home(self, home: Path | None) -> None:
        """Note which home was asked for."""
        self.chosen = home

    def emit(self, view: Mapping[str, object]) -> None:
        """Write one JSON line, at once."""
        write_line(view)

    def run(
        self,
        work: Callable[[], Awaitable[Result]],
        logs: Callable[[], None] | None = None,
    ) -> Result:
        """Run a command's asynchronous part under trio.

        Args:
            work: what to run.
            logs: says where logs go; nowhere unless it is given.

        Raises:
            MoltError: what `work` raised, taken out of the nurseries it came through.
        """
        import trio

        from moltp2p.cli.logs import log_nothing

        (logs or log_nothing)()
        try:
            return trio.run(work)
        except BaseExceptionGroup as group:  # Ctrl-C comes in one, too
            raise _one_of(group) from None

    def console(self) -> Console:
        """Return where words and colours go."""
        from rich.console import Console

        return Console(markup=False, highlight=False, emoji=False)


pass_shell = click.make_pass_decorator(Shell, ensure=True)


def _note_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().ensure_object(Shell).as_json = True


json_option: Final = click.option(
    JSON_FLAG,
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_note_json,
    help="Answer in JSON, one object a line.",
)


def leave_pipe() -> None:
    """Write what is left of our output to nobody, once its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_line(view: Mapping[str, object]) -> None:
    """Write one JSON line to standard output, at once."""
    sys.stdout.write(json.dumps(view, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def tell(error: MoltError, *, as_json: bool) -> None:
    """Say what went wrong: a JSON line on stdout, or words on stderr."""
    if as_json:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
        write_line({"status": "error"} | told)
        return
    from moltp2p.cli.terminal import safe

    sys.stderr.write(f"moltp2p: {safe(error.message)} ({error.code})\n")
    if error.hint:
        sys.stderr.write(f"  {safe(error.hint)}\n")


def _one_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one failure that explains a group, or the group."""
    failures, bugs = group.split((MoltError, BrokenPipeError, KeyboardInterrupt))
    if failures is None or bugs is not None:
        return group
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
