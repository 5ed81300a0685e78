"""In which shape logs go to stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from moltp2p.cli.logs import log_to_stderr
from moltp2p.net.log import get_logger


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Undo what is done to the root logger: a command has a process of its own."""
    root, ours = logging.getLogger(), logging.getLogger("moltp2p")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.parametrize(
    ("shape", "terminal", "is_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("json", True, True),
        ("text", False, False),
    ],
)
def test_people_at_a_terminal_read_text_and_programs_json(
    shape: str,
    terminal: bool,
    is_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    log_to_stderr("info", shape)

    get_logger("moltp2p.test").info("neighbour", address="\x1b[2J")

    line = capsys.readouterr().err
    assert "neighbour" in line
    assert "\x1b[2J" not in line
    if is_json:
        assert json.loads(line)["event"] == "neighbour"
    else:
        assert not line.startswith("{")
