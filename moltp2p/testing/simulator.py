"""Runs the protocol's own machines in virtual time, and reports how they did.

    scenario ──► World ──► (events in order of virtual time) ──► Report
                  │ each node: moltp2p.proto.gossip.Gossip, as in a real node
                  │ between them: latency, bandwidth, loss, partitions
                  └ among them: Sybils

What a real node's driver does, `sim.party` does here: it carries the router's
actions out and tells it what happened. There is no socket, no disk and no clock;
the seed decides everything, so a run can be repeated to the byte.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from moltp2p.testing.sim.report import Report, make_report
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sim.world import World

STEP_S = 1.0
"""How often progress is told, in virtual seconds."""


def simulate(
    scenario: Scenario,
    seed: int | None = None,
    on_progress: Callable[[float], object] = lambda _: None,
) -> Report:
    """Run a scenario to its end.

    Args:
        scenario: what is to happen.
        seed: of all chance; by default the scenario's own.
        on_progress: told the virtual time now and then.
    """
    seed = scenario.seed if seed is None else seed
    with _without_collector():
        world = World(scenario, seed)
        now = 0.0
        while now < scenario.virtual_s:
            now = min(now + STEP_S, scenario.virtual_s)
            world.run(now)
            on_progress(now)
        return make_report(world, seed)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Search for no cycles: a million live objects make that a third of the time.

    Routers and nodes make none that grow while they run.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
