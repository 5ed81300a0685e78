"""`moltp2p mesh`, as far as it comes without opening one."""

from __future__ import annotations

import json

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
