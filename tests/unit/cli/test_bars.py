"""Bars for what takes long, and lines above them."""

from __future__ import annotations

import io
import re
import sys

import pytest

from moltp2p.cli.bars import open_bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """Return what was written, without what moves the cursor."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of standard error; called in the test itself."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return found


def test_a_line_stands_above_a_bar_and_is_not_read_as_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch)
    with open_bars(live=True) as bars:
        bars.add("reading")(1, 2)
        bars.say("line 3: [bold]:bomb: it is none", err=True)

    # The bar is taken away before the line is written, and drawn again below it.
    assert "line 3: [bold]:bomb: it is none" in terminal.lines()


def test_a_line_without_a_bar_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with open_bars(live=True) as bars:
        bars.add("nothing came of it")
        bars.say("line 3: none", err=True)

    assert terminal.getvalue() == "line 3: none\n"


def test_without_an_end_only_what_is_done_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch)
    with open_bars(live=True) as bars:
        bars.add("one")(1_200, 0)
        bars.add("two", lambda done: f"{done} B")(3, 9)

    told = [line.split() for line in terminal.lines()]
    assert [words for words in told if words[0] == "one"][-1][2:] == ["1,200"]
    assert ["3", "B", "of", "9", "B"] in [w[2:7] for w in told if w[0] == "two"]


def test_the_longest_bar_leaves_room_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch)
    with open_bars(live=True) as bars:
        bars.add("building tables, records")(9_999_999, 10_000_000)

    lines = terminal.lines()
    assert any("9,999,999 of 10,000,000" in line for line in lines)
    assert all(len(line) <= 77 for line in lines)


def test_nothing_is_drawn_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with open_bars(live=False) as bars:
        bars.add("reading")(1, 2)

    assert terminal.getvalue() == ""
