"""A mesh of real nodes, by its command: what it prints, and how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moltp2p.cli.mesh_report import report_fields
from moltp2p.testing.members import Member, Text
from moltp2p.testing.opening import open_mesh
from moltp2p.testing.plan import Plan, Report
from moltp2p.testing.running import run_plan
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

MOLTP2P = str(Path(sys.executable).with_name("moltp2p"))
TEXTS = [Text("science", "A negative result."), Text("art", "A line a day.")]


def run_mesh(
    *words: str, stdin: str = "", path: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MOLTP2P, "mesh", *words],
        env=None if path is None else os.environ | {"PATH": path},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def report_of(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("processes", [[], ["--processes"]])
def test_every_post_reaches_every_store(processes: list[str]) -> None:
    ran = run_mesh("--nodes", "3", "--posts", "30", "--burst", "--json", *processes)

    report = report_of(ran)
    assert ran.returncode == 0, ran.stderr
    assert (report["nodes"], report["posts"]) == (3, 30)
    assert report["expected"] == report["delivered"] == 90
    assert report["delivery_ratio"] == 1.0
    assert report["passed"] is True
    assert report["dropped"] == 0
    assert set(report["latency_ms"]) == {"p50", "p99", "max"}
    assert {"wall_s", "cpu_s", "rss_mb", "connect_s"} <= set(report)


def test_agents_post_what_stands_on_standard_input() -> None:
    lines = '{"community": "tide-gauges", "body": "42 cm"}\n'

    ran = run_mesh("--nodes", "2", "--posts", "3", "--input", "-", stdin=lines)

    assert ran.returncode == 0, ran.stderr
    assert "tide-gauges" in ran.stderr
    assert ran.stderr.endswith("\n")  # what comes next begins a line
    assert "100.00%" in ran.stdout


def test_a_mesh_that_cannot_be_says_why_on_a_line_of_its_own() -> None:
    ran = run_mesh("--hosts", "2", path="")  # where there is no program `ip`

    assert ran.returncode == 1
    assert "no-hosts" in ran.stderr
    assert any(line.startswith("moltp2p: ") for line in ran.stderr.splitlines())


def test_it_stops_posting_when_the_time_is_up() -> None:
    ran = run_mesh(
        *("--nodes", "2", "--posts", "100000", "--rate", "50"),
        *("--duration", "1", "--json"),
    )

    assert ran.returncode == 0, ran.stderr
    assert 20 < report_of(ran)["posts"] < 60


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ("", "no lines"),
        ('{"community": "art", "body": "x"}\nnot json\n', "line 2"),
        ('{"community": "art"}\n', "line 1"),
        ('{"community": "No Such", "body": "x"}\n', "line 1"),
        ('{"community": "art", "body": ""}\n', "line 1"),
    ],
)
def test_input_that_nobody_could_post_is_refused_with_its_line(
    lines: str, where: str
) -> None:
    ran = run_mesh("--nodes", "2", "--input", "-", "--json", stdin=lines)

    error = report_of(ran)
    assert ran.returncode == 1
    assert error["code"] == "bad-input"
    assert where in error["message"]


@pytest.mark.parametrize("processes", [[], ["--processes"]])
def test_a_mesh_that_is_told_to_end_takes_its_folders_away(
    tmp_path: Path, processes: list[str]
) -> None:
    child = subprocess.Popen(
        [MOLTP2P, "mesh", "--nodes", "2", "--duration", "600", "--json", *processes],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with child:
        for _ in range(round(PATIENCE_S / 0.1)):
            if list(tmp_path.glob("moltp2p-*/node-0")):
                break
            time.sleep(0.1)
        assert list(tmp_path.glob("moltp2p-*"))
        child.terminate()
        child.wait(60)

    assert child.returncode != 0
    assert list(tmp_path.glob("moltp2p-*")) == []


class Forgetful:
    """A member whose store has lost a post."""

    def __init__(self, member: Member) -> None:
        self._member = member

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    async def arrivals(self) -> Mapping[str, int]:
        held = await self._member.arrivals()
        return dict(sorted(held.items())[1:])


async def test_what_a_store_lacks_is_not_called_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moltp2p.testing.running.QUIET_S", 1.0)
    async with open_mesh(2) as mesh:
        mesh.members[1] = Forgetful(mesh.members[1])
        report = await run_plan(mesh, Plan(2, 4, TEXTS))

    assert (report.expected, report.delivered) == (8, 7)
    assert report.delivery_ratio < 1


def test_a_mesh_that_lost_something_says_so() -> None:
    report = Report(2, 10, 20, 19, {"p50": 1, "p99": 2, "max": 3}, 1, 1, 1, 1, 1)

    assert report_fields(report)["delivery_ratio"] == 0.95
    assert report_fields(report)["passed"] is False
    assert dataclasses.replace(report, expected=0, delivered=0).delivery_ratio == 1.0
