"""Nodes behind routers, each in a process and a network namespace of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from moltp2p.core.errors import LocalError
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


def agent(path: Path, host: Host) -> Home:
    everywhere = "/ip4/0.0.0.0/tcp/4001"
    return Home(path, host.prefix, network="test-nat", listen=everywhere, mdns="off")


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


def gained(status: Any) -> Any:
    return status["sync"]["counters"]["gained"]


async def test_two_behind_routers_talk_through_their_bootstrap_peer(
    tmp_path: Path,
) -> None:
    async with open_hosts(3, WORLD_NET) as hosts:
        there, *routers = hosts.hosts
        alice = await agent(tmp_path / "a", await add_home(routers[0])).init()
        bob = await agent(tmp_path / "b", await add_home(routers[1])).init()
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
            own = await until(first, "/status", lambda _: True)

    addresses = {each["peer"]: each["address"] for each in told["peers"]}
    through = f"{first.address}/p2p-circuit/p2p/{one.said['peer']}"
    assert addresses[one.said["peer"]] == through
    assert (record["text"], record["road"]) == ("hello", "gossip")
    assert record["peer"] == one.said["peer"]
    assert own["store"]["records"] == 0
    assert finding(own)["relay"]["carried_bytes"] > 0


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
