from __future__ import annotations

from pathlib import Path

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.net.base import ConnectionLimits
from moltp2p.testing.sim.library import load, parse_override, shipped
from moltp2p.testing.sim.scenario import Nodes, Scenario

NAMES = [
    "baseline-100",
    "baseline-1000",
    "baseline-10000",
    "censor-victim",
    "cold-boot-1to1",
    "cold-boot-2to1",
    "cold-boot-4to1",
    "covert-flash-1to1",
    "covert-flash-2to1",
    "covert-flash-4to1",
    "degrade-10",
    "degrade-30",
    "degrade-50",
    "diurnal-churn",
    "eclipse-one",
    "eclipse-publishers",
    "flood-graft",
    "flood-idontwant",
    "flood-ihave",
    "flood-invalid",
    "flood-iwant",
    "halves",
    "partition-heals",
    "replay",
]


def test_these_scenarios_are_shipped() -> None:
    assert list(shipped()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_scenario_can_be_read_and_checks_something(name: str) -> None:
    scenario = load(name)

    assert scenario.about == shipped()[name]
    checks = [getattr(scenario.check, phase) for phase, _, _ in scenario.phases()]
    assert checks[-1].delivered == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_attack_is_at_the_ratio_that_it_claims(name: str) -> None:
    scenario = load(name)
    if "to1" in name:
        ratio = int(name.rpartition("-")[2].removesuffix("to1"))
        assert scenario.sybil_count == ratio * scenario.nodes.count
    if name.startswith("degrade-"):
        everybody = scenario.nodes.count + scenario.sybil_count
        share = int(name.removeprefix("degrade-")) / 100
        assert scenario.sybil_count / everybody == pytest.approx(share, abs=0.003)


def test_a_node_accepts_as_many_connections_as_a_real_one() -> None:
    assert Nodes().max_inbound == ConnectionLimits().inbound


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refusal(name: str, **overrides: object) -> UsageError:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    with pytest.raises(UsageError) as caught:
        load(name, dotted)
    return caught.value


def test_a_file_says_only_what_is_special_about_it(tmp_path: Path) -> None:
    name = write(tmp_path, 'about = "mine"\n[nodes]\ncount = 7\n')

    assert load(name) == Scenario(about="mine", nodes=Nodes(count=7))


def test_a_value_can_be_put_in_place_of_the_scenarios_own() -> None:
    overrides = dict(map(parse_override, ["nodes.count=20", 'sybils.targets="victim"']))
    scenario = load("eclipse-publishers", overrides)

    assert scenario.nodes.count == 20
    assert scenario.sybils is not None
    assert scenario.sybils.targets == "victim"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about = 'x'\n[nodes]\ncounts = 7\n", "nodes.counts"),
        ("about = 'x'\n[nodes]\ncount = 1\n", "nodes.count"),
        ("virtual_s = 10\n", "about"),
        ("about = 'x'\n[network.latency]\nmodel = 'magic'\n", "network.latency"),
        ("about = 'x'\n[sybils]\nper_honest = 1\nattack_s = 1\n", "behaviours"),
        ("about = 'x\n", "not TOML"),
        ("about = 'x'\nvirtual_s = 20\n[load]\nfrom_s = 30\n", "load: 30 > 10"),
        ("about = 'x'\nvictim = 100\n", "victim"),
    ],
)
def test_what_a_scenario_gets_wrong_is_named(
    tmp_path: Path, text: str, said: str
) -> None:
    error = refusal(write(tmp_path, text))

    assert error.code == "bad-scenario"
    assert said in error.message


def test_an_override_into_a_value_is_refused() -> None:
    assert refusal("baseline-100", virtual_s__x=1).code == "bad-scenario"


@pytest.mark.parametrize("text", ["nodes.count", "nodes.count=", "nodes.count=x y"])
def test_an_override_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_override(text)

    assert caught.value.code == "bad-scenario"


@pytest.mark.parametrize("name", ["nothing-like-it", "/nowhere/mine.toml"])
def test_a_scenario_that_does_not_exist_is_unknown(name: str) -> None:
    assert refusal(name).code == "unknown-scenario"
