"""`moltp2p mesh`, as far as it comes without opening one."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from moltp2p.cli.main import main


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--latency", "soon"], "bad-scenario"),
        (["--kill", "x"], "bad-option"),
        (["--partition", "0|1"], "bad-option"),
        (["--scenario", "flood-graft"], "unsupported-setting"),
        (["--scenario", "halves", "--burst"], "bad-option"),
        (["--hosts", "3", "--nodes", "3"], "bad-option"),
        (["--sybils", "3"], "bad-option"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_by_a_code(
    words: list[str], code: str
) -> None:
    result = CliRunner().invoke(main, ["mesh", "--json", *words])

    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == code


@pytest.mark.parametrize(
    "words",
    [
        ["--loss", "2"],
        ["--loss", "much"],
        ["--nodes", "0"],
        ["--nodes", "201"],
        ["--seed", "x"],
    ],
)
def test_a_number_that_is_none_is_wrong_usage(words: list[str]) -> None:
    result = CliRunner().invoke(main, ["mesh", "--json", *words])

    assert result.exit_code == 2


def test_without_root_there_are_no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = CliRunner().invoke(main, ["mesh", "--json", "--hosts", "2"])

    error = json.loads(result.stdout)
    assert (result.exit_code, error["code"]) == (1, "no-hosts")
    assert "root" in error["message"]
    assert "--hosts" in error["hint"]
