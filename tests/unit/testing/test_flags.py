"""What the flags of `moltp2p mesh` mean, and how the wrong ones are refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.testing.faults import flags
from moltp2p.testing.faults.wanted import HOSTS_LACK, MESH_LACKS, Wanted, scenario_of
from moltp2p.testing.sim.behaviours import Dropper, Silent
from moltp2p.testing.sim.latency import Constant, LogNormal
from moltp2p.testing.sim.library import build, load, refuse
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sim.trouble import Kills, Partition, Slow

RATE = 20.0


def scenario(**flags: Any) -> Scenario:
    found = scenario_of(Wanted(**flags), RATE)
    assert found is not None
    return found


def test_without_faults_nothing_is_planned() -> None:
    assert scenario_of(Wanted(nodes=7, posts=3, rate=2.0, duration_s=9.0), RATE) is None


def test_a_latency_is_milliseconds_or_a_model() -> None:
    assert scenario(latency="50").network.latency == Constant(ms=50)
    assert scenario(latency="12.5ms").network.latency == Constant(ms=12.5)
    assert scenario(
        latency="lognormal,median_ms=80,sigma=0.4"
    ).network.latency == LogNormal(median_ms=80, sigma=0.4)


def test_regions_are_written_with_dotted_names() -> None:
    found = scenario(
        latency="regions,shares.eu=1,shares.us=2,ms.eu-eu=8,ms.us-us=9,ms.eu-us=45"
    )

    assert found.network.latency.between("eu", "us", Even()) == 0.045


class Even(random.Random):
    """Dice that stay in the middle."""

    def lognormvariate(self, mu: float = 0, sigma: float = 1) -> float:
        return 1.0


def test_a_partition_has_sides_and_times() -> None:
    found = scenario(nodes=6, partitions=["0-2|3,4|5@10s-40.5s"])

    assert found.partition == Partition(
        at_s=10, until_s=40.5, groups=("0-2", "3,4", "5")
    )
    assert found.load_until_s == 45.5
    assert found.virtual_s == 55.5


def test_kills_and_slow_nodes_have_a_number_and_fields() -> None:
    found = scenario(kill="0.2,away_s=5", slow="0.4,uplink_mbit=1")

    assert found.churn == Kills(per_s=0.2, away_s=5, from_s=0)
    assert found.slow == Slow(share=0.4, uplink_mbit=1)


def test_only_what_was_asked_for_goes_wrong() -> None:
    found = scenario(loss=0.1)

    assert found.network.loss == 0.1
    assert found.network.latency == Constant(ms=0)
    assert found.network.uplink_mbit == 0
    assert (found.churn, found.partition, found.slow) == (None, None, None)
    assert (found.nodes.count, found.load.per_s) == (5, RATE)


PARTED = {"nodes": 4, "partitions": ["0-1|2-3@5s-12s"]}


@pytest.mark.parametrize(
    ("flags", "per_s", "until_s"),
    [
        ({"posts": 40, "rate": 1.0}, 1.0, 40.0),  # after all of them
        ({"posts": 5, "rate": 1.0}, 1.0, 17.0),  # a while after the partition
        ({"posts": 34}, 2.0, 17.0),  # so slowly that it lasts as long
        ({"posts": 4000}, RATE, 200.0),
        ({"posts": 0}, 1 / 17, 17.0),
        ({"posts": 40, "rate": 1.0, "duration_s": 9.0}, 1.0, 9.0),
        ({"posts": 4000, "burst": True}, RATE, 17.0),
    ],
)
def test_as_many_posts_as_asked_for_outlast_a_partition(
    flags: dict[str, Any], per_s: float, until_s: float
) -> None:
    found = scenario(**PARTED, **flags)

    assert found.load.per_s == pytest.approx(per_s)
    assert found.load_until_s == until_s
    assert found.virtual_s == max(until_s, 12) + 10


def test_without_an_end_of_its_own_a_fault_lasts_as_long_as_the_posts() -> None:
    assert scenario(loss=0.1, posts=100).load_until_s == 5
    assert scenario(loss=0.1, posts=100, burst=True).load_until_s == 20


@pytest.mark.parametrize(
    ("flags", "until_s", "virtual_s"),
    [
        ({"posts": 40}, 65, 75),  # the file's own end
        ({"posts": 400}, 105, 115),
        ({"posts": 400, "duration_s": 20}, 25, 75),
        ({"duration_s": 100}, 105, 115),
        ({"posts": 400, "rate": 40.0}, 65, 75),
    ],
)
def test_more_posts_or_another_time_stretch_a_files_scenario(
    flags: dict[str, Any], until_s: float, virtual_s: float
) -> None:
    found = scenario(file="halves", **flags)

    assert (found.load_until_s, found.virtual_s) == (until_s, virtual_s)
    assert found.partition == load("halves").partition


def test_flags_are_put_over_a_file() -> None:
    shared = scenario(file="halves", nodes=4, rate=3.0, loss=0.5)

    assert shared.about == load("halves").about
    assert (shared.nodes.count, shared.load.per_s) == (4, 3.0)
    assert shared.network.loss == 0.5


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        ({"latency": "soon"}, "bad-scenario", "latency"),
        ({"latency": ""}, "bad-scenario", "latency"),
        ({"latency": "-5"}, "bad-scenario", "latency"),
        ({"latency": "nan"}, "bad-scenario", "latency"),
        ({"latency": "constant,ms=nan"}, "bad-scenario", "ms"),
        ({"latency": "constant,ms=inf"}, "bad-scenario", "ms"),
        ({"latency": "constant,mss=4"}, "bad-scenario", "mss"),
        ({"latency": "lognormal,80"}, "bad-option", "--latency"),
        ({"latency": "constant,ms=[1"}, "bad-option", "--latency"),
        ({"partitions": ["0-1|2"]}, "bad-option", "--partition"),
        ({"partitions": ["0-1@1s-2s"]}, "bad-option", "--partition"),
        ({"partitions": ["0-1|@1s-2s"]}, "bad-option", "--partition"),
        ({"partitions": ["0|1@5s-2s"]}, "bad-option", "ends before"),
        ({"partitions": ["0|1@-2s"]}, "bad-option", "--partition"),
        ({"partitions": ["0|1@1s-1e9s"]}, "bad-option", "--partition"),
        ({"partitions": ["a|b@1s-2s"]}, "bad-scenario", "groups"),
        ({"partitions": ["0|9@1s-2s"]}, "bad-scenario", "no node 9"),
        ({"partitions": ["0|0-1@1s-2s"]}, "bad-scenario", "node 0 is twice"),
        ({"partitions": ["0|3-1@1s-2s"]}, "bad-scenario", "backwards"),
        ({"partitions": ["0|1-99999@1s-2s"]}, "bad-scenario", "no node 5"),
        ({"partitions": ["0|1@1s-999999s"]}, "bad-scenario", "at most"),
        ({"partitions": ["0|1@1s-2s", "0|2@3s-4s"]}, "bad-option", "one --partition"),
        ({"kill": "often"}, "bad-option", "--kill"),
        ({"kill": "0"}, "bad-scenario", "per_s"),
        ({"kill": "101"}, "bad-scenario", "per_s"),
        ({"kill": "0.1,away=3"}, "bad-scenario", "away"),
        ({"slow": "2"}, "bad-scenario", "share"),
        ({"slow": "half"}, "bad-option", "--slow"),
        ({"loss": 0.1, "duration_s": 1e9}, "bad-scenario", "at most"),
        ({"sybils": 3}, "bad-option", "--behaviour"),
        ({"behaviours": ["silent"]}, "bad-option", "--behaviour"),
        ({"sybils": 3, "behaviours": ["kind"]}, "bad-scenario", "behaviours"),
        (
            {"sybils": 3, "behaviours": ["replay,per_beat=0"]},
            "bad-scenario",
            "per_beat",
        ),
        ({"sybils": 3, "behaviours": ["dropper"]}, "bad-scenario", "share"),
        (
            {"sybils": 3, "behaviours": ["silent"], "partitions": ["0|1@1s-2s"]},
            "bad-scenario",
            "not both",
        ),
        ({"file": "no-such-thing"}, "unknown-scenario", "no-such-thing"),
        ({"file": "/etc/passwd"}, "unknown-scenario", "passwd"),
        ({"file": "halves", "nodes": 1}, "bad-scenario", "nodes.count"),
        ({"file": "halves", "nodes": 201}, "bad-scenario", "200"),
        ({"file": "halves", "duration_s": 1e9}, "bad-scenario", "at most"),
        ({"file": "baseline-100"}, "unsupported-setting", "steady.duplicates"),
    ],
)
def test_a_flag_that_means_nothing_is_refused_by_a_code(
    flags: dict[str, Any], code: str, word: str
) -> None:
    with pytest.raises(UsageError) as refused:
        scenario(**flags)

    assert refused.value.code == code
    assert word in refused.value.message


def test_sybils_have_the_simulators_behaviours() -> None:
    found = scenario(nodes=4, sybils=6, behaviours=["silent", "dropper,share=0.5"])

    assert found.sybils is not None
    assert found.sybils.behaviours == (Silent(), Dropper(share=0.5))
    assert found.sybil_count == 6
    assert found.fault == (0, found.load_until_s)


def test_a_behaviour_is_a_name_and_fields() -> None:
    assert flags.behaviour("dropper,share=0.5") == {"name": "dropper", "share": 0.5}


@pytest.mark.parametrize("dotted", sorted(MESH_LACKS))
def test_a_mesh_refuses_by_name_what_only_the_simulator_can_do(dotted: str) -> None:
    table: dict[str, Any] = {}
    for part in reversed(dotted.split(".")):
        table = {part: table or 1}

    with pytest.raises(UsageError) as refused:
        refuse(table, MESH_LACKS, "a mesh of real nodes")

    assert refused.value.code == "unsupported-setting"
    assert refused.value.message.startswith(dotted)


def test_the_simulator_refuses_by_name_what_only_a_mesh_can_do() -> None:
    with pytest.raises(UsageError) as refused:
        load("halves", {"slow.downlink_mbit": 1})

    assert refused.value.code == "unsupported-setting"
    assert "slow.downlink_mbit" in refused.value.message


@pytest.mark.parametrize("dotted", sorted(HOSTS_LACK))
def test_hosts_refuse_by_name_what_only_one_machine_can_do(
    tmp_path: Path, dotted: str
) -> None:
    table, name = dotted.split(".")
    file = tmp_path / "hosts.toml"
    file.write_text(
        f'about = "x"\n[{table}]\n{name} = 0\n'
        + ("at_s = 1\nuntil_s = 2\n" if table == "partition" else ""),
        encoding="utf-8",
    )
    scenario(file=str(file))

    with pytest.raises(UsageError) as refused:
        scenario(file=str(file), hosts=True)

    assert refused.value.code == "unsupported-setting"
    assert refused.value.message.startswith(dotted)


@pytest.mark.parametrize(
    "name", ["halves", "partition-heals", "flood-graft", "degrade-30"]
)
def test_one_file_is_for_both(name: str) -> None:
    assert scenario(file=name) == load(name)


@pytest.mark.parametrize("nodes", ["3", "[1]", '{ count = "many" }', "{ count = 0 }"])
def test_sybils_beside_no_number_of_nodes_are_refused(
    tmp_path: Path, nodes: str
) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(f'about = "odd"\nnodes = {nodes}\n', encoding="utf-8")

    with pytest.raises(UsageError) as refused:
        scenario(file=str(file), sybils=3, behaviours=["silent"])

    assert refused.value.code == "bad-scenario"
    assert "nodes" in refused.value.message


def test_a_table_of_another_shape_is_no_scenario() -> None:
    with pytest.raises(UsageError, match="partition"):
        build({"about": "x", "partition": 3}, "x")
