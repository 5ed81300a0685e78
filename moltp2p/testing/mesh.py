"""A mesh of real nodes on this machine: opened, loaded, and measured.

What counts is what is in each node's *store* at the end, not what was sent.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import trio

from moltp2p.core.errors import LocalError
from moltp2p.testing.members import (
    Heard,
    Member,
    Snapshot,
    Text,
    member_config,
    open_local_member,
    open_remote_member,
)

TICK_S: Final = 0.5
"""How often the members are looked at."""

HEARD_POSTS: Final = 5
"""How many posts are shown while they come."""

DRAIN_TICK_S: Final = 0.1
"""The same while waiting for the last post, so that `wall_s` is about exact."""

SETTLE_S: Final = 120.0
"""How long nodes may take to find each other before posting begins all the same."""

PROVE_S: Final = 240.0
"""How long all agents together may take to prove to be such."""

QUIET_S: Final = 15.0
"""With nothing new in any store for so long, what is missing is called lost."""

BURST_POSTS: Final = 64
"""Posts an agent hands to its node at once, in a burst."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a mesh is to do.

    Attributes:
        nodes: how many.
        posts: how many posts in all.
        rate: posts a second over all agents; None posts as fast as it goes.
        duration_s: stop posting after so long; None posts all.
        texts: what is posted, over and over.
        seed: which agent posts what.
        processes: whether each node has a process of its own.
        proof: whether the agents prove to be agents before they post; in a mesh an
            oracle does that for them.
    """

    nodes: int
    posts: int
    texts: Sequence[Text]
    rate: float | None = None
    duration_s: float | None = None
    seed: int = 0
    processes: bool = False
    proof: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Attributes:
        nodes: how many.
        posts: how many posts were made.
        expected: posts times nodes.
        delivered: posts found in the nodes' stores, over all nodes.
        latency_ms: from the author's clock to each other node's store.
        connect_s: from the start of the first node until all had found peers.
        prove_s: from then until every agent had proved to be one, to every node; None
            when none had to.
        verified: agents that had, in the end.
        wall_s: from the first post until the last was stored.
        cpu_s: processor time of all nodes in that time.
        rss_mb: memory of all nodes at the end, 10^6 bytes.
        dropped: records that gossip dropped, over all nodes.
    """

    nodes: int
    posts: int
    expected: int
    delivered: int
    latency_ms: Mapping[str, float]
    connect_s: float
    wall_s: float
    cpu_s: float
    rss_mb: float
    dropped: int
    prove_s: float | None = None
    verified: int = 0

    @property
    def delivery_ratio(self) -> float:
        """Return delivered over expected; 1 when nothing was expected."""
        return self.delivered / self.expected if self.expected else 1.0


@dataclass(slots=True)
class Mesh:
    """A running mesh.

    Attributes:
        members: its nodes; the first is the others' bootstrap peer.
        opened_at: `trio.current_time()` before the first was started.
        snapshots: how each was when it was last looked at.
        authored: how many posts each has written.
        heard: the newest posts in the last member's store, newest first.
        phase: what is going on, in a word: connecting, proving, posting, settling,
            done.
    """

    members: list[Member]
    opened_at: float
    snapshots: list[Snapshot] = field(default_factory=list)
    authored: list[int] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    phase: str = "connecting"

    async def look(self) -> None:
        """Take a snapshot of each member."""
        self.snapshots = [await member.snapshot() for member in self.members]
        self.heard = await self.members[-1].newest(HEARD_POSTS)


@asynccontextmanager
async def open_mesh(
    nodes: int,
    *,
    network: str = "test-mesh",
    processes: bool = False,
    proof: bool = False,
) -> AsyncIterator[Mesh]:
    """Run `nodes` real nodes on loopback for the length of the block.

    Each has a home in a temporary folder, an agent, and a free port; all but
    the first know the first's address, and find the rest by themselves.

    Raises:
        LocalError: `member-failed`, or as `open_node`.
    """
    opened_at = trio.current_time()
    open_member = open_remote_member if processes else open_local_member
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="moltp2p-"))
        mesh = Mesh([], opened_at, authored=[0] * nodes)
        bootstrap: Sequence[str] = ()
        for index in range(nodes):
            home = Path(folder) / f"node-{index}"
            config = member_config(home, network, bootstrap, proof=proof)
            mesh.members.append(await stack.enter_async_context(open_member(config)))
            bootstrap = bootstrap or await mesh.members[0].addresses()
        yield mesh


