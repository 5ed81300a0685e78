"""A mesh of real nodes on this machine: opened, looked at, and broken."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import trio

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.net.base import Network
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.node.config import Config
from moltp2p.node.node import Node
from moltp2p.node.world import World, real_world
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.layout import Layout, member_settings, same_place
from moltp2p.testing.members import (
    Heard,
    LocalMember,
    Member,
    MemberSettings,
    Snapshot,
    open_local_member,
)
from moltp2p.testing.remote import RemoteMember, open_remote_member

HEARD_POSTS: Final = 5
"""How many posts are shown while they come."""

LOOK_S: Final = 0.1
"""How often `Mesh.alike` looks."""


@dataclass(slots=True)
class Mesh:
    """A running mesh.

    Attributes:
        members: its nodes; the first is the others' bootstrap peer.
        settings: how each runs; restarted, it listens where it did.
        opened_at: `trio.current_time()` before the first was started.
        stack: closes them.
        layout: how the mesh was made.
        is_up: which of them run.
        snapshots: how each was when it was last looked at.
        authored: how many posts each has written.
        before: how many records the fullest store held when posting began.
        heard: the newest posts in the last running member's store, newest first.
        phase: what is going on, in a word: connecting, proving, posting, settling,
            done.
        news: the newest fault, in a few words.
    """

    members: list[Member]
    settings: list[MemberSettings]
    opened_at: float
    stack: AsyncExitStack
    layout: Layout
    is_up: list[bool] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    authored: list[int] = field(default_factory=list)
    before: int = 0
    heard: list[Heard] = field(default_factory=list)
    phase: str = "connecting"
    news: str = ""

    @property
    def nodes(self) -> list[Node]:
        """Return the nodes themselves.

        Raises:
            UsageError: `no-node` when they run in processes of their own.
        """
        found = [each.node for each in self.members if isinstance(each, LocalMember)]
        if len(found) < len(self.members):
            raise UsageError("no-node", "these nodes run in processes of their own")
        return found

    @property
    def known(self) -> int:
        """Return how many records there are at least, though no node had them all."""
        held = (each.records for each in self.snapshots)
        return max(self.before + sum(self.authored), *held, 0)

    async def look(self) -> None:
        """Take a snapshot of each member that runs; of others the last one stays."""
        found = []
        for index, member in enumerate(self.members):
            snapshot = await self._snapshot(index, member)
            if snapshot is None:
                last = self.snapshots[index : index + 1]
                gone = last[0] if last else Snapshot("", 0, 0, 0, 0)
                snapshot = replace(gone, peers=0, mesh=0)
            found.append(snapshot)
        self.snapshots = found
        newest = [n for n, is_up in enumerate(self.is_up) if is_up][-1:]
        for index in newest:
            self.heard = await self._newest(index)

    async def _snapshot(self, index: int, member: Member) -> Snapshot | None:
        try:
            return await member.snapshot() if self.is_up[index] else None
        except LocalError:
            if self.is_up[index]:
                raise
            return None  # killed meanwhile

    async def _newest(self, index: int) -> list[Heard]:
        try:
            return await self.members[index].newest(HEARD_POSTS)
        except LocalError:
            if self.is_up[index]:
                raise
            return self.heard

    async def face(self, orders: Orders) -> None:
        """Let every node bear these faults from now on: latency, loss, thin lines.

        Raises:
            UsageError: `no-faults` when the mesh was opened without faults.
        """
        for member in self.members:
            await member.face(orders)

    async def part(self, *groups: Sequence[int]) -> None:
        """Let each group of nodes reach only its own; who is in none is of the first.

        Connections across break after `Orders.notice_s`.

        Args:
            groups: nodes by index.

        Raises:
            UsageError: `no-faults` when the mesh was opened without faults.
        """
        peers = [await member.peer() for member in self.members]
        sides = [0] * len(peers)
        for side, group in enumerate(groups):
            for node in group:
                sides[node] = side
        for member, mine in zip(self.members, sides, strict=True):
            away = zip(peers, sides, strict=True)
            await member.cut([peer for peer, side in away if side != mine])

    async def heal(self) -> None:
        """Let all nodes reach each other again."""
        await self.part()

    async def kill(self, index: int) -> None:
        """Kill a node's process, by SIGKILL.

        Raises:
            UsageError: `no-process` when it runs in this one.
        """
        member = self.members[index]
        if not isinstance(member, RemoteMember):
            raise UsageError(
                "no-process", "only a node in its own process can be killed"
            )
        self.is_up[index] = False
        await member.worker.kill()

    async def restart(self, index: int) -> None:
        """Start a node that was killed again: same keys, same store, same address.

        Raises:
            LocalError: `member-failed`.
        """
        prefix = self.layout.prefix(index)
        opening = open_remote_member(self.settings[index], prefix)
        self.members[index] = await self.stack.enter_async_context(opening)
        self.is_up[index] = True

    async def alike(self, within_s: float) -> float:
        """Wait until every node holds the same records; return how long that took.

        Args:
            within_s: seconds.

        Raises:
            LocalError: `not-alike`, saying what each holds.
        """
        began = trio.current_time()
        while True:
            await self.look()
            if len({each.fingerprint for each in self.snapshots}) == 1:
                return trio.current_time() - began
            if trio.current_time() - began > within_s:
                held = ", ".join(str(each.records) for each in self.snapshots)
                raise LocalError("not-alike", f"after {within_s:g} s they hold {held}")
            await trio.sleep(LOOK_S)

    async def connected(self, within_s: float) -> float:
        """Wait until every node gossips with as many others as it should.

        That is three, or all where there are fewer, in each of its topics.

        Returns:
            How long that took, seconds.

        Raises:
            LocalError: `not-meshed`, saying with how many each does.
        """
        began = trio.current_time()
        enough = min(len(self.members) - 1, 3)
        while True:
            await self.look()
            if all(each.mesh >= enough for each in self.snapshots):
                return trio.current_time() - began
            if trio.current_time() - began > within_s:
                meshes = ", ".join(str(each.mesh) for each in self.snapshots)
                raise LocalError("not-meshed", f"after {within_s:g} s: {meshes}")
            await trio.sleep(LOOK_S)


@asynccontextmanager
async def open_mesh(
    nodes: int,
    *,
    network: str = "test-mesh",
    processes: bool = False,
    proof: bool = False,
    memory: bool = False,
    faults: bool = False,
) -> AsyncIterator[Mesh]:
    """Run `nodes` real nodes on loopback for the length of the block.

    Each has a home in a temporary folder, an agent, and a free port; all but
    the first know the first's address, and find the rest by themselves.

    Args:
        nodes: how many.
        network: the network's name; begins with `test-` where agents prove.
        processes: whether each has a process of its own, so that it can be killed.
        proof: whether the agents have to prove to be such; an oracle does it for them.
        memory: whether they meet on a network inside this process: no sockets, no
            handshakes, quicker; not together with `processes`.
        faults: whether `part` and `member.face` can put faults between them.

    Raises:
        UsageError: `bad-option` for `memory` with `processes`.
        LocalError: `member-failed`, or as `open_node`.
    """
    layout = Layout(nodes, network, processes, proof, memory, has_faults=faults)
    async with open_layout(layout) as mesh:
        yield mesh


@asynccontextmanager
async def open_layout(layout: Layout) -> AsyncIterator[Mesh]:
    """Run a mesh as laid out, for the length of the block.

    Raises:
        UsageError: `bad-option`.
        LocalError: `member-failed`, or as `open_node`.
    """
    if layout.memory and layout.processes:
        raise UsageError("bad-option", "a network in memory has one process")
    world = _in_memory() if layout.memory else None
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="moltp2p-"))
        mesh = Mesh([], [], trio.current_time(), stack, layout)
        mesh.authored = [0] * layout.nodes
        bootstrap: list[str] = []
        nodes = range(layout.nodes)
        for index in nodes[: layout.bootstrap]:
            settings = member_settings(layout, Path(folder), index, bootstrap)
            await _open_members(mesh, [settings], world)
            bootstrap += (await mesh.members[index].addresses())[:1]
        others = [
            member_settings(layout, Path(folder), index, bootstrap)
            for index in nodes[layout.bootstrap :]
        ]
        await _open_members(mesh, others, world)
        yield mesh


async def _open_members(
    mesh: Mesh, settings: Sequence[MemberSettings], world: World | None
) -> None:
    """Start more nodes: each in a process of its own, or all in this one."""
    first = len(mesh.members)
    opened: dict[int, Member] = {}
    if mesh.layout.has_processes:
        remote = await _open_remote(mesh, first, settings)
        opened.update(remote)
    else:
        for number, each in enumerate(settings):
            local = open_local_member(each, world)
            opened[number] = await mesh.stack.enter_async_context(local)
    for number, each in enumerate(settings):
        addresses = await opened[number].addresses()
        mesh.members.append(opened[number])
        mesh.settings.append(replace(each, listen=same_place(addresses)))
        mesh.is_up.append(True)


async def _open_remote(
    mesh: Mesh, first: int, settings: Sequence[MemberSettings]
) -> dict[int, RemoteMember]:
    """Start processes, as many at once as there are cores."""
    opened: dict[int, RemoteMember] = {}
    failures: list[LocalError] = []
    cores = trio.CapacityLimiter(os.cpu_count() or 1)

    async def start(number: int) -> None:
        prefix = mesh.layout.prefix(first + number)
        opening = open_remote_member(settings[number], prefix)
        async with cores:
            try:
                opened[number] = await mesh.stack.enter_async_context(opening)
            except LocalError as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for number in range(len(settings)):
            nursery.start_soon(start, number)
    if failures:
        raise failures[0]
    return opened


def _in_memory() -> World:
    hub = MemoryHub()

    @asynccontextmanager
    async def open_network(config: Config, seed: bytes) -> AsyncIterator[Network]:
        del config
        async with open_memory_network(hub, seed) as network:
            yield network

    dice = random.Random()  # noqa: S311
    world = replace(real_world(), dice=dice, open_network=open_network)
    return replace(world, has_neighbours=False)
