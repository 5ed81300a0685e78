"""What held in a mesh: worked out by hand for a run of three nodes."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from moltp2p.cli.mesh_report import report_fields, summary
from moltp2p.testing.audit import Audit
from moltp2p.testing.findings import Outcome
from moltp2p.testing.plan import Faced, Injected, Posted, Report
from moltp2p.testing.sim.checks import Check, Limits
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sim.trouble import Partition

ALL = (0, 1, 2)
SCENARIO = Scenario(
    about="a test",
    virtual_s=60,
    partition=Partition(at_s=10, until_s=20, groups=("0-1", "2")),
    stay_s=2,
    arrive_s=1,
)
OUTCOME = Outcome(
    scenario=SCENARIO,
    injected=(
        Injected(10, 10.1, "partition", ALL),
        Injected(20, 20.2, "heal", ALL),
        Injected(30, 30.0, "kill", (1,)),
        Injected(32, 34.0, "restart", (1,)),
    ),
    sides=(0, 0, 1),
    posted={
        "calm": Posted(0, 5.0),
        "apart": Posted(0, 15.0),
        "after": Posted(2, 25.0),
        "away": Posted(2, 31.0),
    },
    arrivals=(
        {"calm": 0, "apart": 0, "after": 20, "away": 30},
        {"calm": 10, "apart": 40, "after": 50, "away": 5_000},
        {"calm": 30, "apart": 7_000, "after": 0, "away": 0},
    ),
    audits=(Audit(7, 0, 0),) * 3,
    fingerprints=("f",) * 3,
)


def checks(outcome: Outcome) -> dict[str, bool]:
    return {each.check: each.passed for each in outcome.findings()}


def test_everything_held() -> None:
    assert all(checks(OUTCOME).values())
    assert [(f.check, f.wanted, f.found) for f in OUTCOME.findings()] == [
        ("delivered", 12, 12),
        ("distinct-sets", 1, 1),
        ("invalid-records", 0, 0),
        ("told-twice", 0, 0),
        ("acknowledged-kept", 4, 4),
    ]


def test_deliveries_are_expected_of_those_who_were_there_and_within_reach() -> None:
    phases = OUTCOME.phases()

    assert (phases["before"].expected, phases["before"].p50_s) == (2, 0.01)
    assert (phases["during"].expected, phases["during"].max_s) == (1, 0.04)
    assert (phases["settling"].expected, phases["settling"].max_s) == (2, 0.05)
    assert (phases["after"].published, phases["after"].expected) == (1, 1)
    assert phases["after"].max_s == 0.03


def test_it_was_healed_when_the_last_old_post_was_everywhere() -> None:
    assert OUTCOME.healed_s() == pytest.approx(31.0 + 5.0 - 34.0)


@pytest.mark.parametrize(
    ("broken", "failed"),
    [
        ({"fingerprints": ("f", "f", "g")}, {"distinct-sets"}),
        ({"audits": (Audit(7, 0, 0), Audit(8, 1, 0))}, {"invalid-records"}),
        ({"audits": (Audit(7, 0, 3),)}, {"told-twice"}),
        (
            {"arrivals": ({}, *OUTCOME.arrivals[1:])},
            {"delivered", "acknowledged-kept"},
        ),
        ({"arrivals": (*OUTCOME.arrivals[:2], {"after": 0, "away": 0})}, {"delivered"}),
    ],
)
def test_each_thing_that_does_not_hold_is_found(
    broken: dict[str, Any], failed: set[str]
) -> None:
    found = checks(replace(OUTCOME, **broken))

    assert {name for name, passed in found.items() if not passed} == failed


@pytest.mark.parametrize(
    ("within", "took", "passed"),
    [(3, 3, True), (3, 4, False), (3, None, False), (0, 0, True)],
)
def test_meshes_must_be_whole_within_so_many_heartbeats(
    within: int, took: int | None, passed: bool
) -> None:
    scenario = replace(SCENARIO, check=Check(healthy_within=within))
    outcome = replace(OUTCOME, scenario=scenario, healthy_after=took)

    assert checks(outcome)["healthy_within"] == passed


def test_what_never_came_never_healed() -> None:
    lost = replace(OUTCOME, arrivals=({}, *OUTCOME.arrivals[1:]))

    assert lost.healed_s() is None


def test_a_scenarios_own_checks_are_made() -> None:
    check = Check(during=Limits(delivered=1.0, p50_s=0.01), after=Limits(max_s=0.03))
    found = checks(replace(OUTCOME, scenario=replace(SCENARIO, check=check)))

    assert found["during.delivered"]
    assert not found["during.p50_s"]
    assert found["after.max_s"]


def report(outcome: Outcome) -> Report:
    faced = Faced(
        seed=7,
        injected=tuple(outcome.injected),
        counts={"lost": 12, "refused": 0},
        skipped=1,
        phases=outcome.phases(),
        healed_s=outcome.healed_s(),
        findings=outcome.findings(),
        healthy_after=outcome.healthy_after,
    )
    figures = {"p50": 1.0, "p99": 2.0, "max": 3.0}
    return Report(3, 4, 12, 12, figures, 1, 1, 1, 1, 0, faced=faced)


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(summary(report))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_report_says_what_was_injected_and_what_held() -> None:
    text = shown(report(replace(OUTCOME, healthy_after=3)))

    for words in (
        "What was injected (seed 7)",
        "20.2 s │ heal",
        "30.0 s │ kill      │ node 1",
        "12        │ messages and announcements lost",
        "1         │ posts skipped, their author down",
        "held │ posts in every store",
        "12 of 12",
        "held │ posts kept by whoever acknowledged them",
        "after 2.0 s",
        "after 3 s",
    ):
        assert words in text
    assert "FAILED" not in text
    assert "refused" not in text


def test_what_a_scenario_wants_stands_beside_what_was_found() -> None:
    check = Check(during=Limits(delivered=1.0, p99_s=1.0), healthy_within=0)
    outcome = replace(
        OUTCOME, scenario=replace(SCENARIO, check=check), healthy_after=None
    )
    text = shown(report(outcome))

    assert "│ what was older than the last fault was everywhere │ after" in text
    assert re.search(r"held +│ during.delivered +│ 100.00% of 100%", text)
    assert re.search(r"held +│ during.p99_s +│ 0.040 of 1 s", text)
    assert re.search(r"all nodes gossiped with .* │ not yet", text)
    assert re.search(r"FAILED │ heartbeats until all meshes .* │ never", text)


def test_what_did_not_hold_is_called_failed_and_ends_with_1() -> None:
    broken = report(replace(OUTCOME, fingerprints=("f", "g", "h")))

    assert "FAILED │ different sets among the stores" in shown(broken)
    assert not broken.passed
    assert report(OUTCOME).passed


def test_a_program_gets_all_of_it() -> None:
    fields = report_fields(report(OUTCOME))

    assert fields["passed"] is True
    assert fields["injected"][2] == {  # type: ignore[index]
        "at_s": 30,
        "done_s": 30.0,
        "fault": "kill",
        "nodes": [1],
        "detail": "",
    }
    assert fields["counts"] == {"lost": 12, "refused": 0}
    assert fields["healed_s"] == 2.0
    assert [each["name"] for each in fields["phases"]] == [  # type: ignore[attr-defined]
        "before",
        "during",
        "settling",
        "after",
    ]
    assert {each["check"] for each in fields["held"]} == set(checks(OUTCOME))  # type: ignore[attr-defined]
