"""Hosts for the nodes of a mesh: made, joined, parted, and taken away again.

Their names say which process made them. What a process that was killed left behind
is taken away when the next one makes its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psutil
import trio

from moltp2p.core.errors import LocalError
from moltp2p.testing.hosts.commands import check_tools, run

PREFIX: Final = "moltp2p"

PORT: Final = 4001

MAX_HOSTS: Final = 100
"""Each has a /16 of its own, as on the Internet nodes seldom share one."""

SITE_NET: Final = 10
WORLD_NET: Final = 20
"""First numbers of hosts' IPs: a node takes the first for those of a site, and the
second for those of the world."""

CLEAN_S: Final = 60.0
"""How long taking everything away may last."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where one node runs.

    Attributes:
        name: the namespace.
        ip: its address.
        port: the bridge's end of its line.
    """

    name: str
    ip: str
    port: str

    @property
    def listen(self) -> str:
        """Return the multiaddr that the node there listens on."""
        return f"/ip4/{self.ip}/tcp/{PORT}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """Return the command that runs a command there."""
        return ("ip", "netns", "exec", self.name)


class Hosts:
    """Some hosts that reach each other, unless they are parted.

    Attributes:
        hosts: one for each node, in order.
        switch: the namespace of the bridge.
    """

    def __init__(self, owner: str, count: int, net: int = SITE_NET) -> None:
        self.switch = f"{owner}-switch"
        self.hosts = [
            Host(f"{owner}-{n}", f"{net}.{n + 1}.0.1", f"port{n}") for n in range(count)
        ]
        self._bridges = 0

    async def make(self) -> None:
        """Make them.

        Raises:
            LocalError: `no-hosts`.
        """
        await run("ip", "netns", "add", self.switch)
        await self._bridge(0)
        for host in self.hosts:
            await run("ip", "netns", "add", host.name)
            at_host, at_switch = ("ip", "-n", host.name), ("ip", "-n", self.switch)
            veth = ("type", "veth", "peer", "name", "eth0", "netns", host.name)
            await run(*at_switch, "link", "add", host.port, *veth)
            await run(*at_switch, "link", "set", host.port, "master", "br0", "up")
            await run(*at_host, "addr", "add", f"{host.ip}/8", "dev", "eth0")
            await run(*at_host, "link", "set", "eth0", "up")
            await run(*at_host, "link", "set", "lo", "up")

    async def part(self, sides: Sequence[int]) -> None:
        """Let each host reach those on its side alone: frames to others vanish.

        Args:
            sides: by host; hosts beyond stay on side 0.

        Raises:
            LocalError: `no-hosts`.
        """
        for side in range(max(sides, default=0) + 1):
            await self._bridge(side)
        for host, side in zip(self.hosts, sides, strict=False):
            words = ("link", "set", host.port, "master", f"br{side}")
            await run("ip", "-n", self.switch, *words)

    async def _bridge(self, number: int) -> None:
        if number < self._bridges:
            return
        self._bridges += 1
        at_switch = ("ip", "-n", self.switch, "link")
        await run(*at_switch, "add", f"br{number}", "type", "bridge")
        await run(*at_switch, "set", f"br{number}", "up")


@asynccontextmanager
async def open_hosts(count: int, net: int = SITE_NET) -> AsyncIterator[Hosts]:
    """Make hosts for the length of the block, and take them away on every way out.

    Args:
        count: how many, at most `MAX_HOSTS`.
        net: the first number of their IPs.

    Raises:
        LocalError: `no-hosts` when this machine does not allow it, with the reason.
    """
    check_tools()
    if count > MAX_HOSTS:
        raise LocalError("no-hosts", f"at most {MAX_HOSTS} hosts, not {count}")
    await sweep()
    mine = _owner(psutil.Process())
    hosts = Hosts(mine, count, net)
    try:
        await hosts.make()
        yield hosts
    finally:
        with trio.move_on_after(CLEAN_S, shield=True):
            await _remove([name for name in await _names() if name.startswith(mine)])


async def sweep() -> None:
    """Take away what processes left behind that have ended.

    Raises:
        LocalError: `no-hosts`.
    """
    gone = [name for name in await _names() if not _is_owned(name)]
    await _remove(gone)


def _owner(process: psutil.Process) -> str:
    # Process ids are used again; the time at which one started is not.
    return f"{PREFIX}-{process.pid}-{round(process.create_time())}"


def _is_owned(name: str) -> bool:
    """Tell whether the process that made a namespace is still there."""
    pid = name.split("-")[1]
    try:
        return name.startswith(_owner(psutil.Process(int(pid))))
    except (psutil.Error, ValueError):
        return False


async def _names() -> list[str]:
    """Return the names of all our namespaces, of this process and of others."""
    listed = (await run("ip", "netns", "list")).splitlines()
    names = [line.split()[0] for line in listed if line.strip()]
    return [name for name in names if name.startswith(f"{PREFIX}-")]


async def _remove(names: Sequence[str]) -> None:
    """End what still runs in namespaces, and take them away, with all lines."""
    for name in names:
        for pid in (await run("ip", "netns", "pids", name)).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        await run("ip", "netns", "delete", name)
