"""A node whose places run out: who stays, who goes, and who still gets in."""

from __future__ import annotations

from contextlib import AsyncExitStack

from trio.testing import MockClock, wait_all_tasks_blocked

from moltp2p.net.base import ConnectionLimits, Network
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.proto.access import AccessRule, parse_subject
from moltp2p.proto.address import Endpoint, parse_ip

LIMITS = ConnectionLimits(inbound=5, exempt_loopback=False)


class World:
    """A node with five places, and who comes to it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.hub = MemoryHub()
        self._stack = stack

    async def open(self, ip: str, limits: ConnectionLimits | None = None) -> Network:
        """Run a node that listens there."""
        where = Endpoint(parse_ip(ip), 4001)
        network = open_memory_network(
            self.hub, ip.encode(), endpoint=where, limits=limits
        )
        return await self._stack.enter_async_context(network)

    async def come(self, home: Network, ip: str) -> None:
        """Have a node at that IP dial the node that is at home."""
        visitor = await self.open(ip)
        await visitor.dial(home.addresses()[0])
        await wait_all_tasks_blocked()


def who(network: Network) -> set[str]:
    return {each.address.split("/")[2] for each in network.peers()}


async def test_who_comes_from_elsewhere_finds_a_place(
    autojump_clock: MockClock,
) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack)
        home = await world.open("9.0.0.1", LIMITS)
        for ip in ("20.1.0.1", "20.1.1.1", "20.1.2.1", "20.1.3.1"):
            await world.come(home, ip)
        assert who(home) == {"20.1.0.1", "20.1.1.1", "20.1.2.1", "20.1.3.1"}

        for ip in ("30.1.0.1", "30.2.0.1"):
            await world.come(home, ip)

        assert who(home) == {"20.1.0.1", "20.1.1.1", "30.1.0.1", "30.2.0.1"}
        assert home.stats().refused == {"crowded-out": 2}

        await world.come(home, "20.1.4.1")

        assert who(home) == {"20.1.0.1", "20.1.1.1", "30.1.0.1", "30.2.0.1"}


async def test_whom_the_operator_allows_and_whom_we_dialled_stay(
    autojump_clock: MockClock,
) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack)
        home = await world.open("9.0.0.1", LIMITS)
        friend = parse_subject("20.1.9.1")
        home.access.put(AccessRule(friend, allows=True, reason="", since_ms=0))
        there = await world.open("20.1.8.1")
        await home.dial(there.addresses()[0])

        for ip in ("20.1.0.1", "20.1.1.1", "20.1.2.1", "20.1.9.1", "30.1.0.1"):
            await world.come(home, ip)

        assert who(home) == {"20.1.8.1", "20.1.0.1", "20.1.1.1", "20.1.9.1", "30.1.0.1"}


async def test_where_all_come_from_elsewhere_the_last_places_are_given_too(
    autojump_clock: MockClock,
) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack)
        home = await world.open("9.0.0.1", LIMITS)
        visitors = [f"{number}.1.0.1" for number in range(20, 25)]

        for ip in visitors:
            await world.come(home, ip)

        assert who(home) == set(visitors)
        assert not home.stats().refused
