"""Hole punching on real sockets, where no router is in the way (else: test_nat.py)."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import cast

import pytest
import trio

from moltp2p.core.errors import LocalError, PeerError
from moltp2p.net.base import Network, Stream
from moltp2p.net.connection import LibP2PConnection
from moltp2p.net.finding.exchanging import Exchange
from moltp2p.net.finding.punching import Puncher
from moltp2p.net.finding.relaying import RelayService
from moltp2p.net.host import open_host
from moltp2p.net.switch import Switch
from moltp2p.proto.address import Endpoint, parse_address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.relay_desk import RelayLimits
from tests.acquaintances import SECRET, peer, wall_ms
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

ANY_PORT = "/ip4/127.0.0.1/tcp/0"
ECHO = "/test/echo/1.0.0"


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


async def say(stream: Stream, data: bytes) -> bytes:
    await stream.send_all(data)
    return await stream.receive_some(100)


def endpoint(network: Network) -> Endpoint:
    return parse_address(network.addresses()[0]).endpoint


def puncher(network: Network) -> Puncher:
    rng, book = random.Random(1), AddressBook(network.peer_id, SECRET)
    return Puncher(network, Exchange(network, book, rng, wall_ms), book, rng)


def addresses(network: Network) -> dict[str, str]:
    return {each.peer: each.address for each in network.peers()}


async def test_a_relayed_peer_becomes_a_direct_one_and_loses_no_stream() -> None:
    async with (
        open_host(b"r" * 32, [ANY_PORT]) as relay,
        open_host(b"b" * 32, [ANY_PORT]) as bob,
        open_host(b"a" * 32, []) as alice,
        trio.open_nursery() as nursery,
    ):
        RelayService(relay, RelayLimits(), wall_ms)
        bob.handle(ECHO, echo)
        await bob.dial(relay.addresses()[0])
        await bob.reserve(relay.peer_id)
        await alice.dial(f"{relay.addresses()[0]}/p2p-circuit/p2p/{bob.peer_id}")
        old = await alice.open_stream(bob.peer_id, [ECHO])
        for network in (alice, bob):
            nursery.start_soon(puncher(network).run)

        with trio.fail_after(PATIENCE_S):
            while "p2p-circuit" in "".join(addresses(bob).values()):  # noqa: ASYNC110
                await trio.sleep(0.02)

        new = await alice.open_stream(bob.peer_id, [ECHO])
        assert [await say(old, b"old"), await say(new, b"new")] == [b"old", b"new"]
        assert addresses(alice)[bob.peer_id] == bob.addresses()[0]
        nursery.cancel_scope.cancel()


async def until(claim: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not claim():
            await trio.lowlevel.checkpoint()


async def test_a_direct_one_that_ends_leaves_nothing_and_the_peer_is_found_again() -> (
    None
):
    async with (
        open_host(b"r" * 32, [ANY_PORT]) as relay,
        open_host(b"b" * 32, [ANY_PORT]) as bob,
        open_host(b"a" * 32, []) as alice,
    ):
        service = RelayService(relay, RelayLimits(), wall_ms)
        bob.handle(ECHO, echo)
        await bob.dial(relay.addresses()[0])
        await bob.reserve(relay.peer_id)
        behind = f"{relay.addresses()[0]}/p2p-circuit/p2p/{bob.peer_id}"
        await alice.dial(behind)
        old = await alice.open_stream(bob.peer_id, [ECHO])
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await until(lambda: addresses(alice)[bob.peer_id] == bob.addresses()[0])
        assert await say(old, b"old") == b"old"

        direct = cast("Switch", alice)._members[bob.peer_id].connection
        cast("LibP2PConnection", direct)._socket.abort()  # without a word

        await until(lambda: bob.peer_id not in addresses(alice))
        await until(lambda: alice.peer_id not in addresses(bob))
        await until(lambda: service.stats().circuits == 0)
        await until(lambda: alice.stats().limits["total"].used == 1)
        with trio.fail_after(PATIENCE_S), pytest.raises(PeerError):
            await old.receive_some(1)
        with trio.fail_after(PATIENCE_S):
            await alice.dial(behind)
        new = await alice.open_stream(bob.peer_id, [ECHO])
        assert await say(new, b"new") == b"new"


async def test_who_punches_dials_from_where_it_listens() -> None:
    async with (
        open_host(b"a" * 32, [ANY_PORT]) as alice,
        open_host(b"b" * 32, [ANY_PORT]) as bob,
    ):
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)

        assert addresses(bob)[alice.peer_id] == alice.addresses()[0]
        with pytest.raises(LocalError, match="another program listens"):
            async with open_host(b"c" * 32, [str(endpoint(alice))]):
                pass


@pytest.mark.parametrize("asks_to_share", [False, True])
async def test_nobody_else_listens_where_we_do(asks_to_share: bool) -> None:
    async with (
        open_host(b"a" * 32, [ANY_PORT]) as alice,
        open_host(b"b" * 32, [ANY_PORT]) as bob,
    ):
        if not asks_to_share:  # Linux lets those in, once we have dialled from there
            await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, asks_to_share)
            with pytest.raises(OSError, match="in use"):
                thief.bind(("127.0.0.1", endpoint(alice).port))


async def test_who_listens_on_both_families_dials_from_there_in_either() -> None:
    async with open_host(b"b" * 32, ["/ip6/::1/tcp/0", ANY_PORT]) as bob:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::", 0))
            port = sock.getsockname()[1]
        everywhere = [f"/ip6/::/tcp/{port}", f"/ip4/0.0.0.0/tcp/{port}"]
        for each in bob.addresses():
            async with open_host(b"a" * 32, everywhere) as alice:
                where = parse_address(each).endpoint
                await alice.punch(bob.peer_id, [where], leads=True)

                assert f"/tcp/{port}/" in addresses(bob)[alice.peer_id]
                await bob.disconnect(alice.peer_id)


async def test_somebody_else_there_is_not_the_peer() -> None:
    async with (
        open_host(b"a" * 32, [ANY_PORT]) as alice,
        open_host(b"b" * 32, [ANY_PORT]) as bob,
    ):
        with pytest.raises(PeerError) as raised:
            await alice.punch(peer(1), [endpoint(bob)], leads=True)

        assert raised.value.code == "wrong-peer"
        assert addresses(alice) == {}


async def test_where_nobody_is_nothing_opens() -> None:
    async with open_host(b"a" * 32, [ANY_PORT]) as alice:
        with trio.socket.socket() as sock:
            await sock.bind(("127.0.0.1", 0))
            closed = Endpoint(endpoint(alice).ip, sock.getsockname()[1])
            with pytest.raises(PeerError) as raised:
                await alice.punch(peer(1), [closed, closed], leads=False)

    assert raised.value.code == "dial-failed"
