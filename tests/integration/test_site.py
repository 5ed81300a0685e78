"""Nodes on one site find each other by multicast, each on a host of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from moltp2p.testing.hosts.commands import run
from moltp2p.testing.hosts.namespaces import Host, open_hosts
from tests.command_line import Home
from tests.hosts_here import hosts_lack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def allowed() -> None:
    if reason := hosts_lack():
        pytest.skip(reason)


async def agent(path: Path, host: Host, network: str = "test-site") -> Home:
    """Return a home as `init` makes it: no bootstrap peer, and no word on multicast."""
    everywhere = "/ip4/0.0.0.0/tcp/4001"
    return await Home(path, host.prefix, network=network, listen=everywhere).init()


async def test_two_nodes_of_a_network_find_each_other_and_a_third_stays_alone(
    tmp_path: Path,
) -> None:
    async with open_hosts(3) as hosts:
        one, two, three = hosts.hosts
        alice = await agent(tmp_path / "a", one)
        bob = await agent(tmp_path / "b", two)
        carol = await agent(tmp_path / "c", three, "test-other-site")
        async with carol.run() as stranger, alice.run() as first, bob.run() as second:
            await alice.molt("post", "-c", "science", "before")
            await second.hears("before")
            async with stranger.api() as api:
                strangers = (await api.get("/peers")).json()["peers"]
            async with first.api() as api:
                peers = (await api.get("/peers")).json()["peers"]

    assert strangers == []
    assert [each["peer"] for each in peers] == [second.said["peer"]]
    assert two.ip in peers[0]["address"] or one.ip in peers[0]["address"]


async def test_a_node_that_comes_to_the_site_later_is_found_too(
    tmp_path: Path,
) -> None:
    async with open_hosts(2) as hosts:
        one, two = hosts.hosts
        alice = await agent(tmp_path / "a", one)
        bob = await agent(tmp_path / "b", two)
        await hosts.part([0, 1])  # what it says when it starts is heard by nobody
        async with alice.run() as first, bob.run() as second:
            await alice.molt("post", "-c", "science", "before")
            await hosts.part([0, 0])
            await second.hears("before")
            async with first.api() as api:
                peers = (await api.get("/peers")).json()["peers"]

    assert [each["peer"] for each in peers] == [second.said["peer"]]


async def test_a_node_that_started_before_its_machine_was_on_the_site_is_found(
    tmp_path: Path,
) -> None:
    async with open_hosts(2) as hosts:
        one, two = hosts.hosts
        alice = await agent(tmp_path / "a", one)
        bob = await agent(tmp_path / "b", two)
        line = ("ip", "-n", two.name, "addr")
        await run(*line, "del", f"{two.ip}/8", "dev", "eth0")
        async with alice.run(), bob.run() as second:
            await alice.molt("post", "-c", "science", "before")
            async with second.api() as api:
                before = (await api.get("/status")).json()["addresses"]
            await run(*line, "add", f"{two.ip}/8", "dev", "eth0")
            await second.hears("before")
            async with second.api() as api:
                after = (await api.get("/status")).json()["addresses"]

    assert not any(two.ip in each for each in before)
    assert any(two.ip in each for each in after)
