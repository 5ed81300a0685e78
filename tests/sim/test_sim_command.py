from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moltp2p.cli.main import main
from moltp2p.testing.sim.library import shipped

TINY = """\
about = "two nodes"
virtual_s = 20
[nodes]
count = 2
bootstrap = 1
[load]
from_s = 8
until_s = 15
per_s = 2
[check.steady]
delivered = 1.0
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return str(path)


def sim(*words: str) -> Result:
    return CliRunner().invoke(main, ["sim", *words])


def test_the_report_is_one_json_object(tiny: str) -> None:
    result = sim(tiny, "--json", "--seed=5")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["seed"] == 5
    assert report["passed"] is True
    assert report["nodes"] == {"honest": 2, "sybils": 0}
    assert report["phases"][0]["share"] == 1.0
    assert len(report["series"]) == 19
    assert report["series"][0]["at_s"] == 1.0


def test_the_report_is_a_table_for_people(tiny: str) -> None:
    result = sim(tiny)

    assert result.exit_code == 0
    assert "two nodes" in result.stdout
    assert "100.000%" in result.stdout
    assert "5 of 5 checks passed" in result.stdout


def test_a_check_that_fails_is_named_and_fails_the_command(tiny: str) -> None:
    result = sim(tiny, "--set", "check.steady.p50_s=0.001")

    assert result.exit_code == 1
    assert "FAILED  steady.p50_s" in result.stdout


def test_the_number_of_nodes_can_be_chosen(tiny: str) -> None:
    report = json.loads(sim(tiny, "--json", "--nodes=5").stdout)

    assert report["nodes"]["honest"] == 5


def test_the_shipped_scenarios_are_listed() -> None:
    plain, as_json = sim("--list"), sim("--json", "--list")

    assert plain.exit_code == as_json.exit_code == 0
    lines = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert {line["scenario"]: line["about"] for line in lines} == shipped()
    assert all(name in plain.stdout for name in shipped())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nothing-like-it"], "unknown-scenario"),
        (["baseline-100", "--nodes=1"], "bad-scenario"),
        (["baseline-100", "--set=x"], "bad-scenario"),
        (["baseline-100", "--plot=it.jpg"], "bad-plot"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_a_code(
    words: list[str], code: str
) -> None:
    result = sim(*words, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "magic"), [("it.png", b"\x89PNG\r\n\x1a\n"), ("it.svg", b"<?xml")]
)
def test_a_plot_is_the_same_for_the_same_seed(
    tiny: str, tmp_path: Path, name: str, magic: bytes
) -> None:
    pictures = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / name
        assert sim(tiny, "--plot", str(path)).exit_code == 0
        pictures.append(path.read_bytes())

    assert pictures[0].startswith(magic)
    assert pictures[0] == pictures[1]


@pytest.mark.slow
def test_a_plot_that_cannot_be_written_says_so(tiny: str, tmp_path: Path) -> None:
    result = sim(tiny, "--json", "--plot", str(tmp_path / "nowhere" / "it.svg"))

    assert json.loads(result.stdout)["code"] == "write-failed"
