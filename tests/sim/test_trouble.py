"""Kills and slow nodes, simulated: who is away, and what that costs."""

from __future__ import annotations

import pytest

from moltp2p.testing.sim.scenario import Load, Nodes
from moltp2p.testing.sim.trouble import Kills, Slow
from moltp2p.testing.sim.world import World
from moltp2p.testing.simulator import simulate
from tests.sim.conftest import plain_scenario


def test_nodes_that_are_killed_come_back_and_deliver_again() -> None:
    scenario = plain_scenario(
        6,
        virtual_s=120,
        churn=Kills(per_s=0.1, away_s=3, from_s=20, until_s=60),
        load=Load(from_s=75, until_s=110, per_s=1),
    )
    world = World(scenario, 1)
    world.run(120)
    ended = [end for node in world.honest for _, end in node.sessions]

    assert len(ended) == pytest.approx(4, abs=3)
    assert all(20 <= end <= 60 for end in ended)
    assert all(node.is_online for node in world.honest)
    assert simulate(scenario).phase("steady").deliveries.share == 1.0


def test_whoever_is_not_up_yet_is_not_killed() -> None:
    nodes = Nodes(count=6, bootstrap=6, dials=6, start_within_s=20)
    churn = Kills(per_s=2, away_s=1, from_s=0, until_s=15)
    world = World(plain_scenario(6, nodes=nodes, churn=churn), 1)
    world.run(60)

    for node in world.honest:
        assert node.is_online
        assert all(0 < start < end for start, end in node.sessions)


def test_only_the_last_nodes_are_slow_and_what_they_say_is_late() -> None:
    fast = plain_scenario(4)
    slow = plain_scenario(4, slow=Slow(share=0.25, uplink_mbit=0.05))
    lines = [node.uplink_mbit for node in World(slow, 1).honest]

    assert lines == [None, None, None, 0.05]
    late = simulate(slow).phase("steady").deliveries
    assert late.share == 1.0
    assert late.max_s > simulate(fast).phase("steady").deliveries.max_s + 0.1
