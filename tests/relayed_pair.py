"""Two nodes in memory, connected as if through a relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final, cast

from moltp2p.core.ids import PeerId
from moltp2p.net.base import ConnectionLimits, Network, Stream
from moltp2p.net.memory import (
    MemoryConnection,
    MemoryHub,
    MemoryNode,
    open_memory_network,
)
from moltp2p.net.switch import Switch
from moltp2p.proto.address import Address, Endpoint, parse_address

ECHO: Final = "/test/echo/1.0.0"


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


def hub_of(network: Network) -> MemoryHub:
    """Return the world that a node lives in."""
    return cast("MemoryNode", cast("Switch", network).transport)._hub


async def echo(stream: Stream) -> None:
    """Say what is said."""
    while data := await stream.receive_some(100):
        await stream.send_all(data)


@asynccontextmanager
async def three(
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[tuple[Network, Network, Network]]:
    """Open Alice, who has dialled Bob through a relay; Bob; and the relay."""
    hub = MemoryHub()
    async with AsyncExitStack() as stack:
        alice, bob, relay = [
            await stack.enter_async_context(
                open_memory_network(hub, name, limits=limits)
            )
            for name in (b"alice", b"bob", b"relay")
        ]
        for network in (alice, bob, relay):
            network.handle(ECHO, echo)
        await connect_through(relay, alice, bob)
        yield alice, bob, relay


def endpoint(network: Network) -> Endpoint:
    """Return where a node listens."""
    return parse_address(network.addresses()[0]).endpoint


def is_direct(network: Network, peer: PeerId) -> bool:
    """Tell whether a peer that is connected is so directly."""
    info = network.info(peer)
    assert info is not None
    return "p2p-circuit" not in info.address
