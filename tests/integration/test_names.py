"""First peers by name, asked of a real name server on loopback."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from moltp2p.core.errors import LocalError
from moltp2p.net.finding import first_peers, names
from moltp2p.net.finding.discovery import Discovery, Means, open_discovery
from moltp2p.net.finding.names import MAX_ADDRESSES, MAX_DEPTH, MAX_QUESTIONS, Names
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.proto.peers.bootstrap import Name, parse_bootstrap
from tests.acquaintances import peer, wall_ms
from tests.name_server import NameServer, open_name_server
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

ALICE, BOB = peer(1), peer(2)
V4 = f"/ip4/9.0.0.1/tcp/4001/p2p/{ALICE}"
V6 = f"/ip6/2a00::1/tcp/4001/p2p/{BOB}"


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with open_name_server() as server:
        yield server


async def look_up(of: NameServer | Names, text: str) -> set[str]:
    name = parse_bootstrap(text)
    assert isinstance(name, Name)
    asked = of.names if isinstance(of, NameServer) else of
    return {str(each) for each in await asked.look_up(name)}


async def refused(of: NameServer | Names, text: str) -> LocalError:
    with pytest.raises(LocalError) as raised:
        await look_up(of, text)
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize(
    ("kind", "ips"),
    [
        ("dns4", {"9.0.0.1", "9.0.0.2"}),
        ("dns6", {"2a00::1"}),
        ("dns", {"9.0.0.1", "9.0.0.2", "2a00::1"}),
    ],
)
async def test_a_hosts_name_leads_to_its_addresses(
    server: NameServer, kind: str, ips: set[str]
) -> None:
    server.put("boot.example.org", "A", "9.0.0.1", "9.0.0.2", "0.0.0.0")  # noqa: S104
    server.put("boot.example.org", "AAAA", "2a00::1")

    found = await look_up(server, f"/{kind}/Boot.Example.org./tcp/4001/p2p/{ALICE}")

    assert {each.split("/")[2] for each in found} == ips
    assert all(each.endswith(f"/tcp/4001/p2p/{ALICE}") for each in found)


async def test_a_list_leads_to_what_we_can_dial_of_it(server: NameServer) -> None:
    quic = f"/ip4/9.0.0.1/udp/4001/quic-v1/p2p/{ALICE}"
    server.list_peers("example.org", V4, V6, quic, "nonsense", V4 + "/p2p-circuit")

    assert await look_up(server, "/dnsaddr/example.org") == {V4, V6}
    assert await look_up(server, f"/dnsaddr/example.org/p2p/{BOB}") == {V6}


async def test_a_list_in_pieces_is_one_line(server: NameServer) -> None:
    server.put("_dnsaddr.example.org", "TXT", f'"dnsaddr={V4[:20]}" "{V4[20:]}"')

    assert await look_up(server, "/dnsaddr/example.org") == {V4}


async def test_lists_lead_to_lists_and_hosts(server: NameServer) -> None:
    server.list_peers("a.org", "/dnsaddr/b.org", f"/dns4/c.org/tcp/1/p2p/{ALICE}")
    server.list_peers("b.org", V6, f"/ip4/9.9.9.9/tcp/1/p2p/{ALICE}")
    server.put("c.org", "A", "9.0.0.3")

    found = await look_up(server, "/dnsaddr/a.org")

    assert {each.split("/")[2] for each in found} == {"2a00::1", "9.9.9.9", "9.0.0.3"}
    assert await look_up(server, f"/dnsaddr/a.org/p2p/{BOB}") == {V6}


async def test_lists_that_lead_to_themselves_end(server: NameServer) -> None:
    server.list_peers("a.org", "/dnsaddr/b.org", V4)
    server.list_peers("b.org", "/dnsaddr/a.org", "/dnsaddr/b.org")

    assert await look_up(server, "/dnsaddr/a.org") == {V4}
    assert server.asked == 2


async def test_lists_too_deep_are_passed_over(server: NameServer) -> None:
    for number in range(10):
        server.list_peers(f"{number}.org", f"/dnsaddr/{number + 1}.org")
    server.list_peers("10.org", V4)

    assert (await refused(server, "/dnsaddr/0.org")).code == "name-unknown"
    assert server.asked == MAX_DEPTH


async def test_only_so_many_questions_are_asked(server: NameServer) -> None:
    hosts = [f"/dns4/{n}.org/tcp/1/p2p/{ALICE}" for n in range(100)]
    server.list_peers("a.org", V4, *hosts)

    assert await look_up(server, "/dnsaddr/a.org") == {V4}
    assert server.asked == MAX_QUESTIONS


async def test_only_so_many_addresses_are_taken(server: NameServer) -> None:
    server.put("a.org", "A", *(f"9.0.{n}.1" for n in range(100)))

    found = await look_up(server, f"/dns4/a.org/tcp/1/p2p/{ALICE}")

    assert len(found) == MAX_ADDRESSES


async def test_a_name_that_is_not_there_is_said_so(server: NameServer) -> None:
    error = await refused(server, "/dnsaddr/nowhere.example.org")

    assert error.code == "name-unknown"
    assert "_dnsaddr.nowhere.example.org" in error.message


async def test_a_server_that_fails_is_said_so(server: NameServer) -> None:
    server.fails = True

    error = await refused(server, "/dnsaddr/example.org")

    assert error.code == "name-server-failed"


async def test_a_server_that_is_silent_is_not_waited_for(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "QUESTION_S", 0.3)
    server.is_silent = True

    error = await refused(server, "/dnsaddr/example.org")

    assert error.code == "name-server-failed"


async def test_a_list_with_nothing_for_us_is_said_so(server: NameServer) -> None:
    server.list_peers("example.org", f"/ip4/9.0.0.1/udp/1/quic-v1/p2p/{ALICE}")

    error = await refused(server, "/dnsaddr/example.org")

    assert "no address that this node could dial" in error.message


# -- a node with names for first peers


@asynccontextmanager
async def finder(server: NameServer, *bootstrap: str) -> AsyncIterator[Discovery]:
    rng = random.Random(1)
    async with (
        open_memory_network(MemoryHub(), b"alice") as network,
        open_discovery(
            network, bootstrap, rng, Means(wall_ms, names=server.names)
        ) as discovery,
    ):
        yield discovery


async def until(discovery: Discovery, wanted: set[str]) -> None:
    with trio.fail_after(PATIENCE_S):
        while {each.address for each in discovery.status()} != wanted:  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_a_name_is_looked_up_again_and_followed(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_peers, "LOOK_AGAIN_S", 0.1)
    server.list_peers("example.org", V4)
    async with finder(server, "/dnsaddr/example.org") as discovery:
        await until(discovery, {V4})
        server.list_peers("example.org", V6)
        await until(discovery, {V6})
        (status,) = discovery.finding().names
        assert (status.addresses, status.last_error) == (1, "")

        server.fails = True
        with trio.fail_after(PATIENCE_S):
            while not discovery.finding().names[0].last_error:  # noqa: ASYNC110
                await trio.sleep(0.02)
        await until(discovery, {V6})  # what it led to before is still tried


async def test_an_address_beside_a_name_stays(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_peers, "LOOK_AGAIN_S", 0.1)
    server.list_peers("example.org", V4, V6)
    async with finder(server, V4, "/dnsaddr/example.org") as discovery:
        await until(discovery, {V4, V6})
        server.list_peers("example.org", f"/ip4/9.0.0.7/tcp/1/p2p/{BOB}")
        await until(discovery, {V4, f"/ip4/9.0.0.7/tcp/1/p2p/{BOB}"})
