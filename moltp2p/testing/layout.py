"""How a mesh is made, and each of its nodes."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moltp2p.proto.address import parse_address
from moltp2p.testing.hosts.namespaces import Hosts
from moltp2p.testing.members import MemberSettings

LOOPBACK: Final = "127.0.0.1"

LASTING_PORTS: Final = range(10_000, 32_000)
"""Below those that Linux gives to outgoing connections (`ip_local_port_range`)."""

TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """How a mesh is made.

    Attributes:
        nodes: how many.
        network: its name.
        processes: whether each node has a process of its own, and can be killed.
        proof: whether the agents have to prove to be such.
        memory: whether the network is one inside this process, without sockets.
        has_faults: whether faults can be put between the nodes.
        bootstrap: how many of the first nodes all others dial first.
        hidden: how many of the last nodes listen nowhere.
        target_peers: how many peers each looks for.
        sync_interval: seconds between comparisons with peers.
        hosts: where each node runs, when not on this machine's own network; then
            each has a process of its own.
    """

    nodes: int
    network: str = "test-mesh"
    processes: bool = False
    proof: bool = False
    memory: bool = False
    has_faults: bool = False
    bootstrap: int = 1
    hidden: int = 0
    target_peers: int = 12
    sync_interval: int = 60
    hosts: Hosts | None = None

    @property
    def has_processes(self) -> bool:
        """Whether each node has a process of its own."""
        return self.processes or self.hosts is not None

    def prefix(self, index: int) -> tuple[str, ...]:
        """Return the command that runs a node's command where it is to run."""
        return () if self.hosts is None else self.hosts.hosts[index].prefix


def member_settings(
    layout: Layout, folder: Path, index: int, bootstrap: Sequence[str]
) -> MemberSettings:
    """Return how one node runs.

    Args:
        layout: of its mesh.
        folder: where homes are.
        index: which node.
        bootstrap: the addresses of first peers, as far as they run.
    """
    listen: tuple[str, ...] = (f"/ip4/{LOOPBACK}/tcp/0",)
    if layout.processes:
        listen = (f"/ip4/{LOOPBACK}/tcp/{_lasting_port()}",)
    if layout.hosts is not None:
        listen = (layout.hosts.hosts[index].listen,)
    if index >= layout.nodes - layout.hidden:
        listen = ()
    return MemberSettings(
        home=str(folder / f"node-{index}"),
        network=layout.network,
        listen=listen,
        bootstrap=tuple(bootstrap),
        proof=layout.proof,
        has_faults=layout.has_faults,
        target_peers=layout.target_peers,
        sync_interval=layout.sync_interval,
    )


def _lasting_port() -> int:
    """Return a free port that the system gives to nobody while its node is down."""
    for port in random.SystemRandom().sample(LASTING_PORTS, TRIES):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return port
    return 0


def same_place(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return where to listen, to be found where one was."""
    endpoints = [parse_address(each).endpoint for each in addresses]
    return tuple(f"/ip{end.ip.version}/{end.ip}/tcp/{end.port}" for end in endpoints)
