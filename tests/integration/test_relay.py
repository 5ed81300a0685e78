"""Two nodes that cannot dial each other talk through a third, which reads nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from libp2p.relay.circuit_v2.pb import circuit_pb2 as pb

from moltp2p.core.errors import PeerError
from moltp2p.net.base import Network, Stream
from moltp2p.net.circuits import (
    HOP,
    STOP,
    peer_bytes,
    receive_message,
    send_message,
)
from moltp2p.net.finding.relaying import RelayService
from moltp2p.net.host import TcpTransport, open_host
from moltp2p.net.switch import Switch
from moltp2p.proto.address import Address, parse_address, parse_ip
from moltp2p.proto.gossip.events import GossipAction, GossipEvent, PeerJoined
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.peers.relay_desk import RelayDesk, RelayLimits
from tests.acquaintances import SITE, WORLD, peer, wall_ms
from tests.gossipers import gossip_on
from tests.patience import PATIENCE_S
from tests.swarm import TOPIC

pytestmark = pytest.mark.slow

ANY_PORT = "/ip4/127.0.0.1/tcp/0"
ECHO = "/test/echo/1.0.0"


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


@dataclass
class Relay:
    """A node that relays.

    Attributes:
        network: its own.
        service: what relays.
    """

    network: Network
    service: RelayService

    def address_of(self, peer_id: str) -> str:
        """Return where to dial a peer through it."""
        own = parse_address(self.network.addresses()[0])
        return f"{own}/p2p-circuit/p2p/{peer_id}"


@asynccontextmanager
async def open_relay(limits: RelayLimits | None = None) -> AsyncIterator[Relay]:
    async with open_host(b"r" * 32, [ANY_PORT]) as network, trio.open_nursery() as n:
        service = RelayService(network, limits or RelayLimits(), wall_ms)
        n.start_soon(service.run)
        yield Relay(network, service)
        n.cancel_scope.cancel()


@asynccontextmanager
async def hidden(relay: Relay, seed: bytes = b"h") -> AsyncIterator[Network]:
    """Run a node that listens nowhere, with a reservation."""
    async with open_host(seed * 32, []) as network:
        network.handle(ECHO, echo)
        await network.dial(relay.network.addresses()[0])
        await network.reserve(relay.network.peer_id)
        yield network


async def say(network: Network, to: str, data: bytes) -> bytes:
    stream = await network.open_stream(parse_address(to).peer, [ECHO])
    answer = b""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, data)
            while len(answer) < len(data):
                answer += await stream.receive_some(65_536)
    await stream.close()
    return answer


async def test_two_that_listen_nowhere_talk_through_a_relay() -> None:
    async with (
        open_relay() as relay,
        hidden(relay) as bob,
        open_host(b"a" * 32, []) as alice,
    ):
        address = relay.address_of(bob.peer_id)
        await alice.dial(address)

        assert await say(alice, address, b"x" * 300_000) == b"x" * 300_000
        there = {each.peer: each for each in bob.peers()}[alice.peer_id]
        here = {each.peer: each for each in alice.peers()}[bob.peer_id]
        assert (here.address, here.outbound) == (address, True)
        assert there.address == relay.address_of(alice.peer_id)
        stats = relay.service.stats()
        assert (stats.reservations, stats.circuits) == (1, 1)
        assert stats.carried_bytes > 600_000


async def test_gossip_passes_and_knows_no_address_of_who_is_relayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined: list[PeerJoined] = []
    handle = Gossip.handle

    def spy(self: Gossip, event: GossipEvent, now: float) -> list[GossipAction]:
        if isinstance(event, PeerJoined):
            joined.append(event)
        return handle(self, event, now)

    monkeypatch.setattr(Gossip, "handle", spy)
    async with (
        open_relay() as relay,
        hidden(relay) as there,
        open_host(b"a" * 32, []) as here,
        gossip_on(there) as bob,
        gossip_on(here) as alice,
    ):
        await here.dial(relay.address_of(bob.peer))
        await alice.until(lambda: bool(alice.pubsub.targets(TOPIC)), PATIENCE_S)
        await alice.pubsub.publish(TOPIC, b"hello")
        await bob.until(lambda: bob.heard == [b"hello"], PATIENCE_S)

    assert {each.peer: each.ip for each in joined} == {alice.peer: None, bob.peer: None}


async def test_the_relay_sees_nothing_of_what_passes() -> None:
    seen = b""
    secret = b"only between us"

    async def spy(self: RelayService, source: Stream, sink: Stream, *_: object) -> None:
        nonlocal seen
        while data := await source.receive_some(65_536):
            seen += data
            await sink.send_all(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RelayService, "_pump", spy)
        async with (
            open_relay() as relay,
            hidden(relay) as bob,
            open_host(b"a" * 32, []) as alice,
        ):
            address = relay.address_of(bob.peer_id)
            await alice.dial(address)
            assert await say(alice, address, secret) == secret
            await alice.disconnect(bob.peer_id)

    assert b"/noise" in seen
    assert secret not in seen


async def test_when_one_ends_the_other_and_the_circuit_end() -> None:
    async with open_relay() as relay, hidden(relay) as bob:
        async with open_host(b"a" * 32, []) as alice:
            await alice.dial(relay.address_of(bob.peer_id))
            assert len(bob.peers()) == 2
        with trio.fail_after(PATIENCE_S):
            while len(bob.peers()) > 1 or relay.service.stats().circuits:  # noqa: ASYNC110
                await trio.sleep(0.02)

        assert bob.stats().handler_bugs == {}
        assert relay.network.stats().handler_bugs == {}


async def refusal(network: Network, address: str) -> str:
    with pytest.raises(PeerError) as raised:
        await network.dial(address)
    assert raised.value.code == "dial-failed"
    return raised.value.message


async def test_who_has_no_reservation_cannot_be_reached() -> None:
    async with (
        open_relay() as relay,
        open_host(b"b" * 32, []) as bob,
        open_host(b"a" * 32, []) as alice,
    ):
        await bob.dial(relay.network.addresses()[0])

        message = await refusal(alice, relay.address_of(bob.peer_id))

        assert "NO_RESERVATION" in message


async def test_a_reservation_ends_with_its_peer() -> None:
    async with open_relay() as relay, open_host(b"a" * 32, []) as alice:
        async with hidden(relay) as bob:
            pass
        with trio.fail_after(PATIENCE_S):
            while relay.service.stats().reservations:  # noqa: ASYNC110
                await trio.sleep(0.02)

        assert "NO_RESERVATION" in await refusal(alice, relay.address_of(bob.peer_id))


async def test_a_relay_that_claims_somebody_else_is_refused() -> None:
    """The relay answers in the name of the peer that is meant: Noise finds out."""

    async def lie(stream: Stream) -> None:
        await receive_message(stream, pb.HopMessage)
        ok = pb.HopMessage(type=pb.HopMessage.STATUS, status=pb.Status.OK)
        await send_message(stream, ok)
        await stream.send_all(b"\x13/multistream/1.0.0\n\x07/noise\n" + bytes(200))
        await stream.receive_some(1_000)

    async with (
        open_host(b"r" * 32, [ANY_PORT]) as liar,
        open_host(b"a" * 32, []) as alice,
    ):
        liar.handle(HOP, lie)
        address = parse_address(liar.addresses()[0])
        wanted = Address(address.endpoint, peer(1), address.peer)

        with pytest.raises(PeerError):
            await alice.dial(str(wanted))

        assert [each.peer for each in alice.peers()] == [liar.peer_id]


async def test_nobody_but_a_relay_of_ours_may_announce_connections() -> None:
    async with (
        open_host(b"v" * 32, [ANY_PORT]) as victim,
        open_host(b"m" * 32, []) as mallory,
    ):
        await mallory.dial(victim.addresses()[0])
        stream = await mallory.open_stream(victim.peer_id, [STOP])
        call = pb.StopMessage(
            type=pb.StopMessage.CONNECT, peer=pb.PeerId(id=peer_bytes(peer(1)))
        )
        await send_message(stream, call)
        answer = await receive_message(stream, pb.StopMessage)

    assert answer.status == pb.Status.PERMISSION_DENIED


async def test_a_circuit_carries_only_its_share() -> None:
    limits = RelayLimits(circuit_bytes=100_000)
    async with (
        open_relay(limits) as relay,
        hidden(relay) as bob,
        open_host(b"a" * 32, []) as alice,
    ):
        address = relay.address_of(bob.peer_id)
        await alice.dial(address)
        with pytest.raises((PeerError, BaseExceptionGroup)):
            await say(alice, address, bytes(1_000_000))

        assert relay.service.stats().carried_bytes < 300_000


async def test_a_circuit_lasts_only_so_long() -> None:
    limits = RelayLimits(circuit_s=0.3)
    async with (
        open_relay(limits) as relay,
        hidden(relay) as bob,
        open_host(b"a" * 32, []) as alice,
    ):
        await alice.dial(relay.address_of(bob.peer_id))
        with trio.fail_after(PATIENCE_S):
            while len(alice.peers()) > 1:  # noqa: ASYNC110
                await trio.sleep(0.02)


async def test_only_so_many_circuits_at_once() -> None:
    async with (
        open_relay(RelayLimits(circuits=1)) as relay,
        hidden(relay) as bob,
        open_host(b"a" * 32, []) as alice,
        open_host(b"c" * 32, []) as carol,
    ):
        address = relay.address_of(bob.peer_id)
        await alice.dial(address)

        assert "RESOURCE_LIMIT" in await refusal(carol, address)
        assert relay.service.stats().refused == 1


@pytest.mark.parametrize(
    "data", [b"\x00", b"\xff\xff\xff\xff", b"\x05hello", b"\x02\x08\x07", b"\x80"]
)
async def test_garbage_for_a_request_ends_only_that_stream(data: bytes) -> None:
    async with open_relay() as relay, open_host(b"m" * 32, []) as mallory:
        await mallory.dial(relay.network.addresses()[0])
        for protocol in (HOP, STOP):
            stream = await mallory.open_stream(relay.network.peer_id, [protocol])
            await stream.send_all(data)
            await stream.close()
        await mallory.reserve(relay.network.peer_id)

        assert relay.network.stats().handler_bugs == {}


async def test_a_relay_is_one_for_as_long_as_it_stays_connected() -> None:
    async with (
        open_relay() as relay,
        hidden(relay) as bob,
        open_host(b"v" * 32, [ANY_PORT]) as other,
    ):
        assert isinstance(bob, Switch)
        assert isinstance(bob.transport, TcpTransport)
        relayed, first = bob.transport.relayed, relay.network.peer_id
        RelayService(other, RelayLimits(), wall_ms)
        await bob.disconnect(first)
        await bob.dial(relay.network.addresses()[0])
        call = pb.StopMessage(
            type=pb.StopMessage.CONNECT, peer=pb.PeerId(id=peer_bytes(peer(1)))
        )
        with trio.fail_after(PATIENCE_S):
            while relay.network.info(bob.peer_id) is None:  # noqa: ASYNC110
                await trio.sleep(0.02)
        stream = await relay.network.open_stream(bob.peer_id, [STOP])
        await send_message(stream, call)
        answer = await receive_message(stream, pb.StopMessage)

        assert answer.status == pb.Status.PERMISSION_DENIED
        await bob.dial(other.addresses()[0])
        await bob.reserve(other.peer_id)
        assert list(relayed._relays) == [other.peer_id]


# -- the desk


def test_reservations_are_counted_by_subnet_and_end() -> None:
    desk = RelayDesk(RelayLimits(reservations=3, per_site=2, reservation_s=10))

    assert [desk.reserve(peer(n), WORLD, 0.0) for n in (1, 2, 3)] == [True, True, False]
    assert desk.reserve(peer(1), WORLD, 5.0)  # renewed
    assert desk.reserve(peer(4), SITE, 5.0)
    assert not desk.reserve(peer(5), SITE, 5.0)
    assert desk.is_reserved(peer(2), 9.9)
    assert not desk.is_reserved(peer(2), 10.0)
    assert desk.reserve(peer(5), SITE, 10.0)
    desk.gone(peer(1))
    assert not desk.is_reserved(peer(1), 10.0)
    assert desk.stats(10.0).refused == 2


def test_one_peer_has_only_so_many_circuits() -> None:
    desk = RelayDesk(RelayLimits(circuits=3, circuits_per_peer=1))

    with desk.hold_circuit(peer(1), WORLD, peer(2)) as first:
        with desk.hold_circuit(peer(3), WORLD, peer(2)) as second:
            assert (first, second) == (True, False)
        with desk.hold_circuit(peer(3), WORLD, peer(4)) as third:
            assert third
    with desk.hold_circuit(peer(3), WORLD, peer(2)) as again:
        assert again
    assert desk.stats(0.0).circuits == 0


def test_one_stranger_of_many_names_leaves_circuits_to_others() -> None:
    desk = RelayDesk(RelayLimits())
    near = parse_ip("9.9.9.200")  # in the same /24 as WORLD
    with ExitStack() as stack:
        may = [
            stack.enter_context(
                desk.hold_circuit(peer(n), (WORLD, near)[n % 2], peer(n + 1_000))
            )
            for n in range(RelayLimits().circuits)
        ]
        with desk.hold_circuit(peer(1), SITE, peer(2)) as other:
            assert other

    assert sum(may) == RelayLimits().circuits_per_site == 16
    with desk.hold_circuit(peer(1), WORLD, peer(1)) as itself:
        assert itself
    assert desk.stats(0.0).circuits == len(desk._circuits) == 0


def test_whoever_left_unnoticed_has_no_reservation() -> None:
    desk = RelayDesk(RelayLimits())
    desk.reserve(peer(1), WORLD, 0.0)
    desk.reserve(peer(2), SITE, 0.0)

    desk.keep(peer(2).__eq__)

    assert not desk.is_reserved(peer(1), 1.0)
    assert desk.is_reserved(peer(2), 1.0)
