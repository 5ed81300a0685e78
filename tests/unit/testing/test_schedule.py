"""The schedule of faults: from a scenario and a seed, and from nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.testing.faults.schedule import (
    Healed,
    Killed,
    Parted,
    Restarted,
    deaths,
    dice,
    orders,
    schedule,
)
from moltp2p.testing.sim.latency import Constant, Uniform
from moltp2p.testing.sim.scenario import Load, Network, Nodes, Scenario
from moltp2p.testing.sim.trouble import (
    Churn,
    Diurnal,
    Kills,
    Partition,
    Sessions,
    Slow,
    plan_kills,
)

PEERS = [PeerId(f"peer-{n}") for n in range(6)]
QUIET = Scenario(
    about="a test",
    virtual_s=110,
    nodes=Nodes(count=6),
    network=Network(latency=Constant(ms=0), jitter=0, uplink_mbit=0),
    load=Load(from_s=0, until_s=100),
)
CHURNS: list[Churn] = [
    Kills(per_s=0.5, away_s=3, from_s=5),
    Sessions(share=0.5, online_s=15, away_s=5),
    Diurnal(share=0.8, day_s=30),
]


def test_a_partition_begins_and_heals() -> None:
    partition = Partition(at_s=10, until_s=40, groups=("0-2", "4"))
    scenario = replace(QUIET, partition=partition)

    assert schedule(scenario, 1) == (
        Parted(10, (0, 0, 0, 0, 1, 0)),
        Healed(40),
    )


def test_a_share_parts_the_same_nodes_as_in_the_simulator() -> None:
    partition = Partition(at_s=10, until_s=40, share=0.5)

    sides = partition.sides(6, dice(7, "partition"))

    assert schedule(replace(QUIET, partition=partition), 7)[0] == Parted(
        10, tuple(sides)
    )
    assert sorted(sides) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("churn", CHURNS, ids=lambda churn: churn.model)
def test_a_seed_repeats_the_schedule_and_another_does_not(churn: Churn) -> None:
    scenario = replace(QUIET, churn=churn)
    once = schedule(scenario, 3)

    assert once == schedule(scenario, 3)
    assert once != schedule(scenario, 4)
    assert len(once) > 4


@pytest.mark.parametrize("churn", CHURNS, ids=lambda churn: churn.model)
@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_killed_is_up_and_comes_back_before_the_load_ends(
    churn: Churn, seed: int
) -> None:
    up = dict.fromkeys(range(6), True)
    for moment in schedule(replace(QUIET, churn=churn), seed):
        match moment:
            case Killed(at_s, node):
                assert up[node]
                assert at_s >= churn.from_s
                up[node] = False
            case Restarted(at_s, node):
                assert not up[node]
                assert at_s <= 100
                up[node] = True
            case _:
                pytest.fail(f"{moment} was not planned")

    assert all(up.values())


def test_kills_leave_somebody_alive() -> None:
    kills = Kills(per_s=10, away_s=50, from_s=0)
    planned = plan_kills(kills, 3, 100, dice(1, "churn"))

    for kill in planned:
        away = [k for k in planned if k.at_s <= kill.at_s < k.back_s]
        assert len(away) <= 2


def test_kills_come_as_often_as_was_said() -> None:
    kills = Kills(per_s=0.2, away_s=0.001, from_s=0)

    planned = plan_kills(kills, 50, 10_000, dice(1, "churn"))

    assert len(planned) == pytest.approx(2_000, rel=0.1)


def test_publishers_that_were_named_are_spared() -> None:
    load = Load(from_s=0, until_s=100, publishers=4)
    scenario = replace(QUIET, churn=Kills(per_s=1, from_s=0), load=load)

    assert {kill.node for kill in deaths(scenario, 1)} == {4, 5}


def test_two_nodes_are_as_far_from_each_other_both_ways() -> None:
    network = Network(latency=Uniform(from_ms=10, to_ms=90), jitter=0.2)
    found = orders(replace(QUIET, network=network), 5, PEERS)

    for here, orders_here in enumerate(found):
        assert orders_here.jitter == 0.2
        for there, orders_there in enumerate(found):
            if here != there:
                way_s = orders_here.latency_s[PEERS[there]]
                assert way_s == orders_there.latency_s[PEERS[here]]
                assert 0.01 <= way_s <= 0.09
    assert len({w for each in found for w in each.latency_s.values()}) == 15


def test_the_last_nodes_are_slow() -> None:
    scenario = replace(QUIET, slow=Slow(share=0.34, uplink_mbit=2, downlink_mbit=3))

    lines = [(o.uplink_mbit, o.downlink_mbit) for o in orders(scenario, 1, PEERS)]

    assert lines == [(0, 0)] * 4 + [(2, 3)] * 2


def test_orders_can_be_told_to_another_process() -> None:
    network = Network(latency=Constant(ms=50), loss=0.25)
    told: Any = [asdict(o) for o in orders(replace(QUIET, network=network), 5, PEERS)]

    assert json.loads(json.dumps(told)) == told
    assert told[0]["latency_s"] == dict.fromkeys(PEERS[1:], 0.05)
    assert len({each["seed"] for each in told}) == 6
