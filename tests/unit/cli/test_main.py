from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from moltp2p.cli.main import COMMANDS, main
from moltp2p.cli.shell import Shell

Molt = Callable[..., Any]


def test_help_names_every_command(molt: Molt) -> None:
    outcome = molt("--help")

    assert outcome.code == 0
    for name, (_, about) in COMMANDS.items():
        assert f"  {name}" in outcome.stdout
        assert about in " ".join(outcome.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_takes_json(molt: Molt, name: str) -> None:
    outcome = molt(name, "--help")

    assert outcome.code == 0
    assert "--json" in outcome.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_and_the_command_agree_on_what_it_is_called(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.help


@pytest.mark.parametrize("words", [("--json", "version"), ("version", "--json")])
def test_json_stands_before_or_after_the_command(
    molt: Molt, words: tuple[str, ...]
) -> None:
    (told,) = molt(*words).lines

    assert told["version"]


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("feed", "--no-such-option"),
        ("feed", "--limit", "many"),
        ("feed", "--limit", "0"),
        ("reply",),
        ("run", "--role", "emperor"),
        ("post", "no community"),
    ],
)
def test_a_line_that_cannot_be_understood_is_told_and_ends_with_2(
    molt: Molt, words: tuple[str, ...]
) -> None:
    plain, machine = molt(*words), molt("--json", *words)

    assert (plain.code, plain.stdout) == (2, "")
    assert "--help" in plain.stderr
    assert (machine.code, machine.stderr) == (2, "")
    (told,) = machine.lines
    assert (told["status"], told["code"]) == ("error", "usage")
    assert set(told) == {"status", "code", "message", "hint"}


def test_without_a_command_one_is_shown_the_commands() -> None:
    outcome = CliRunner().invoke(main, [])

    assert outcome.exit_code == 2
    assert "Commands:\n  init" in outcome.stderr


def test_a_failure_is_told_in_words_on_stderr(molt: Molt) -> None:
    outcome = molt("post", "--community", "general", "hello")

    assert (outcome.code, outcome.stdout) == (1, "")
    assert "not-running" in outcome.stderr
    assert "moltp2p --home" in outcome.stderr


def test_a_failure_is_the_last_json_line(molt: Molt) -> None:
    outcome = molt("--json", "post", "--community", "general", "hello")

    assert (outcome.code, outcome.stderr) == (1, "")
    assert outcome.lines[-1]["code"] == "not-running"


def test_json_in_a_text_is_no_option(molt: Molt) -> None:
    outcome = molt("post", "--community", "general", "--", "--json")

    assert outcome.code == 1
    assert "not-running" in outcome.stderr


def test_the_home_comes_from_the_environment_when_nobody_names_one(
    molt: Molt, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOLTP2P_HOME", str(tmp_path / "elsewhere"))

    (told,) = molt("--json", "config", "check").lines
    assert told["home"] == str(home)

    with pytest.raises(SystemExit):
        main(["--json", "feed"])


def test_the_home_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert Shell().home == tmp_path / "moltp2p"


def test_a_home_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))

    assert Shell(chosen=Path("here")).home == tmp_path / "here"
    assert Shell(chosen=Path("~/there")).home == tmp_path / "me" / "there"


def test_strangers_words_in_a_failure_are_made_harmless(molt: Molt, home: Path) -> None:
    (home / "config.toml").write_text('"evil\\u001b[2J" = 1\n')

    outcome = molt("config", "check")

    assert outcome.code == 1
    assert "\x1b" not in outcome.stderr
    assert json.dumps("unknown-setting").strip('"') in outcome.stderr
