"""`moltp2p sync`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.bars import BAR_COLUMNS
from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

View = dict[str, Any]


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """Compare with every connected peer now, and fetch what is missing here.

    A node does so by itself, soon after a peer has come and then every now and then
    (the setting sync_interval). With --json: a line for each step, and a last one
    with "status" "synced", "incomplete" or "alone". Ends with 1 when incomplete.
    """
    from moltp2p.cli.client import open_client

    async def work() -> View:
        last: View = {}
        async with open_client(shell.home, writes=True) as client:
            with _shown(shell) as show:
                async with client.lines("/sync", method="POST") as lines:
                    async for text in lines:
                        last = json.loads(text)
                        show(last)
        return last

    last = shell.run(work)
    if not shell.as_json:
        shell.console().print(_summary(last))
    if last.get("status") == "incomplete":
        raise click.exceptions.Exit(FAILED)


@contextmanager
def _shown(shell: Shell) -> Iterator[Callable[[View], None]]:
    """Yield what shows a step: as JSON, as bars on a terminal, or not at all."""
    console = shell.console()
    if shell.as_json:
        yield shell.emit
    elif not console.is_terminal:
        yield lambda _: None
    else:
        from rich.progress import BarColumn, Progress, TextColumn

        words, bar = TextColumn("{task.description}"), BarColumn(BAR_COLUMNS)
        columns = (words, bar, TextColumn("{task.fields[told]}"))
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bars(progress).show


class _Bars:
    """A bar for each peer that has something we lack."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._before: dict[str, int] = {}

    def show(self, view: View) -> None:
        for peer in view["peers"]:
            name = peer["peer"]
            before = self._before.setdefault(name, peer["gained"])
            got = peer["gained"] - before
            total = got + (peer["behind"] or 0)
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(
                    _short(name), total=None, told=""
                )
            done = not peer["running"] and peer["behind"] == 0
            # Without a total a bar goes to and fro: the two are still comparing.
            shown = max(total, 1) if total or done else None
            self._progress.update(
                self._tasks[name],
                total=shown,
                completed=shown if done else got,
                told=_told(peer, got, total),
            )


def _told(peer: View, got: int, total: int) -> str:
    """Return how far it is with one peer; what it has may turn out to be more."""
    if peer["failure"]:
        return _why(peer)
    if not peer["running"] and peer["behind"] == 0:
        return f"{got:,} came" if got else "nothing differs"
    return f"{got:,} of {total:,} known so far" if total else "comparing"


def _summary(last: View) -> str:
    match last.get("status"):
        case "alone":
            return "No peers. Give `run` a --bootstrap address."
        case "synced":
            with_whom = _peers(len(last["peers"]))
            if not last["gained"]:
                return f"Nothing differs from {with_whom}."
            return f"{last['gained']:,} records came; nothing differs from {with_whom}."
        case _:
            behind = sum(1 for each in last["peers"] if each["behind"])
            failed = [each for each in last["peers"] if each["failure"]]
            lines = [f"{last['gained']:,} records came."]
            if behind:
                has = "has" if behind == 1 else "have"
                lines.append(f"{_peers(behind)} {has} more that we could not get.")
            lines += [f"{_short(each['peer'])}: {_why(each)}" for each in failed]
            return "\n".join(lines)


def _short(peer: str) -> str:
    """Return a peer's id in brief; all begin alike."""
    return f"{peer[:8]}…{peer[-6:]}"


def _why(peer: View) -> str:
    if peer["failure"] == "wrong-network":
        return "it is on another network (wrong-network)"
    return str(peer["failure"])


def _peers(count: int) -> str:
    return "1 peer" if count == 1 else f"{count} peers"
