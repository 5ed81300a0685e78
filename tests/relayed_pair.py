"""Two nodes in memory, connected as if through a relay."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import cast

from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network
from moltp2p.net.memory import MemoryConnection, MemoryNode
from moltp2p.net.switch import Switch
from moltp2p.proto.address import Address, parse_address


async def connect_through(relay: Network, dialler: Network, dialled: Network) -> None:
    """Connect two nodes by a connection whose addresses name the relay."""
    here, there = cast("Switch", dialler), cast("Switch", dialled)
    mine, its = cast("MemoryNode", here.transport), cast("MemoryNode", there.transport)
    near, far = its._connect(mine, mine.address)
    where = parse_address(relay.addresses()[0])
    for connection in (near, far):
        connection.address = _behind(where, connection)
    its._hub.remember(near)
    there._nursery.start_soon(there.carry, near, ExitStack())
    await here._nursery.start(here.carry, far, ExitStack())


def _behind(relay: Address, connection: MemoryConnection) -> Address:
    peer: PeerId = connection.address.peer
    return replace(relay, peer=peer, relay=relay.peer)
