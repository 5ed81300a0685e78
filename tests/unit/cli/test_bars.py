"""Bars for what takes long, and lines above them."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from moltp2p.cli.bars import Bars, open_bars
from moltp2p.cli.shell import Shell


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_stands_above_a_bar_and_is_not_read_as_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with open_bars(Shell()) as bars:
        tell = bars.add("reading")
        tell(1, 2)
        bars.say("line 3: [bold]:bomb: it is none", err=True)

    lines = terminal.getvalue().replace("\r", "\n").splitlines()

    # The bar is taken away before the line is written, and drawn again below it.
    (line,) = [each for each in lines if "line 3" in each]
    assert line.removeprefix("\x1b[2K") == "line 3: [bold]:bomb: it is none"


def test_without_an_end_only_what_is_done_is_told() -> None:
    columns = (TextColumn("{task.description} {task.fields[told]}"),)
    screen = io.StringIO()
    with Progress(*columns, console=Console(file=screen, width=60)) as progress:
        bars = Bars(progress)
        bars.add("one")(1_200, 0)
        bars.add("two", lambda done: f"{done} B")(3, 9)
        bars.add("three")

    told = screen.getvalue().split("\n")
    assert [each.strip() for each in told if each] == ["one 1,200", "two 3 B of 9 B"]


def test_nothing_is_drawn_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_bars(Shell(as_json=True)) as bars:
        bars.add("reading")(1, 2)

    assert terminal.getvalue() == ""
