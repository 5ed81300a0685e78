"""A mesh's Sybils: the process that they live in, and what it is told."""

from __future__ import annotations

from dataclasses import asdict

from moltp2p.testing.mesh import Mesh
from moltp2p.testing.remote import Worker, open_worker
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sybils.den import DenSettings


async def open_den(mesh: Mesh, scenario: Scenario, seed: int) -> Worker:
    """Start a scenario's Sybils; they listen, and end with the mesh.

    Raises:
        LocalError: `member-failed`.
    """
    settings = asdict(await _settings(mesh, scenario, seed))
    # Hosts have one more than there are nodes, for all Sybils.
    prefix = mesh.layout.prefix(len(mesh.members))
    module, name = "moltp2p.testing.sybils.den", "the Sybils' process"
    opening = open_worker(module, settings, prefix, name)
    return await mesh.stack.enter_async_context(opening)


async def _settings(mesh: Mesh, scenario: Scenario, seed: int) -> DenSettings:
    plan = scenario.sybils
    if plan is None:
        return DenSettings(0, mesh.settings[0].network, [], str(seed), [])
    victim = mesh.snapshots[scenario.victim].agent
    targets = range(len(mesh.members))
    if plan.targets == "victim":
        targets = range(scenario.victim, scenario.victim + 1)
    elif plan.targets == "publishers":
        targets = range(scenario.publishers)
    addresses = [await mesh.members[index].addresses() for index in targets]
    return DenSettings(
        count=scenario.sybil_count,
        network=mesh.settings[0].network,
        behaviours=[asdict(each) for each in plan.behaviours],
        seed=f"{seed}/sybils",
        targets=[each[0] for each in addresses if each],
        dials=plan.dials,
        are_listed=plan.are_listed,
        are_greedy=plan.are_greedy,
        victim=victim,
        listen=_listen(mesh),
    )


def _listen(mesh: Mesh) -> str:
    hosts = mesh.layout.hosts
    ip = "127.0.0.1" if hosts is None else hosts.hosts[len(mesh.members)].ip
    return f"/ip4/{ip}/tcp/0"
