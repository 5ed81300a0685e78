"""A mesh of real nodes with faults: what is injected is seen, and all else holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moltp2p.cli.main import main
from moltp2p.core.errors import LocalError, UsageError
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.members import Text
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.opening import open_mesh
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

HELD = {
    "delivered",
    "distinct-sets",
    "invalid-records",
    "told-twice",
    "acknowledged-kept",
}


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare with peers each second, so that what was lost is soon missed."""
    monkeypatch.setattr("moltp2p.testing.running.SYNC_INTERVAL_S", 1)


def run_mesh(*words: str) -> tuple[int, dict[str, Any]]:
    ran = CliRunner().invoke(main, ["mesh", "--json", *words])
    report: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return ran.exit_code, report


def faults_of(report: dict[str, Any]) -> list[tuple[str, float, list[int]]]:
    return [(e["fault"], e["at_s"], e["nodes"]) for e in report["injected"]]


def test_a_partition_heals_and_nothing_is_lost() -> None:
    code, report = run_mesh(
        *("--nodes", "4", "--rate", "10", "--duration", "5"),
        *("--partition", "0-1|2-3@1s-4s"),
    )

    assert code == 0, report
    assert faults_of(report) == [
        ("partition", 1, [0, 1, 2, 3]),
        ("heal", 4, [0, 1, 2, 3]),
    ]
    assert report["counts"]["held"] > 0
    assert {each["check"] for each in report["held"]} == HELD
    assert report["healed_s"] is not None
    # What was said on one side waited for the partition's end on the other.
    assert report["latency_ms"]["max"] > 1_000


def test_nodes_are_killed_and_keep_what_they_acknowledged() -> None:
    words = (
        *("--nodes", "3", "--rate", "10", "--duration", "4", "--seed", "0"),
        *("--kill", "0.3,away_s=0.5"),
    )
    code, report = run_mesh(*words)
    kinds = [fault for fault, _, _ in faults_of(report)]

    assert code == 0, report
    assert kinds.count("kill") == kinds.count("restart") > 0
    assert report["counts"]["killed"] == kinds.count("kill")
    assert all(each["passed"] for each in report["held"])


def test_late_lossy_and_thin_lines_lose_nothing() -> None:
    code, report = run_mesh(
        *("--nodes", "3", "--rate", "10", "--duration", "3", "--loss", "0.3"),
        *("--latency", "uniform,from_ms=40,to_ms=60", "--slow", "0.34"),
    )

    assert code == 0, report
    assert report["counts"]["lost"] > 0
    assert report["counts"]["delayed"] > 0
    assert report["latency_ms"]["p50"] >= 40
    assert "1 slow nodes" in report["injected"][0]["detail"]


def test_sybils_with_every_habit_change_nothing() -> None:
    behaviours = (
        *("silent", "dropper,share=0.5", "censor", "invalid-flood", "replay"),
        *("ihave-flood", "iwant-flood", "graft-flood", "idontwant-flood"),
    )
    code, report = run_mesh(
        *("--nodes", "4", "--rate", "10", "--duration", "4", "--sybils", "4"),
        *(word for name in behaviours for word in ("--behaviour", name)),
    )

    assert code == 0, report
    assert [fault for fault, _, _ in faults_of(report)] == ["join", "attack", "leave"]
    assert report["injected"][1]["detail"].split(" + ")[0] == "silent"
    assert report["counts"]["forged"] > 0
    assert report["counts"]["kept-back"] > 0
    assert report["counts"]["rejected"] > 0
    assert all(each["passed"] for each in report["held"])


def test_a_file_is_for_the_simulator_and_for_real_nodes(tmp_path: Path) -> None:
    file = tmp_path / "shared.toml"
    file.write_text(
        'about = "a test"\nvirtual_s = 15\n'
        "[nodes]\ncount = 3\nbootstrap = 1\n"
        '[network]\nlatency = { model = "constant", ms = 20 }\n'
        "[load]\nfrom_s = 0.5\nuntil_s = 3\nper_s = 8\n"
        "[check.steady]\ndelivered = 1.0\np50_s = 2.0\n",
        encoding="utf-8",
    )
    sim = CliRunner().invoke(main, ["sim", str(file)])
    code, report = run_mesh("--scenario", str(file))

    assert sim.exit_code == 0
    assert code == 0, report
    assert report["seed"] == 1
    assert report["posts"] == 20
    assert {each["check"] for each in report["held"]} == HELD | {
        "steady.delivered",
        "steady.p50_s",
    }


def test_after_a_partition_the_meshes_are_whole_again(tmp_path: Path) -> None:
    file = tmp_path / "parted.toml"
    file.write_text(
        'about = "a test"\nvirtual_s = 30\n'
        "[nodes]\ncount = 4\nbootstrap = 1\n"
        '[network]\nlatency = { model = "constant", ms = 5 }\n'
        "[load]\nfrom_s = 0\nuntil_s = 5\nper_s = 4\n"
        '[partition]\nat_s = 1\nuntil_s = 4\nnotice_s = 0.5\ngroups = ["0-1", "2-3"]\n'
        "[check]\nhealthy_within = 30\n",
        encoding="utf-8",
    )
    sim = CliRunner().invoke(main, ["sim", str(file)])
    code, report = run_mesh("--scenario", str(file))

    assert sim.exit_code == 0
    assert code == 0, report
    assert report["counts"]["hung-up"] > 0, "no mesh lacked anybody"
    assert 0 < report["healthy_after_heartbeats"] <= 30
    assert "healthy_within" in {each["check"] for each in report["held"]}


async def say(mesh: Mesh, index: int, text: str) -> None:
    await mesh.members[index].publish([Text("general", text)])


async def test_an_embedder_parts_and_heals_nodes_in_memory() -> None:
    async with open_mesh(3, memory=True, faults=True) as mesh:
        await mesh.connected(PATIENCE_S)
        await mesh.face(Orders(notice_s=0.5, default_latency_s=0.01))
        await mesh.part([0, 1], [2])
        await say(mesh, 0, "Does anybody hear me?")
        with pytest.raises(LocalError, match="not-alike"):
            await mesh.alike(1.5)
        with pytest.raises(LocalError, match="not-meshed"):
            await mesh.connected(0)
        await mesh.heal()

        assert await mesh.alike(PATIENCE_S) < PATIENCE_S
        assert len(mesh.nodes) == 3


async def test_an_embedder_kills_a_node_that_is_cut_off_when_it_is_back() -> None:
    async with open_mesh(3, processes=True, faults=True) as mesh:
        await mesh.connected(PATIENCE_S)
        await mesh.kill(2)
        await mesh.part([0, 1], [2])
        await say(mesh, 0, "Who is still there?")
        await mesh.alike(PATIENCE_S)  # the two that run
        await mesh.restart(2)
        with pytest.raises(LocalError, match="not-alike"):
            await mesh.alike(1.5)
        await mesh.heal()

        await mesh.alike(PATIENCE_S)
        (heard,) = await mesh.members[2].newest(2)
        assert heard.text == "Who is still there?"


async def test_what_a_mesh_cannot_do_it_says() -> None:
    async with open_mesh(2, memory=True) as mesh:
        with pytest.raises(UsageError, match="no-faults"):
            await mesh.part([0], [1])
        with pytest.raises(UsageError, match="no-process"):
            await mesh.kill(0)
    with pytest.raises(UsageError, match="bad-option"):
        async with open_mesh(2, memory=True, processes=True):
            pass