async def run_plan(
    mesh: Mesh, plan: Plan, on_look: Callable[[Mesh], None] = lambda _: None
) -> Report:
    """Let the agents post as planned; return what came of it.

    Args:
        mesh: a mesh of as many nodes as planned.
        plan: what to do.
        on_look: called after each look at the members, twice a second.
    """
    await _settle(mesh, on_look)
    connect_s = trio.current_time() - mesh.opened_at
    prove_s = await _prove(mesh, on_look) if plan.proof else None
    processes = list({member.process() for member in mesh.members})
    cpu_s = _cpu_s(processes)
    began = trio.current_time()
    mesh.phase = "posting"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, mesh, on_look)
        ids = await _post(mesh, plan)
        nursery.cancel_scope.cancel()
    mesh.phase = "settling"
    last_new = await _drain(mesh, ids, on_look)
    cpu_s = _cpu_s(processes) - cpu_s
    mesh.phase = "done"
    arrivals = [await member.arrivals() for member in mesh.members]
    on_look(mesh)
    return Report(
        nodes=len(mesh.members),
        posts=len(ids),
        expected=len(ids) * len(mesh.members),
        delivered=sum(len(ids.keys() & ages.keys()) for ages in arrivals),
        latency_ms=_latency_ms(ids, arrivals),
        connect_s=connect_s,
        wall_s=last_new - began,
        cpu_s=cpu_s,
        rss_mb=sum(process.memory_info().rss for process in processes) / 1e6,
        dropped=sum(snapshot.dropped for snapshot in mesh.snapshots),
        prove_s=prove_s,
        verified=sum(each.proof == "proved" for each in mesh.snapshots),
    )


async def _settle(mesh: Mesh, on_look: Callable[[Mesh], None]) -> None:
    """Wait until everybody has peers, and a mesh for every topic."""
    enough = min(len(mesh.members) - 1, 3)
    with trio.move_on_after(SETTLE_S):
        while True:
            await mesh.look()
            on_look(mesh)
            if all(each.mesh >= enough for each in mesh.snapshots):
                return
            await trio.sleep(TICK_S)


async def _prove(mesh: Mesh, on_look: Callable[[Mesh], None]) -> float:
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
            if await _all_count(mesh):
                return trio.current_time() - began
            await trio.sleep(TICK_S)
    proved = sum(each.proof == "proved" for each in mesh.snapshots)
    raise LocalError(
        "not-proved",
        f"{proved} of {len(mesh.members)} agents proved to be such in {PROVE_S:g} s",
        "with fewer nodes, or a machine that does less beside, it takes less",
    )


async def _all_count(mesh: Mesh) -> bool:
    """Tell whether each node would take what each agent says."""
    if any(each.proof != "proved" for each in mesh.snapshots):
        return False
    agents = [each.agent for each in mesh.snapshots]
    for member in mesh.members:
        if not await member.admits(agents):
            return False
    return True


async def _watch(mesh: Mesh, on_look: Callable[[Mesh], None]) -> None:
    while True:
        await mesh.look()
        on_look(mesh)
        await trio.sleep(TICK_S)


async def _post(mesh: Mesh, plan: Plan) -> dict[str, int]:
    """Post as planned; return each record's id with its author's index."""
    dice = random.Random(plan.seed)  # noqa: S311 - which agent posts is no secret
    authors = [dice.randrange(len(mesh.members)) for _ in range(plan.posts)]
    texts = [plan.texts[index % len(plan.texts)] for index in range(plan.posts)]
    posted: dict[str, int] = {}
    with trio.move_on_after(plan.duration_s or math.inf):
        async with trio.open_nursery() as nursery:
            for index in range(len(mesh.members)):
                mine = [
                    (number, text)
                    for number, (author, text) in enumerate(
                        zip(authors, texts, strict=True)
                    )
                    if author == index
                ]
                nursery.start_soon(_post_as, mesh, index, mine, plan.rate, posted)
    return posted


async def _post_as(
    mesh: Mesh,
    index: int,
    mine: Sequence[tuple[int, Text]],
    rate: float | None,
    posted: dict[str, int],
) -> None:
    """Post one agent's share: in handfuls, or each at its moment."""
    began = trio.current_time()
    size = BURST_POSTS if rate is None else 1
    for start in range(0, len(mine), size):
        some = mine[start : start + size]
        if rate is not None:
            await trio.sleep_until(began + some[0][0] / rate)
        ids = await mesh.members[index].publish([text for _, text in some])
        posted.update(dict.fromkeys(ids, index))
        mesh.authored[index] += len(ids)


async def _drain(
    mesh: Mesh, ids: Mapping[str, int], on_look: Callable[[Mesh], None]
) -> float:
    """Wait until every store has everything, or nothing new comes.

    Returns:
        `trio.current_time()` when the last new record was seen.
    """
    held, last_new = -1, trio.current_time()
    while trio.current_time() - last_new < QUIET_S:
        await mesh.look()
        on_look(mesh)
        counts = [snapshot.records for snapshot in mesh.snapshots]
        if sum(counts) > held:
            held, last_new = sum(counts), trio.current_time()
        elif min(counts) > len(ids) and await _have_all(mesh, ids):
            break
        await trio.sleep(DRAIN_TICK_S)
    return last_new


async def _have_all(mesh: Mesh, ids: Mapping[str, int]) -> bool:
    for member in mesh.members:
        if not ids.keys() <= (await member.arrivals()).keys():
            return False
    return True


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time that the processes have used, in seconds."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


def _latency_ms(
    ids: Mapping[str, int], arrivals: Sequence[Mapping[str, int]]
) -> dict[str, float]:
    """Return p50, p99 and the largest delay, the authors' own stores left out."""
    delays = sorted(
        ages[record]
        for index, ages in enumerate(arrivals)
        for record in ids.keys() & ages.keys()
        if ids[record] != index
    )
    if not delays:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    last = len(delays) - 1
    return {
        "p50": float(delays[round(last * 0.5)]),
        "p99": float(delays[round(last * 0.99)]),
        "max": float(delays[last]),
    }
