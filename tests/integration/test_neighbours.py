"""Neighbours found by multicast, on this machine's loopback alone."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.rrset
import pytest
import trio
from dns.flags import AA, QR
from dns.message import Message
from trio.testing import MockClock

from moltp2p.net.base import Network
from moltp2p.net.finding import neighbours
from moltp2p.net.finding.discovery import DiscoverySettings, Means, open_discovery
from moltp2p.net.finding.neighbours import (
    MAX_TEXTS,
    NeighbourSettings,
    open_neighbours,
    read_texts,
    service_of,
    texts_of,
)
from moltp2p.net.host import open_host
from moltp2p.proto.address import Address, Scope
from tests.acquaintances import address, wall_ms
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow


def settings(network: str) -> NeighbourSettings:
    return NeighbourSettings(network, True, Scope.MACHINE, ("127.0.0.1",))


class Company:
    """Stands for a network with so many peers, each time that it is asked."""

    def __init__(self, *counts: int) -> None:
        self.over = trio.Event()
        self._counts = list(counts)

    def peers(self) -> list[str]:
        if not self._counts:
            self.over.set()
        return ["somebody"] * (self._counts.pop(0) if self._counts else 1)


async def test_a_node_looks_around_anew_while_it_has_no_peers(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    # A line that was out for two minutes left nodes alone for most of an hour.
    made: list[float] = []

    class Browser:
        def __init__(self, *_: object) -> None:
            made.append(trio.current_time())

        def cancel(self) -> None:
            """Do nothing."""

    monkeypatch.setattr("zeroconf.ServiceBrowser", Browser)
    company: Any = Company(0, 0, 3, 3, 0)
    nothing: Any = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(neighbours._look, nothing, company, "service", nothing)
        await company.over.wait()
        nursery.cancel_scope.cancel()

    assert made == [0, 60, 120, 300]


@asynccontextmanager
async def finder(seed: bytes, network_id: str = "here") -> AsyncIterator[Network]:
    wanted = DiscoverySettings(neighbours=settings(network_id))
    async with (
        open_host(seed * 32, ["/ip4/127.0.0.1/tcp/0"]) as network,
        open_discovery(network, [], random.Random(seed), Means(wall_ms), wanted),
    ):
        yield network


async def test_neighbours_of_one_network_find_each_other() -> None:
    async with finder(b"a") as alice, finder(b"b") as bob, finder(b"c", "there"):
        with trio.fail_after(PATIENCE_S):
            while not alice.peers():  # noqa: ASYNC110
                await trio.sleep(0.05)

        assert {each.peer for each in alice.peers()} == {bob.peer_id}


def claim(name: str, network_id: str = "here") -> bytes:
    """Return a datagram which says that `name` answers for a network's service."""
    said = Message(id=0)
    said.flags = QR | AA
    service = service_of(network_id)
    said.answer.append(dns.rrset.from_text(service, 4_500, "IN", "PTR", name))
    return said.to_wire()


async def shout(datagrams: list[bytes]) -> None:
    """Say that again and again on loopback's multicast, for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        loopback = socket.inet_aton("127.0.0.1")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        while True:
            for each in datagrams:
                sock.sendto(each, ("224.0.0.251", 5353))
            await trio.sleep(0.05)


async def test_nothing_that_a_neighbour_says_ends_a_node(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever hears a name that is about to be taken may say that it is taken.
    labels = [f"{n:032x}" for n in range(2)]
    monkeypatch.setattr("secrets.token_hex", lambda _: labels.pop())
    service = service_of("here")
    taken = [claim(f"{each}.{service}") for each in labels]
    odd = [
        "evil.example.",
        "evil.local.",
        service,
        f"a.b.c.{service}",
        f"{'x' * 63}.{service}",
    ]
    nursery.start_soon(shout, taken + [claim(each) for each in odd])

    async with finder(b"a") as alice, finder(b"b") as bob:
        with trio.fail_after(PATIENCE_S):
            while not alice.peers():  # noqa: ASYNC110
                await trio.sleep(0.05)

        assert {each.peer for each in alice.peers()} == {bob.peer_id}


async def test_without_multicast_a_node_goes_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(interfaces: object) -> None:
        raise OSError("no multicast here")

    monkeypatch.setattr(neighbours, "_open", fail)
    found: list[Address] = []
    async with (
        open_host(b"a" * 32, []) as network,
        open_neighbours(network, settings("here"), found.append),
    ):
        await trio.lowlevel.checkpoint()

    assert found == []


def test_addresses_of_the_wanted_scope_are_read_and_no_others() -> None:
    site = address(1, "10.0.0.1")
    told = [site, address(2, "9.0.0.1"), address(3, "127.0.0.1")]
    data = texts_of(told) + b"\x05hello\x0adnsaddr=/x" + b"\x09dnsaddr=\xff"

    assert read_texts(data, Scope.SITE) == [site]
    assert read_texts(data, Scope.WORLD) == [told[1]]


def test_a_name_tells_only_so_many() -> None:
    told = [address(n, "10.0.0.1") for n in range(40)]
    data = b"".join(texts_of([each]) for each in told)

    assert len(read_texts(data, Scope.SITE)) == MAX_TEXTS


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x00" * 9, b"\x08dnsaddr="])
def test_what_is_no_text_is_passed_over(data: bytes) -> None:
    assert read_texts(data, Scope.SITE) == []


def test_each_network_has_a_service_of_its_own() -> None:
    one, other = service_of("main"), service_of("test-main")

    assert one != other
    assert len(one.split(".")[0]) <= 16  # an underscore and 15 (RFC 6335)
