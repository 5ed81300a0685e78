"""From a relayed connection to a direct one: who dials, how often, and what goes on."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import trio
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch
from trio.testing import MockClock

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerEvent, PeerUp, Stream
from moltp2p.net.circuits import receive_message, send_message
from moltp2p.net.finding.autonat import PROTOCOL as AUTONAT
from moltp2p.net.finding.autonat import AutoNat
from moltp2p.net.finding.discovery import DiscoverySettings, Means, open_discovery
from moltp2p.net.finding.exchanging import Exchange
from moltp2p.net.finding.punching import PROTOCOL, Puncher
from moltp2p.net.finding.relay_seeking import RelaySeeker
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.net.switch import RETIRE_S
from moltp2p.proto.address import Endpoint, endpoint_bytes, parse_address, parse_ip
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.punching import ATTEMPTS, PUNCHES_IN_ALL, PunchStats
from tests.acquaintances import SECRET, wall_ms
from tests.gossipers import open_gossiper
from tests.relayed_pair import (
    ECHO,
    connect_through,
    endpoint,
    hub_of,
    is_direct,
    three,
)
from tests.swarm import TOPIC


def puncher(network: Network) -> Puncher:
    rng = random.Random(1)
    book = AddressBook(network.peer_id, SECRET)
    return Puncher(network, Exchange(network, book, rng, wall_ms), book, rng)


def drain(channel: trio.MemoryReceiveChannel[PeerEvent]) -> list[PeerEvent]:
    found = []
    while True:
        try:
            found.append(channel.receive_nowait())
        except trio.WouldBlock:
            return found


# -- the switch


async def say(stream: Stream, data: bytes) -> bytes:
    await stream.send_all(data)
    return await stream.receive_some(100)


async def test_a_direct_connection_takes_the_place_of_a_relayed_one(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        old = await alice.open_stream(bob.peer_id, [ECHO])
        events = alice.watch(), bob.watch()
        for each in events:
            drain(each)

        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(1)

        assert is_direct(alice, bob.peer_id)
        assert is_direct(bob, alice.peer_id)
        for channel, other in zip(events, (bob, alice), strict=True):
            (event,) = drain(channel)
            assert isinstance(event, PeerUp)
            assert (event.peer, event.info.punched) == (other.peer_id, True)
        new = await alice.open_stream(bob.peer_id, [ECHO])
        assert [await say(old, b"old"), await say(new, b"new")] == [b"old", b"new"]

        await trio.sleep(RETIRE_S)

        with pytest.raises(PeerError, match="stream-reset"):
            await say(old, b"old")
        assert await say(new, b"new") == b"new"
        assert [drain(each) for each in events] == [[], []]


async def test_who_is_hung_up_on_keeps_no_relayed_connection(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        old = await bob.open_stream(alice.peer_id, [ECHO])
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)

        await alice.disconnect(bob.peer_id)

        with pytest.raises(PeerError, match="stream-reset"):
            await say(old, b"old")
        await trio.sleep(1)
        assert alice.peers() == bob.peers() == []


async def test_faults_are_not_forgotten_with_the_relayed_connection(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        bob.report(alice.peer_id, "malformed")
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(1)
        bob.report(alice.peer_id, "malformed")

        assert [each.faults for each in bob.peers()] == [2]


async def test_no_message_is_lost_while_gossip_moves(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub(lambda _from, _to: 0.05)
    words = [b"%d" % number for number in range(60)]
    async with (
        open_memory_network(hub, b"relay") as relay,
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
        trio.open_nursery() as nursery,
    ):
        await connect_through(relay, alice.network, bob.network)
        await alice.meshed(bob)
        await bob.meshed(alice)
        for word in words:
            await alice.pubsub.publish(TOPIC, b"alice " + word)
            await bob.pubsub.publish(TOPIC, b"bob " + word)
            if word == b"30":
                where = [endpoint(bob.network)]
                nursery.start_soon(
                    partial(alice.network.punch, bob.peer, where, leads=True)
                )
            await trio.sleep(0.02)

        await bob.until(lambda: {b"alice " + each for each in words} <= {*bob.heard})
        await alice.until(lambda: {b"bob " + each for each in words} <= {*alice.heard})
        assert is_direct(alice.network, bob.peer)
        await trio.sleep(RETIRE_S)
        assert (alice.pubsub.mesh(TOPIC), bob.pubsub.mesh(TOPIC)) == (
            [bob.peer],
            [alice.peer],
        )


# -- the two ends


async def test_whom_somebody_dials_through_a_relay_opens_a_direct_way(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _), trio.open_nursery() as nursery:
        hers, his = puncher(alice), puncher(bob)
        nursery.start_soon(hers.run)
        nursery.start_soon(his.run)
        await trio.sleep(10)

        assert is_direct(alice, bob.peer_id)
        assert is_direct(bob, alice.peer_id)
        assert (hers.stats(), his.stats()) == (PunchStats(1, 1), PunchStats(1, 1))
        nursery.cancel_scope.cancel()


async def test_a_peer_that_says_where_it_is_is_simply_dialled(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _), trio.open_nursery() as nursery:
        book = AddressBook(bob.peer_id, SECRET)
        book.suggest(parse_address(alice.addresses()[0]), "somebody", 0.0)
        exchange = Exchange(bob, book, random.Random(1), wall_ms)
        nursery.start_soon(Puncher(bob, exchange, book, random.Random(1)).run)
        await trio.sleep(10)  # and Alice speaks no hole punching

        assert is_direct(alice, bob.peer_id)
        (info,) = bob.peers()
        assert not info.outbound  # who dialled is not who chose
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def wanting(
    network: Network, handler: Sequence[HolePunch] | None
) -> AsyncIterator[list[HolePunch]]:
    """Let a node say just that to each who punches; yields what it was told."""
    told: list[HolePunch] = []

    async def answer(stream: Stream) -> None:
        told.append(await receive_message(stream, HolePunch))
        for message in handler or ():
            await send_message(stream, message)
        told.append(await receive_message(stream, HolePunch))

    if handler is not None:
        network.handle(PROTOCOL, answer)
    yield told


def connect(*where: Endpoint) -> HolePunch:
    addresses = [endpoint_bytes(each) for each in where]
    return HolePunch(type=HolePunch.CONNECT, ObsAddrs=addresses)


SYNC = HolePunch(type=HolePunch.SYNC)
NOWHERE = Endpoint(parse_ip("10.9.9.9"), 4001)


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [
        (None, 1),  # it does not speak it
        ([connect(NOWHERE)], ATTEMPTS),
        ([connect()], ATTEMPTS),
        ([SYNC], ATTEMPTS),
    ],
)
async def test_only_so_many_attempts_are_made(
    answers: list[HolePunch] | None, attempts: int, autojump_clock: MockClock
) -> None:
    async with three() as (alice, bob, _), trio.open_nursery() as nursery:
        async with wanting(alice, answers):
            his = puncher(bob)
            nursery.start_soon(his.run)
            await trio.sleep(600)

        assert not is_direct(bob, alice.peer_id)
        assert bob.stats().handler_bugs == {}
        assert his.stats() in {PunchStats(attempts, 0), PunchStats(attempts - 1, 0)}
        nursery.cancel_scope.cancel()


async def test_both_dial_half_a_round_trip_after_bob_said_so(
    autojump_clock: MockClock,
) -> None:
    dials: dict[PeerId, float] = {}

    async def noted(network: Network) -> None:
        dials[network.peer_id] = trio.current_time()

    async with three() as (alice, bob, _), trio.open_nursery() as nursery:
        hub = bob.transport._hub  # type: ignore[attr-defined]
        hub.latency_s = lambda _from, _to: 0.2
        with pytest.MonkeyPatch.context() as patch:
            for network in (alice, bob):

                async def punch(
                    *_: object, network: Network = network, **__: object
                ) -> None:
                    await noted(network)

                patch.setattr(network, "punch", punch)
                nursery.start_soon(puncher(network).run)
            await trio.sleep(5)
        nursery.cancel_scope.cancel()

    assert dials[alice.peer_id] == pytest.approx(dials[bob.peer_id])


async def test_whom_we_reached_so_is_asked_for_no_dial_and_no_relay(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, relay):
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        asked: list[PeerId] = []

        async def reserve(peer: PeerId) -> int:
            asked.append(peer)
            raise PeerError("refused", "no relay for us")

        async def ask_for_dial(stream: Stream) -> None:
            asked.append(stream.peer)

        book = AddressBook(alice.peer_id, SECRET)
        exchange = Exchange(alice, book, random.Random(1), wall_ms)
        exchange.reach.report(relay.peer_id, None)  # so a relay is needed
        bob.handle(AUTONAT, ask_for_dial)
        autonat = AutoNat(alice, lambda: [endpoint(alice)], random.Random(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(autonat.run)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(alice, "reserve", reserve)
                seeker = RelaySeeker(alice, exchange, random.Random(1))
                await seeker.look()
                assert asked == []
                await alice.dial(relay.addresses()[0])
                await seeker.look()
                assert asked == [relay.peer_id]
            await trio.sleep(600)
            nursery.cancel_scope.cancel()

        assert asked == [relay.peer_id]


@pytest.mark.parametrize("punch", [True, False])
async def test_a_node_that_punches_no_holes_says_so(
    punch: bool, autojump_clock: MockClock
) -> None:
    settings = DiscoverySettings(punch=punch)
    async with open_memory_network(MemoryHub(), b"alice") as alice:
        means, rng = Means(wall_ms), random.Random(1)
        async with open_discovery(alice, [], rng, means, settings) as discovery:
            stats = discovery.finding().punched

    assert stats == (PunchStats(0, 0) if punch else None)


# -- who may make us dial


async def told_by(
    network: Network, other: Network, ask: HolePunch
) -> tuple[list[list[Endpoint]], HolePunch | None]:
    """Let a node ask another to punch; return where it dialled, and its answer."""
    dialled: list[list[Endpoint]] = []
    answer = None

    async def punch(_: PeerId, where: list[Endpoint], *, leads: bool) -> None:
        assert leads
        dialled.append(where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other, "punch", punch)
        stream = await network.open_stream(other.peer_id, [PROTOCOL])
        await send_message(stream, ask)
        try:
            answer = await receive_message(stream, HolePunch)
            await send_message(stream, SYNC)
            await stream.receive_some(1)
        except PeerError:
            pass
        await stream.close()
    return dialled, answer


async def test_only_a_relayed_peer_that_we_dialled_makes_us_dial(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, relay):
        for network in (alice, bob):
            network.handle(PROTOCOL, puncher(network).answer)
        await relay.dial(alice.addresses()[0])

        assert await told_by(relay, alice, connect(NOWHERE)) == ([], None)
        assert await told_by(alice, bob, connect(NOWHERE)) == ([], None)
        dialled, answer = await told_by(bob, alice, connect(NOWHERE))

        assert dialled == [[NOWHERE]]
        assert answer == connect(endpoint(alice))


async def test_nobody_makes_us_dial_often_or_many_or_nearer_than_the_relay(
    autojump_clock: MockClock,
) -> None:
    here = Endpoint(parse_ip("127.0.0.1"), 80)
    site = [Endpoint(parse_ip("10.9.9.9"), 4001 + n) for n in range(10)]
    async with three() as (alice, bob, _):
        alice.handle(PROTOCOL, puncher(alice).answer)
        ask = connect(here, *site)
        dialled = [(await told_by(bob, alice, ask))[0] for _ in range(5)]

    assert dialled == [[site[:4]]] * ATTEMPTS + [[], []]


async def test_a_peer_that_says_when_before_it_says_where_is_at_fault(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        alice.handle(PROTOCOL, puncher(alice).answer)
        stream = await bob.open_stream(alice.peer_id, [PROTOCOL])
        await send_message(stream, connect(NOWHERE))
        await receive_message(stream, HolePunch)
        await send_message(stream, connect(NOWHERE))
        await trio.sleep(1)

        assert alice.stats().faults == {"malformed": 1}


async def test_strangers_that_come_leave_us_what_we_need_ourselves(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, relay), trio.open_nursery() as nursery:
        hers = puncher(alice)
        nursery.start_soon(hers.run)
        async with AsyncExitStack() as stack:
            for number in range(int(PUNCHES_IN_ALL.burst) + 5):
                stranger = await stack.enter_async_context(
                    open_memory_network(hub_of(alice), b"stranger %d" % number)
                )
                await connect_through(relay, stranger, alice)
            await trio.sleep(3)

            dialled, _ = await told_by(bob, alice, connect(NOWHERE))

        assert dialled == [[NOWHERE]]
        nursery.cancel_scope.cancel()


async def test_who_left_meanwhile_is_not_dialled(autojump_clock: MockClock) -> None:
    async with three() as (alice, bob, _):
        dialled: list[PeerId] = []

        async def punch(peer: PeerId, *_: object, **__: object) -> None:
            dialled.append(peer)

        hers = puncher(alice)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(alice, "punch", punch)
            await alice.disconnect(bob.peer_id)
            await hers._punch(bob.peer_id, [NOWHERE], leads=True)

        assert dialled == []


async def test_a_way_that_was_found_without_us_is_not_counted(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _), trio.open_nursery() as nursery:
        his = puncher(bob)
        nursery.start_soon(his.run)
        await trio.sleep(0.5)
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(10)

        assert is_direct(bob, alice.peer_id)
        assert his.stats() == PunchStats(0, 0)
        nursery.cancel_scope.cancel()


async def test_a_peer_makes_us_dial_once_at_a_time(autojump_clock: MockClock) -> None:
    async with three() as (alice, bob, _):
        alice.handle(PROTOCOL, puncher(alice).answer)
        first, second = [
            await bob.open_stream(alice.peer_id, [PROTOCOL]) for _ in range(2)
        ]
        await send_message(first, connect(NOWHERE))
        assert (await receive_message(first, HolePunch)).type == HolePunch.CONNECT
        await send_message(second, connect(NOWHERE))

        with pytest.raises(PeerError, match="stream-reset"):
            await receive_message(second, HolePunch)

        await first.close()
        await trio.sleep(1)
        dialled, _answer = await told_by(bob, alice, connect(NOWHERE))
        assert dialled == [[NOWHERE]]
