"""Opens meshes: their nodes in this process, in processes of their own, on hosts."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.net.base import Network
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.node.config import Config
from moltp2p.node.world import World, real_world
from moltp2p.testing.layout import Layout, member_settings, same_place
from moltp2p.testing.members import Member, MemberSettings, open_local_member
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.remote import RemoteMember, open_remote_member


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

    Not for an autojump clock: stores work in threads, for which it does not wait.

    Args:
        nodes: how many.
        network: the network's name; begins with `test-` where agents prove.
        processes: whether each has a process of its own, so that it can be killed.
        proof: whether the agents have to prove to be such; an oracle does it for them,
            in its time: see `Mesh.proved`. Until then nobody takes what they say.
        memory: whether they meet on a network inside this process: no sockets, no
            handshakes, quicker; not together with `processes`.
        faults: whether `part` and `face` can put faults between them.

    Raises:
        UsageError: `bad-option` for no nodes, or `memory` with `processes`; as
            `open_node` for `proof` on a network that is not for tests.
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
    if layout.nodes < 1:
        raise UsageError("bad-option", f"a mesh of {layout.nodes} nodes is none")
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
        mesh.peers.append(await opened[number].peer())
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
