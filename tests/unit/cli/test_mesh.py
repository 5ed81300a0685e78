"""`moltp2p mesh`, as far as it comes without opening one."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from moltp2p.cli.main import main
from moltp2p.core.errors import UsageError
from moltp2p.testing.plan import Plan


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--latency", "soon"], "bad-scenario"),
        (["--kill", "x"], "bad-option"),
        (["--partition", "0|1"], "bad-option"),
        (["--scenario", "baseline-100"], "unsupported-setting"),
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


@pytest.mark.parametrize(
    ("words", "posts", "rate", "duration_s"),
    [
        ([], 100, 20, None),
        (["--duration", "10"], 200, 20, 10),
        (["--posts", "40", "--rate", "1"], 40, 1, None),
        (["--posts", "40", "--rate", "1", "--duration", "5"], 40, 1, 5),
        (["--partition", "0|1-4@5s-12s"], 340, 20, 17),
        (["--partition", "0|1-4@5s-12s", "--posts", "34"], 34, 2, None),
        (["--partition", "0|1-4@5s-12s", "--posts", "40", "--rate", "1"], 40, 1, None),
        (["--partition", "0|1-4@5s-12s", "--posts", "9", "--burst"], 9, None, None),
        (["--loss", "0.1", "--posts", "40", "--duration", "1"], 40, 20, 1),
        (["--scenario", "halves"], 240, 4, 60),
        (["--scenario", "halves", "--posts", "1000"], 1000, 4, None),
        (["--scenario", "halves", "--duration", "20"], 80, 4, 20),
    ],
)
def test_so_many_posts_are_planned_as_were_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    posts: int,
    rate: float | None,
    duration_s: float | None,
) -> None:
    plans: list[Plan] = []

    async def note(plan: Plan, *, live: bool) -> None:
        plans.append(plan)
        raise UsageError("bad-call", "only planned")

    monkeypatch.setattr("moltp2p.cli.mesh._run", note)
    CliRunner().invoke(main, ["mesh", "--json", *words])

    (plan,) = plans
    assert (plan.posts, plan.rate, plan.duration_s) == (posts, rate, duration_s)
