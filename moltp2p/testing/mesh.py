"""A mesh of real nodes on this machine: looked at, waited for, and broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.node.node import Node
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.layout import Layout
from moltp2p.testing.members import (
    Heard,
    LocalMember,
    Member,
    MemberSettings,
    Snapshot,
)
from moltp2p.testing.remote import RemoteMember, open_remote_member
from moltp2p.testing.sim.trouble import sides_of

HEARD_POSTS: Final = 5
"""How many posts are shown while they come."""

LOOK_S: Final = 0.1
"""How often `Mesh.alike` looks."""


@dataclass(slots=True)
class Mesh:
    """A running mesh.

    Attributes:
        members: its nodes; the first is the others' bootstrap peer.
        peers: who they are to each other, by index.
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
    peers: list[PeerId] = field(default_factory=list)
    is_up: list[bool] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    authored: list[int] = field(default_factory=list)
    before: int = 0
    heard: list[Heard] = field(default_factory=list)
    phase: str = "connecting"
    news: str = ""
    _orders: dict[int, Orders] = field(default_factory=dict)
    _sides: list[int] = field(default_factory=list)

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
            with self._unless_killed(index):
                self.heard = await self.members[index].newest(HEARD_POSTS)

    async def _snapshot(self, index: int, member: Member) -> Snapshot | None:
        found = None
        if self.is_up[index]:
            with self._unless_killed(index):
                found = await member.snapshot()
        return found

    async def face(self, orders: Orders, nodes: Iterable[int] | None = None) -> None:
        """Let nodes bear these faults from now on: latency, loss, thin lines.

        One that is down bears them once it is started again.

        Args:
            orders: in place of those before.
            nodes: by index; all by default.

        Raises:
            UsageError: `no-faults` when the mesh was opened without faults,
                `bad-option` when there is no such node.
        """
        self._check_faults()
        for index in range(len(self.members)) if nodes is None else nodes:
            self._check_node(index)
            self._orders[index] = orders
            if self.is_up[index]:
                with self._unless_killed(index):
                    await self.members[index].face(orders)

    async def part(self, *groups: Sequence[int]) -> None:
        """Let each group of nodes reach only its own; who is in none is of the first.

        Connections across break after `Orders.notice_s`. One that is down, and is
        started again, is on its side.

        Args:
            groups: nodes by index; two groups or more, as in `part([0, 1], [2])`.

        Raises:
            UsageError: `no-faults` when the mesh was opened without faults,
                `bad-option` when a node does not exist or is in two groups, or there
                are fewer groups.
        """
        await self.divide(sides_of(groups, len(self.members), "bad-option"))

    async def heal(self) -> None:
        """Let all nodes reach each other again.

        Raises:
            UsageError: `no-faults` when the mesh was opened without faults.
        """
        await self.divide([0] * len(self.members))

    async def divide(self, sides: Sequence[int]) -> None:
        """Let each node reach only those of its own side, by index.

        Raises:
            UsageError: `no-faults` when the mesh was opened without faults.
        """
        self._check_faults()
        self._sides = list(sides)
        if self.layout.hosts is not None:
            await self.layout.hosts.part(sides)
            return
        for index in range(len(self.members)):
            if self.is_up[index]:
                with self._unless_killed(index):
                    await self.members[index].cut(self._apart(index))

    def _apart(self, index: int) -> list[PeerId]:
        """Return whom a node cannot reach, where its host's line does not see to it."""
        if self.layout.hosts is not None or not self._sides:
            return []
        settled = zip(self.peers, self._sides, strict=True)
        return [peer for peer, side in settled if side != self._sides[index]]

    @contextmanager
    def _unless_killed(self, index: int) -> Iterator[None]:
        """Let a node fail that goes down meanwhile."""
        try:
            yield
        except LocalError:
            if self.is_up[index]:
                raise

    async def kill(self, index: int) -> None:
        """Kill a node's process, by SIGKILL.

        Raises:
            UsageError: `no-process` when it runs in this one, `bad-option` when
                there is no such node, `bad-call` when it is down.
        """
        self._check_process(index)
        if not self.is_up[index]:
            raise UsageError("bad-call", f"node {index} is down", "restart it first")
        self.is_up[index] = False
        await self._stop(index)

    async def restart(self, index: int) -> None:
        """Start a node that was killed again: same keys, same store, same address.

        It bears what it had to before, and what it missed.

        Raises:
            UsageError: as `kill`, but `bad-call` when it runs.
            LocalError: `member-failed`.
        """
        self._check_process(index)
        if self.is_up[index]:
            raise UsageError("bad-call", f"node {index} runs", "kill it first")
        self.members[index] = member = await self._start(index)
        if (orders := self._orders.get(index)) is not None:
            await member.face(orders)
        if apart := self._apart(index):
            await member.cut(apart)
        self.is_up[index] = True

    async def _stop(self, index: int) -> None:
        member = self.members[index]
        if isinstance(member, RemoteMember):
            await member.worker.kill()

    async def _start(self, index: int) -> Member:
        prefix = self.layout.prefix(index)
        opening = open_remote_member(self.settings[index], prefix)
        return await self.stack.enter_async_context(opening)

    def _check_node(self, index: int) -> None:
        if index not in range(len(self.members)):
            hint = f"the nodes are 0 to {len(self.members) - 1}"
            raise UsageError("bad-option", f"there is no node {index}", hint)

    def _check_process(self, index: int) -> None:
        self._check_node(index)
        if not self.layout.has_processes:
            what = "only a node in its own process can be killed and started again"
            raise UsageError("no-process", what, "open the mesh with processes=True")

    def _check_faults(self) -> None:
        if not self.layout.has_faults:
            what = "this mesh was opened without faults"
            raise UsageError("no-faults", what, "open it with faults=True")

    async def alike(self, within_s: float) -> float:
        """Wait until every node that runs holds the same records.

        Args:
            within_s: seconds.

        Returns:
            How long that took, seconds.

        Raises:
            LocalError: `not-alike`, saying what each holds.
        """
        began = trio.current_time()
        while True:
            await self.look()
            if len({each.fingerprint for each in self.running()}) <= 1:
                return trio.current_time() - began
            if trio.current_time() - began > within_s:
                held = self._by_node(lambda each: f"{each.records} records")
                what = f"after {within_s:g} s they hold different sets: {held}"
                raise LocalError("not-alike", what)
            await trio.sleep(LOOK_S)

    async def connected(self, within_s: float) -> float:
        """Wait until every node that runs gossips with as many others as it should.

        That is three, or all where there are fewer, in each of its topics.

        Args:
            within_s: seconds.

        Returns:
            How long that took, seconds.

        Raises:
            LocalError: `not-meshed`, saying with how many each does.
        """
        began = trio.current_time()
        while True:
            await self.look()
            enough = min(sum(self.is_up) - 1, 3)
            if all(each.mesh >= enough for each in self.running()):
                return trio.current_time() - began
            if trio.current_time() - began > within_s:
                meshes = self._by_node(lambda each: f"{each.mesh} peers")
                what = f"after {within_s:g} s some gossip with fewer than {enough}"
                raise LocalError("not-meshed", f"{what}: {meshes}")
            await trio.sleep(LOOK_S)

    async def proved(self, within_s: float) -> float:
        """Wait until every agent has proved to be one, and every node knows it.

        Args:
            within_s: seconds; an oracle on an idle core takes one or two for three.

        Returns:
            How long that took, seconds.

        Raises:
            LocalError: `not-proved`, saying how far each agent is.
        """
        began = trio.current_time()
        while True:
            await self.look()
            if await self.are_proved():
                return trio.current_time() - began
            if trio.current_time() - began > within_s:
                phases = self._by_node(lambda each: each.proof)
                raise LocalError("not-proved", f"after {within_s:g} s: {phases}")
            await trio.sleep(LOOK_S)

    async def are_proved(self) -> bool:
        """Tell whether each node that runs would take what each agent says."""
        running = self.running()
        if not self.layout.proof:
            return True
        if any(each.proof != "proved" for each in running):
            return False
        agents = [each.agent for each in running]
        for member, is_up in zip(self.members, self.is_up, strict=True):
            if is_up and not await member.admits(agents):
                return False
        return True

    def running(self) -> list[Snapshot]:
        """Return how those were that run, when they were last looked at."""
        both = zip(self.snapshots, self.is_up, strict=True)
        return [snapshot for snapshot, is_up in both if is_up]

    def _by_node(self, tell: Callable[[Snapshot], str]) -> str:
        both = zip(self.snapshots, self.is_up, strict=True)
        told = [tell(snapshot) if is_up else "down" for snapshot, is_up in both]
        return ", ".join(f"node {index} {each}" for index, each in enumerate(told))
