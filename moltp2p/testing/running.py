"""A mesh at work: loaded as planned, broken as planned, and measured.

What counts is what is in each node's *store* at the end, not what was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

import psutil
import trio

from moltp2p.core.errors import LocalError
from moltp2p.testing.faults.injector import Injector
from moltp2p.testing.findings import Outcome
from moltp2p.testing.hosts.namespaces import open_hosts
from moltp2p.testing.layout import Layout
from moltp2p.testing.load import Load
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.opening import open_layout
from moltp2p.testing.plan import Faced, Plan, Posted, Report

TICK_S: Final = 0.5
"""How often the members are looked at."""

DRAIN_TICK_S: Final = 0.1
"""The same while waiting for the last post, so that `wall_s` is about exact."""

SETTLE_S: Final = 120.0
"""How long nodes may take to find each other before posting begins all the same."""

PROVE_S: Final = 240.0
"""How long all agents together may take to prove to be such."""

QUIET_S: Final = 15.0
"""With nothing new in any store for so long, what is missing is called lost."""

HEAL_S: Final = 90.0
"""The same after faults: a peer lost for long is dialled again a minute later."""

SYNC_INTERVAL_S: Final = 10
"""Between comparisons with peers where there are faults; nodes have 60 by default."""

OnLook = Callable[[Mesh], None]


@asynccontextmanager
async def open_planned(plan: Plan) -> AsyncIterator[Mesh]:
    """Run the mesh that a plan needs, for the length of the block.

    Args:
        plan: what it is to do.

    Raises:
        LocalError: `no-hosts`, `member-failed`, or as `open_node`.
    """
    async with AsyncExitStack() as stack:
        layout = _layout(plan)
        if plan.hosts:
            extra = 1 if plan.scenario and plan.scenario.sybils else 0
            hosts = await stack.enter_async_context(open_hosts(plan.nodes + extra))
            layout = replace(layout, hosts=hosts)
        yield await stack.enter_async_context(open_layout(layout))


def _layout(plan: Plan) -> Layout:
    """Return how the mesh that a plan needs is made."""
    scenario = plan.scenario
    if scenario is None:
        return Layout(plan.nodes, processes=plan.processes, proof=plan.proof)
    nodes = scenario.nodes
    return Layout(
        plan.nodes,
        processes=plan.processes or scenario.churn is not None,
        proof=plan.proof,
        has_faults=True,
        bootstrap=max(1, min(nodes.bootstrap, plan.nodes)),
        hidden=round(plan.nodes * nodes.nat_share),
        target_peers=min(nodes.dials, 128),
        sync_interval=SYNC_INTERVAL_S,
    )


async def run_plan(mesh: Mesh, plan: Plan, on_look: OnLook = lambda _: None) -> Report:
    """Let the agents post as planned, and befall them what is planned.

    Args:
        mesh: a mesh of as many nodes as planned, with faults if there are to be any.
        plan: what to do.
        on_look: called after each look at the members, twice a second.

    Returns:
        What came of it.

    Raises:
        LocalError: `not-proved`, `member-failed`.
    """
    await _settle(mesh, on_look)
    connect_s = trio.current_time() - mesh.opened_at
    prove_s = await _prove(mesh, on_look) if plan.proof else None
    mesh.before = mesh.known
    injector = None
    if plan.scenario is not None:
        injector = Injector(mesh, plan.scenario, plan.seed)
        on_look = _then(injector.recovery.look, on_look)
        await injector.begin()
    processes = _processes(mesh)
    cpu_s = _cpu_s(processes)
    began = trio.current_time()
    load = Load(mesh, plan, began)
    await _work(mesh, load, injector, on_look)
    quiet_s = QUIET_S if injector is None else HEAL_S
    settled = await _drain(mesh, load.posted, quiet_s, on_look)
    if injector is not None:
        await _recover(mesh, injector, on_look)
        await injector.end()
    cpu_s = _cpu_s(_processes(mesh)) - (cpu_s if processes == _processes(mesh) else 0)
    mesh.phase = "done"
    arrivals = [await member.arrivals() for member in mesh.members]
    faced = None
    if injector is not None:
        faced = await _faced(mesh, plan, injector, load, arrivals)
    on_look(mesh)
    ids = load.posted
    return Report(
        nodes=len(mesh.members),
        posts=len(ids),
        expected=len(ids) * len(mesh.members),
        delivered=sum(len(ids.keys() & ages.keys()) for ages in arrivals),
        latency_ms=_latency_ms(ids, arrivals),
        connect_s=connect_s,
        wall_s=settled - began,
        cpu_s=cpu_s,
        rss_mb=sum(each.memory_info().rss for each in _processes(mesh)) / 1e6,
        dropped=sum(snapshot.dropped for snapshot in mesh.snapshots),
        prove_s=prove_s,
        verified=sum(each.proof == "proved" for each in mesh.snapshots),
        faced=faced,
        hosts=len(mesh.members) if plan.hosts else 0,
    )


async def _faced(
    mesh: Mesh,
    plan: Plan,
    injector: Injector,
    load: Load,
    arrivals: Sequence[Mapping[str, int]],
) -> Faced:
    """Return what the mesh had to bear, and what held."""
    agents = [each.agent for each in mesh.snapshots]
    outcome = Outcome(
        scenario=injector.scenario,
        injected=injector.injected,
        sides=injector.sides,
        posted=load.posted,
        arrivals=arrivals,
        audits=[await member.audit(agents) for member in mesh.members],
        fingerprints=[each.fingerprint for each in mesh.snapshots],
        healthy_after=injector.recovery.heartbeats,
    )
    return Faced(
        seed=plan.seed,
        injected=tuple(injector.injected),
        counts=dict(injector.counts) | {"rejected": outcome.rejected},
        skipped=load.skipped,
        phases=outcome.phases(),
        healed_s=outcome.healed_s(),
        healthy_after=outcome.healthy_after,
        findings=outcome.findings(),
    )


async def _settle(mesh: Mesh, on_look: OnLook) -> None:
    """Wait until everybody has peers, and a mesh for every topic."""
    enough = min(len(mesh.members) - 1, 3)
    with trio.move_on_after(SETTLE_S):
        while True:
            await mesh.look()
            on_look(mesh)
            if all(each.mesh >= enough for each in mesh.snapshots):
                return
            await trio.sleep(TICK_S)


async def _prove(mesh: Mesh, on_look: OnLook) -> float:
    """Wait until every agent has proved to be one, and every node knows it.

    Returns:
        How long that took, seconds.

    Raises:
        LocalError: `not-proved` when it takes too long.
    """
    began = trio.current_time()
    mesh.phase = "proving"
    with trio.move_on_after(PROVE_S):
        while True:
            await mesh.look()
            on_look(mesh)
            if await mesh.are_proved():
                return trio.current_time() - began
            await trio.sleep(TICK_S)
    proved = sum(each.proof == "proved" for each in mesh.snapshots)
    raise LocalError(
        "not-proved",
        f"{proved} of {len(mesh.members)} agents proved to be such in {PROVE_S:g} s",
        "with fewer nodes, or a machine that does less beside, it takes less",
    )


async def _work(
    mesh: Mesh, load: Load, injector: Injector | None, on_look: OnLook
) -> None:
    """Post everything, while everything befalls the mesh that shall."""
    mesh.phase = "posting"
    async with trio.open_nursery() as watching:
        watching.start_soon(_watch, mesh, on_look)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.post)
            if injector is not None:
                nursery.start_soon(injector.run)
        watching.cancel_scope.cancel()
    mesh.phase = "settling"


async def _watch(mesh: Mesh, on_look: OnLook) -> None:
    while True:
        await mesh.look()
        on_look(mesh)
        await trio.sleep(TICK_S)


async def _drain(
    mesh: Mesh, posted: Mapping[str, Posted], quiet_s: float, on_look: OnLook
) -> float:
    """Wait until every store has everything, or nothing new comes.

    Returns:
        `trio.current_time()` when the last new record was seen.
    """
    held, last_new = -1, trio.current_time()
    while trio.current_time() - last_new < quiet_s:
        await mesh.look()
        on_look(mesh)
        counts = [snapshot.records for snapshot in mesh.snapshots]
        if sum(counts) > held:
            held, last_new = sum(counts), trio.current_time()
        elif min(counts) > len(posted) and await _have_all(mesh, posted):
            break
        await trio.sleep(DRAIN_TICK_S)
    return last_new


async def _recover(mesh: Mesh, injector: Injector, on_look: OnLook) -> None:
    """Wait for as long as meshes may take to be whole again, if that is checked."""
    within = injector.scenario.check.healthy_within
    while within is not None and injector.recovery.is_due(within):
        await mesh.look()
        on_look(mesh)
        await trio.sleep(DRAIN_TICK_S)


def _then(first: Callable[[], None], second: OnLook) -> OnLook:
    def both(mesh: Mesh) -> None:
        first()
        second(mesh)

    return both


async def _have_all(mesh: Mesh, posted: Mapping[str, Posted]) -> bool:
    if len({each.fingerprint for each in mesh.snapshots}) > 1:
        return False
    for member in mesh.members:
        if not posted.keys() <= (await member.arrivals()).keys():
            return False
    return True


def _processes(mesh: Mesh) -> list[psutil.Process]:
    return list({member.process() for member in mesh.members})


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time that the processes have used, in seconds."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


def _latency_ms(
    posted: Mapping[str, Posted], arrivals: Sequence[Mapping[str, int]]
) -> dict[str, float]:
    """Return p50, p99 and the largest delay, the authors' own stores left out."""
    delays = sorted(
        ages[record]
        for index, ages in enumerate(arrivals)
        for record in posted.keys() & ages.keys()
        if posted[record].author != index
    )
    if not delays:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    last = len(delays) - 1
    return {
        "p50": float(delays[round(last * 0.5)]),
        "p99": float(delays[round(last * 0.99)]),
        "max": float(delays[last]),
    }
