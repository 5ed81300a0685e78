"""Networks of ours for tests of what each of them does: in memory, and on sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

from moltp2p.core.errors import MoltError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import (
    ConnectionLimits,
    Network,
    Stream,
)
from moltp2p.net.memory import MemoryHub, open_memory_network
from tests.patience import PATIENCE_S

ECHO = "/test/echo/1.0.0"
OPEN = "/test/open/1.0.0"
CAROL = "12D3KooWGRUVh27ccnJ2PWaUtHXZCuuHhnvFvnJYhKQ4AgM5Kw4c"
"""Somebody's peer id; nobody here has it."""
QUICK = ConnectionLimits(write_s=0.3, negotiate_s=2.0, close_s=1.0, dial_s=3.0)


OpenNetwork = Callable[..., AbstractAsyncContextManager[Network]]


@pytest.fixture(params=["memory", pytest.param("sockets", marks=pytest.mark.slow)])
def open_network(request: pytest.FixtureRequest) -> OpenNetwork:
    if request.param == "memory":
        hub = MemoryHub()

        def in_memory(
            name: str, **options: Any
        ) -> AbstractAsyncContextManager[Network]:
            options.setdefault("limits", QUICK)
            return open_memory_network(hub, name.encode(), **options)

        return in_memory

    from moltp2p.net.host import open_host  # noqa: PLC0415 — a slow import

    def on_sockets(name: str, **options: Any) -> AbstractAsyncContextManager[Network]:
        options.setdefault("limits", QUICK)
        seed = hashlib.sha256(name.encode()).digest()
        return open_host(seed, ["/ip4/127.0.0.1/tcp/0"], **options)

    return on_sockets


class Pair:
    """Two connected nodes; alice dialled."""

    def __init__(self, alice: Network, bob: Network) -> None:
        self.alice = alice
        self.bob = bob


@pytest.fixture
async def pair(open_network: OpenNetwork) -> Any:
    async with open_network("alice") as alice, open_network("bob") as bob:
        await alice.dial(bob.addresses()[0])
        await seen(bob, alice.peer_id)
        yield Pair(alice, bob)


async def seen(network: Network, peer: PeerId) -> None:
    """Wait until `peer` is connected."""
    with trio.fail_after(PATIENCE_S):
        events = network.watch()
        while all(info.peer != peer for info in network.peers()):
            await events.receive()


async def seen_as(network: Network, peer: PeerId, *, outbound: bool) -> None:
    """Wait until the connection to `peer` is one that we, or it, dialled."""
    with trio.fail_after(PATIENCE_S):
        events = network.watch()
        while all((i.peer, i.outbound) != (peer, outbound) for i in network.peers()):
            await events.receive()


async def gone(network: Network, peer: PeerId) -> None:
    """Wait until `peer` is not connected."""
    with trio.fail_after(PATIENCE_S):
        events = network.watch()
        while any(info.peer == peer for info in network.peers()):
            await events.receive()


async def echo(stream: Stream) -> None:
    """Send back what comes, to the end."""
    while data := await stream.receive_some(65536):
        await stream.send_all(data)


async def sleep(stream: Stream) -> None:
    """Neither read nor write."""
    await trio.sleep_forever()


async def receive_exactly(stream: Stream, count: int) -> bytes:
    """Return the next `count` bytes."""
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        assert more, f"the stream ended after {len(data)} bytes"
        data += more
    return data


def code_of(raised: pytest.ExceptionInfo[MoltError]) -> str:
    return raised.value.code
