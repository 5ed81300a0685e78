"""Nodes in memory that look for peers, and do nothing else."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network
from moltp2p.net.finding.book_keeping import Shelf
from moltp2p.net.finding.discovery import (
    Discovery,
    DiscoverySettings,
    Means,
    open_discovery,
)
from moltp2p.net.memory import (
    MemoryHub,
    memory_peer_id,
    open_memory_network,
)
from moltp2p.proto.address import Address, Endpoint, parse_ip
from tests.acquaintances import wall_ms

HOME = Endpoint(parse_ip("10.9.9.9"), 4001)
BOOT = str(Address(HOME, memory_peer_id(b"boot")))


@dataclass
class Node:
    """A network, and what finds peers for it."""

    network: Network
    discovery: Discovery

    def peers(self) -> set[PeerId]:
        """Return who is connected."""
        return {info.peer for info in self.network.peers()}


@asynccontextmanager
async def open_node(
    hub: MemoryHub,
    name: str,
    bootstrap: list[str],
    settings: DiscoverySettings | None = None,
    endpoint: Endpoint | None = None,
    shelf: Shelf | None = None,
) -> AsyncIterator[Node]:
    """Run a node of that name."""
    rng = random.Random(name)
    async with (
        open_memory_network(hub, name.encode(), endpoint=endpoint) as network,
        open_discovery(
            network, bootstrap, rng, Means(wall_ms, shelf), settings
        ) as discovery,
    ):
        yield Node(network, discovery)
