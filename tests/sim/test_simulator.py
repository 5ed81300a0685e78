from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moltp2p.testing.sim.behaviours import Dropper
from moltp2p.testing.sim.fields import report_fields
from moltp2p.testing.sim.latency import Constant
from moltp2p.testing.sim.scenario import (
    Load,
    Network,
    Nodes,
    Scenario,
)
from moltp2p.testing.sim.trouble import Diurnal, Sessions
from moltp2p.testing.sim.world import World
from moltp2p.testing.simulator import simulate
from tests.sim.conftest import plain_scenario, small_attack

BIN = Path(sys.executable).with_name("moltp2p")


def as_json(scenario: Scenario, seed: int) -> str:
    return json.dumps(report_fields(simulate(scenario, seed)))


@pytest.mark.slow
def test_a_seed_replays_exactly_and_another_does_not() -> None:
    scenario = small_attack(Dropper(share=0.5))
    once = as_json(scenario, 7)

    assert as_json(scenario, 7) == once
    assert as_json(scenario, 8) != once


@pytest.mark.slow
def test_a_seed_replays_in_another_process_with_other_hashes() -> None:
    answers = [
        subprocess.run(
            [BIN, "sim", "covert-flash-4to1", "--nodes=8", "--json"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=False,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert answers[0] == answers[1]
    assert json.loads(answers[0])["seed"] == 1


def test_progress_is_told_in_virtual_time() -> None:
    told: list[float] = []
    load = Load(from_s=1, until_s=2)
    simulate(plain_scenario(2, virtual_s=2.5, load=load), 1, told.append)

    assert told == [1.0, 2.0, 2.5]


def test_nodes_come_and_go_in_sessions() -> None:
    churn = Sessions(share=0.5, online_s=5, away_s=5, from_s=5, until_s=20)
    world = World(plain_scenario(10, churn=churn), 1)
    counts = []
    for now in range(1, 30):
        world.run(now)
        counts.append(sum(node.is_online for node in world.honest))

    assert counts[3] == 10
    assert 5 <= min(counts) < 10
    assert counts[-1] == 10
    assert sum(bool(node.sessions) for node in world.honest) == 5


def test_nodes_sleep_their_share_of_every_day() -> None:
    churn = Diurnal(share=1.0, day_s=40, awake_share=0.75, from_s=0)
    nodes = Nodes(count=20, bootstrap=2, dials=4, start_within_s=0)
    scenario = plain_scenario(20, virtual_s=130, churn=churn, nodes=nodes)
    world = World(scenario, 1)
    online = [0.0] * 20
    for now in range(40, 120):
        world.run(now)
        for node in world.honest:
            online[node.index] += node.is_online / 80

    assert online == pytest.approx([0.75] * 20, abs=0.03)


@pytest.mark.slow
def test_a_full_uplink_drops_messages_and_gossip_brings_them() -> None:
    # 64 KiB to each of nine peers, where eleven such fit into a second.
    narrow = Network(latency=Constant(ms=100), uplink_mbit=6)
    load = Load(from_s=10, until_s=16, per_s=5, size_bytes=65_536)
    report = simulate(plain_scenario(10, virtual_s=120, network=narrow, load=load))
    phase = report.phase("steady")

    assert phase.traffic.overflowed > 0
    assert phase.deliveries.share == 1.0
    assert report.safety.is_kept


@pytest.mark.slow
def test_loss_is_made_good_by_gossip() -> None:
    lossy = Network(latency=Constant(ms=100), loss=0.2)
    nodes = Nodes(count=30, bootstrap=3, dials=8, start_within_s=1)
    scenario = plain_scenario(30, virtual_s=60, nodes=nodes, network=lossy)
    report = simulate(scenario)
    phase = report.phase("steady")

    assert phase.traffic.lost > 100
    assert phase.deliveries.share == 1.0
    assert report.safety.is_kept
