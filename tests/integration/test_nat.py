"""Nodes behind routers, each in a process and a network namespace of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from moltp2p.core.errors import LocalError
from moltp2p.proto.peers.punching import ATTEMPTS
from moltp2p.testing.hosts.homes import add_home
from moltp2p.testing.hosts.namespaces import WORLD_NET, Host, open_hosts
from tests.command_line import PATIENCE_S, Home, RunningNode

pytestmark = pytest.mark.slow

ELSEWHERE = "test-elsewhere"
"""The network of nodes that know nobody's posts, and carry them all the same."""


async def _lack() -> str:
    try:
        async with open_hosts(1) as hosts:
            await add_home(hosts.hosts[0])
    except LocalError as error:
        return error.message
    return ""


@pytest.fixture(scope="module", autouse=True)
def allowed() -> None:
    if reason := trio.run(_lack):
        pytest.skip(reason)


def agent(path: Path, host: Host, hole_punching: str = "on") -> Home:
    return Home(
        path,
        host.prefix,
        network="test-nat",
        listen="/ip4/0.0.0.0/tcp/4001",
        mdns="off",
        hole_punching=hole_punching,
    )


@asynccontextmanager
async def first_peer(path: Path, host: Host) -> AsyncIterator[RunningNode]:
    home = Home(
        path, host.prefix, network=ELSEWHERE, role="bootstrap", listen=host.listen
    )
    async with home.run() as running:
        yield running


async def until(
    node: RunningNode, path: str, holds: Callable[[Any], object]
) -> dict[str, Any]:
    """Ask a node's API until the answer is as it should be; return that."""
    async with node.api() as api:
        with trio.fail_after(PATIENCE_S):
            while not holds(answer := (await api.get(path)).json()):  # noqa: ASYNC110
                await trio.sleep(0.1)
    told: dict[str, Any] = answer
    return told


def finding(status: Any) -> Any:
    return status["gossip"]["finding"]


def punched(peers: Any, by: RunningNode) -> str:
    """Return the direct address of a peer; empty while it has none."""
    for each in peers["peers"]:
        if each["peer"] == by.said["peer"] and "p2p-circuit" not in each["address"]:
            return str(each["address"])
    return ""


def gained(status: Any) -> Any:
    return status["sync"]["counters"]["gained"]


async def test_two_behind_routers_talk_through_their_bootstrap_peer(
    tmp_path: Path,
) -> None:
    async with open_hosts(3, WORLD_NET) as hosts:
        there, *routers = hosts.hosts
        alice, bob = [
            await agent(tmp_path / name, await add_home(router), "off").init()
            for name, router in zip("ab", routers, strict=True)
        ]
        async with alice.run():
            await alice.molt("post", "-c", "science", "before")
        async with (
            first_peer(tmp_path / "first", there) as first,
            alice.run("--bootstrap", first.address) as one,
        ):
            await until(one, "/status", lambda told: finding(told)["relayed"])
            async with bob.run("--bootstrap", first.address) as two:
                await two.hears("before")
                told = await until(two, "/peers", lambda told: len(told["peers"]) > 1)
                await until(two, "/status", gained)
                async with (
                    bob.start("watch", "--community", "science") as (_, lines),
                    one.posting("science"),
                ):
                    record = await lines.next()
            own = await until(first, "/status", bool)

    addresses = {each["peer"]: each["address"] for each in told["peers"]}
    through = f"{first.address}/p2p-circuit/p2p/{one.said['peer']}"
    assert addresses[one.said["peer"]] == through
    assert (record["text"], record["road"]) == ("hello", "gossip")
    assert record["peer"] == one.said["peer"]
    assert own["store"]["records"] == 0
    assert finding(own)["relay"]["carried_bytes"] > 0


@asynccontextmanager
async def met(
    path: Path, *, keeps_ports: bool
) -> AsyncIterator[tuple[RunningNode, RunningNode, RunningNode]]:
    """Run two behind routers that have met through a first peer; and that one."""
    async with open_hosts(3, WORLD_NET) as hosts:
        there, *routers = hosts.hosts
        alice, bob = [
            await agent(
                path / name, await add_home(router, keeps_ports=keeps_ports)
            ).init()
            for name, router in zip("ab", routers, strict=True)
        ]
        async with (
            first_peer(path / "first", there) as first,
            bob.run("--bootstrap", first.address) as one,
        ):
            await until(one, "/status", lambda told: finding(told)["relayed"])
            async with alice.run("--bootstrap", first.address) as other:
                await other.has_peers(2)
                yield other, one, first


async def test_two_whose_routers_keep_ports_come_to_talk_directly(
    tmp_path: Path,
) -> None:
    async with met(tmp_path, keeps_ports=True) as (alice, bob, _):
        for node, other in ((alice, bob), (bob, alice)):
            await until(node, "/peers", partial(punched, by=other))
        there = await until(alice, "/peers", bool)
        here = await until(bob, "/peers", bool)
        async with (
            bob.home.start("watch", "--community", "science") as (_, lines),
            alice.posting("science"),
        ):
            record = await lines.next()
        await until(bob, "/status", lambda told: finding(told)["punched"]["opened"])

    assert punched(there, by=bob) == f"/ip4/20.3.0.1/tcp/4001/p2p/{bob.said['peer']}"
    assert punched(here, by=alice) == f"/ip4/20.2.0.1/tcp/4001/p2p/{alice.said['peer']}"
    assert (record["road"], record["peer"]) == ("gossip", alice.said["peer"])


@pytest.mark.long  # three attempts in vain
async def test_two_whose_routers_change_ports_go_on_through_the_relay(
    tmp_path: Path,
) -> None:
    async with met(tmp_path, keeps_ports=False) as (alice, bob, _):
        status = await until(
            bob, "/status", lambda told: finding(told)["punched"]["tried"] == ATTEMPTS
        )
        peers = await until(alice, "/peers", bool)

    assert finding(status)["punched"]["opened"] == 0
    assert [each["address"].count("p2p-circuit") for each in peers["peers"]] == [0, 1]


@pytest.mark.long  # AutoNAT asks twice, and each waits for a dial in vain
async def test_a_node_behind_a_router_is_told_that_nobody_can_dial_it(
    tmp_path: Path,
) -> None:
    async with open_hosts(3, WORLD_NET) as hosts:
        *there, router = hosts.hosts
        home = await agent(tmp_path / "a", await add_home(router)).init()
        async with (
            first_peer(tmp_path / "1", there[0]) as first,
            first_peer(tmp_path / "2", there[1]) as second,
            home.run(
                *("--bootstrap", first.address), *("--bootstrap", second.address)
            ) as node,
        ):
            status = await until(
                node, "/status", lambda told: len(finding(told)["relayed"]) == 2
            )

    assert finding(status)["reach"] == "closed"
    assert finding(status)["seen"] == [router.ip]
    announced = finding(status)["announced"]
    assert not [each for each in announced if router.ip in each]
