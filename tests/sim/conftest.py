"""Networks so small that every figure can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moltp2p.testing.sim.latency import Constant
from moltp2p.testing.sim.scenario import Judge, Load, Network, Nodes, Scenario, Sybils

DELAY_S = 0.1
"""Of every link, one way."""

PLAIN = Network(latency=Constant(ms=100), jitter=0, uplink_mbit=0)
AT_ONCE = Judge(delay_ms=0, cost_ms=0)


def plain_scenario(count: int, /, **changes: Any) -> Scenario:
    """Return a network of bootstrap peers, each connected to each.

    Messages travel 100 ms, and are judged at once.
    """
    scenario = Scenario(
        about="a test",
        virtual_s=30,
        nodes=Nodes(count=count, bootstrap=count, dials=count, start_within_s=1),
        network=PLAIN,
        judge=AT_ONCE,
        load=Load(from_s=10, until_s=20, per_s=1),
    )
    return replace(scenario, **changes)


def small_attack(behaviour: Any, /, **changes: Any) -> Scenario:
    """Return twelve nodes under attack by 24 Sybils, from 20 s until 40 s."""
    sybils = Sybils(
        per_honest=2, behaviours=(behaviour,), attack_s=20, until_s=40, dials=8
    )
    return Scenario(
        about="a test",
        virtual_s=60,
        nodes=Nodes(count=12, dials=6, start_within_s=2),
        load=Load(from_s=8, until_s=52, per_s=1),
        sybils=replace(sybils, **changes),
    )
