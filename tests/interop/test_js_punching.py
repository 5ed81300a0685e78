"""Hole punching between our nodes and js-libp2p's, which does so with public IPs alone.

So both have a host of their own, in the world, with no router in the way: js-libp2p
dials from another port than it listens on, and no router would let that in.
"""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from moltp2p.core.errors import LocalError
from moltp2p.net.base import Network
from moltp2p.net.finding.exchanging import Exchange
from moltp2p.net.finding.punching import PROTOCOL, Puncher
from moltp2p.net.finding.relaying import RelayService
from moltp2p.net.host import open_host
from moltp2p.net.identify import IDENTIFY, Introduction
from moltp2p.proto.address import parse_address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.relay_desk import RelayLimits
from moltp2p.testing.hosts.namespaces import WORLD_NET, Host, Hosts, open_hosts
from tests.acquaintances import SECRET, wall_ms
from tests.interop.js_install import JsInstall
from tests.interop.test_js_relay import ECHO, WORD, open_js, reserve, say
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow


async def _lack() -> str:
    try:
        async with open_hosts(1):
            return ""
    except LocalError as error:
        return error.message


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    if reason := await _lack():
        pytest.skip(reason)
    async with open_hosts(2, WORLD_NET) as opened:
        yield opened


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """Let this thread's sockets be on a host for the length of the block."""
    libc = ctypes.CDLL(None, use_errno=True)
    there = Path("/var/run/netns", host.name)
    with Path("/proc/thread-self/ns/net").open() as before, there.open() as after:
        assert libc.setns(after.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(before.fileno(), 0) == 0


@dataclass
class Ours:
    """A node of ours that looks for direct ways.

    Attributes:
        network: its own.
        puncher: what looks.
        relay: the address of a relay of ours.
    """

    network: Network
    puncher: Puncher
    relay: str

    async def becomes_direct(self, peer: str) -> str:
        """Wait until a peer is connected directly; return where it is."""
        with trio.fail_after(PATIENCE_S):
            while not self.puncher.stats().opened:  # noqa: ASYNC110
                await trio.sleep(0.05)
        (info,) = [each for each in self.network.peers() if each.peer == peer]
        assert info.punched
        return str(parse_address(info.address).endpoint.ip)


@asynccontextmanager
async def ours(host: Host) -> AsyncIterator[Ours]:
    listen = f"/ip4/{host.ip}/tcp/0"
    with inside(host):
        async with (
            open_host(b"r" * 32, [listen]) as relay,
            open_host(b"a" * 32, [listen]) as network,
            trio.open_nursery() as nursery,
        ):
            RelayService(relay, RelayLimits(), wall_ms)
            rng, book = random.Random(1), AddressBook(network.peer_id, SECRET)
            exchange = Exchange(network, book, rng, wall_ms)
            puncher = Puncher(network, exchange, book, rng)
            nursery.start_soon(puncher.run)
            # Else js-libp2p would simply dial it there.
            us = Introduction(network.signer.public, list, lambda: [ECHO, PROTOCOL])
            network.handle(IDENTIFY, us.serve)
            yield Ours(network, puncher, relay.addresses()[0])
            nursery.cancel_scope.cancel()


async def test_js_becomes_direct_that_dialled_ours_through_a_relay(
    js_install: JsInstall, hosts: Hosts
) -> None:
    here, there = hosts.hosts
    async with ours(here) as bob:
        address = await reserve(bob.network, bob.relay)
        async with open_js(js_install, "dialler", "", there) as js:
            assert await js.echo(address, WORD) == WORD

            assert await bob.becomes_direct(js.peer) == there.ip
            assert await js.echo(address, WORD) == WORD


async def test_js_becomes_direct_that_ours_dialled_through_a_relay(
    js_install: JsInstall, hosts: Hosts
) -> None:
    here, there = hosts.hosts
    async with (
        ours(here) as alice,
        open_js(js_install, "reached", alice.relay, there) as js,
    ):
        address = f"{alice.relay}/p2p-circuit/p2p/{js.peer}"
        assert await say(alice.network, address, WORD) == WORD

        assert await alice.becomes_direct(js.peer) == there.ip
        assert await say(alice.network, address, WORD) == WORD
