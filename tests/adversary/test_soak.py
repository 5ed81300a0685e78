"""Who comes and goes leaves nothing behind, and a hundred can stay."""

from __future__ import annotations

import gc
import math
import random
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from moltp2p.net.finding.discovery import Means, open_discovery
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.rpc_codec import encode_rpc, frame
from moltp2p.net.host import open_host
from moltp2p.net.identify import PING
from moltp2p.net.memory import MemoryHub, open_memory_network
from scripts.benches.peers import Peer, Side, open_peer
from tests.acquaintances import wall_ms
from tests.fuzz.test_handlers import ANY_PACE, babble, read_on
from tests.gossipers import SUBSCRIBE, Gossiper, open_gossiper, open_raw_peer
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

VICTIM = Side("victim", (sys.executable, "-m", "tests.adversary.victim"))

CROWD, MUTE = 50, 45
VISITS = 20
"""So many strangers at once, most of whom say nothing; so often each."""
WAVES, LONG_WAVES = 2, 10
"""As many others after them."""

HELD = 125


async def wave(hub: MemoryHub, victim: Gossiper, name: str) -> None:
    """Let a crowd connect and leave again and again; some of them gossip."""
    address = victim.network.addresses()[0]
    async with AsyncExitStack() as stack:
        mute = [
            await stack.enter_async_context(open_memory_network(hub, who))
            for who in (f"{name} {number}".encode() for number in range(MUTE))
        ]
        others = [
            await stack.enter_async_context(open_raw_peer(hub, f"{name} {number}"))
            for number in range(MUTE, CROWD)
        ]
        crowd = [*mute, *(stranger.network for stranger in others)]
        for _ in range(VISITS):
            async with trio.open_nursery() as nursery:
                for network in crowd:
                    nursery.start_soon(network.dial, address)
            for stranger in others:
                await stranger.open(victim, SUBSCRIBE)
            await trio.testing.wait_all_tasks_blocked()
            assert victim.network.stats().connections == CROWD
            for network in crowd:
                await network.disconnect(victim.peer)
            await trio.testing.wait_all_tasks_blocked()


def held() -> tuple[int, int]:
    """Return how many tasks and objects there are.

    Without trio's deadlines: it lets go of those that are over a thousand at a time.
    """
    gc.collect()
    objects = sum(not is_deadline(each) for each in gc.get_objects())
    return trio.lowlevel.current_statistics().tasks_living, objects


def is_deadline(each: object) -> bool:
    """Tell whether this is a cancel scope, what it says of itself, or its place."""
    if isinstance(each, tuple):
        return any(isinstance(part, trio.CancelScope) for part in each)
    # The second has no public name.
    return isinstance(each, trio.CancelScope) or type(each).__name__ == "CancelReason"


@pytest.mark.parametrize(
    "waves", [WAVES, pytest.param(LONG_WAVES, marks=pytest.mark.long)]
)
async def test_thousands_of_visits_leave_nothing_behind(
    waves: int, autojump_clock: MockClock
) -> None:
    hub = MemoryHub()
    async with (
        open_gossiper(hub, "victim", limits=ANY_PACE) as victim,
        open_discovery(victim.network, [], random.Random(1), Means(wall_ms)),
    ):
        await wave(hub, victim, "before")
        tasks, objects = held()
        for number in range(waves):
            await wave(hub, victim, f"wave {number}")

        assert victim.network.stats().connections == 0
        assert victim.network.slots.total == 0  # type: ignore[attr-defined]
        assert victim.network.stats().refused == {}
        assert victim.network.stats().handler_bugs == {}
        assert victim.pubsub.stats().peers == ()
        assert held()[0] == tasks
        # What is remembered of a peer for a while (rates, scores) is bounded.
        assert held()[1] - objects < 10 * CROWD * waves


# On sockets: the node is a process of its own.


async def settled(victim: Peer, tasks: float = math.inf) -> dict[str, Any]:
    """Return the victim's state once everybody has gone, and their tasks with them."""
    with trio.fail_after(PATIENCE_S):
        while True:
            state = await victim.ask("state")
            if not state["slots"] and state["tasks"] <= tasks:
                return state
            await trio.sleep(0.05)


async def come_and_go(address: str, first: int, count: int) -> None:
    """Connect as one stranger after the other; gossip, then talk nonsense."""
    for number in range(first, first + count):
        async with open_host(number.to_bytes(32), []) as stranger:
            for protocol in PROTOCOLS:
                stranger.handle(protocol, read_on)
            peer = await stranger.dial(address)
            stream = await stranger.open_stream(peer, PROTOCOLS)
            await stream.send_all(frame([encode_rpc(SUBSCRIBE)]))
            await babble(stranger, peer, random.Random(number))


async def visits_on_sockets(count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the victim's state after a few visits, and after many more."""
    async with open_peer(VICTIM) as victim:
        address = (await victim.ask("address"))["address"]
        await come_and_go(address, 1, 20)
        before = await settled(victim)
        await come_and_go(address, 1000, count)
        return before, await settled(victim, before["tasks"])


def check_growth(before: dict[str, Any], after: dict[str, Any], rss: int) -> None:
    assert after["bugs"] == 0
    assert after["peers"] == 0
    assert after["tasks"] <= before["tasks"]
    assert after["files"] <= before["files"]
    assert after["rss"] - before["rss"] < rss


async def test_visits_on_sockets_leave_nothing_behind() -> None:
    check_growth(*await visits_on_sockets(40), rss=4_000_000)


@pytest.mark.long
async def test_ten_thousand_visits_on_sockets_leave_nothing_behind() -> None:
    """A hundred thousand streams, and more."""
    before, after = await visits_on_sockets(10_000)
    print(before, after, sep="\n")  # noqa: T201

    check_growth(before, after, rss=30_000_000)


async def test_a_hundred_and_twenty_five_peers_are_held_and_served() -> None:
    async with open_peer(VICTIM) as victim, AsyncExitStack() as stack:
        address = (await victim.ask("address"))["address"]
        empty = await victim.ask("state")
        crowd = []
        for number in range(HELD):
            host = open_host((5000 + number).to_bytes(32), [])
            crowd.append(await stack.enter_async_context(host))
            await crowd[-1].dial(address)
        full = await victim.ask("state")
        assert full["connections"] == HELD
        for stranger in crowd:
            (info,) = stranger.peers()
            stream = await stranger.open_stream(info.peer, [PING])
            await stream.send_all(bytes(32))
            with trio.fail_after(PATIENCE_S):
                assert await stream.receive_some(32) == bytes(32)
            await stream.close()

        assert full["rss"] - empty["rss"] < HELD * 300_000
        await stack.aclose()
        state = await settled(victim)
    print(f"{(full['rss'] - empty['rss']) / HELD:.0f} bytes a peer")  # noqa: T201
    assert state["bugs"] == 0
    assert state["files"] <= empty["files"] + 1
