"""What a direct connection may do that takes the place of a relayed one."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import PeerError
from moltp2p.net.base import ConnectionLimits, Network, PeerDown, PeerEvent
from moltp2p.net.finding.discovery import Means, open_discovery
from moltp2p.net.gossip.supervision import Supervision
from moltp2p.net.memory import MemoryHub, MemoryNode, open_memory_network
from moltp2p.net.switch import RETIRE_S, Switch
from moltp2p.node.access import AccessDesk, AccessFile
from moltp2p.proto.access import AccessRule, parse_subject
from moltp2p.proto.address import Address, Endpoint, origin_of, parse_ip, subnet_of
from moltp2p.proto.gossip.events import Faulted
from moltp2p.proto.peers.status import DialState
from tests.acquaintances import wall_ms
from tests.gossipers import open_gossiper
from tests.relayed_pair import (
    ECHO,
    connect_through,
    endpoint,
    hub_of,
    is_direct,
    three,
)


def member_of(network: Network, other: Network) -> Any:
    return cast("Switch", network)._members[other.peer_id]


def drain(channel: trio.MemoryReceiveChannel[PeerEvent]) -> list[PeerEvent]:
    found = []
    while True:
        try:
            found.append(channel.receive_nowait())
        except trio.WouldBlock:
            return found


def ban(network: Network, subject: str) -> None:
    network.access.put(AccessRule(parse_subject(subject), False, "", 0))


# -- the limits


async def test_who_comes_through_a_relay_is_counted_where_it_is_dialled(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        await bob.punch(alice.peer_id, [endpoint(alice)], leads=True)
        await trio.sleep(1)

        stats = bob.stats()
        assert is_direct(bob, alice.peer_id)
        assert (stats.inbound, stats.limits["inbound"].used) == (1, 1)
        assert stats.limits["per_address"].used == 1
        assert stats.limits["handshakes"].used == 0


async def test_a_full_address_is_not_dialled_for_who_comes_through_a_relay(
    autojump_clock: MockClock,
) -> None:
    async with three(ConnectionLimits(per_address=1)) as (alice, bob, _):
        where = Endpoint(endpoint(alice).ip, 4002)
        async with open_memory_network(
            hub_of(alice), b"mallory", endpoint=where
        ) as mallory:
            await mallory.dial(bob.addresses()[0])
            await bob.punch(alice.peer_id, [endpoint(alice)], leads=True)
            await trio.sleep(1)

            assert not is_direct(bob, alice.peer_id)
            assert bob.stats().refused == {"too-many-from-address": 1}
            assert bob.stats().limits["total"].used == 1


async def test_two_connections_carry_no_more_streams_than_one(
    autojump_clock: MockClock,
) -> None:
    async with three(ConnectionLimits(streams_per_peer=2)) as (alice, bob, _):
        held = [await alice.open_stream(bob.peer_id, [ECHO]) for _ in range(2)]
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)

        with pytest.raises(PeerError):
            await alice.open_stream(bob.peer_id, [ECHO])

        for each in held:
            await each.close()
        await trio.sleep(1)
        assert bob.stats().limits["streams_per_peer"].used == 0
        await alice.open_stream(bob.peer_id, [ECHO])


# -- who has chosen whom


async def test_who_comes_through_a_relay_takes_no_place_of_those_we_choose(
    autojump_clock: MockClock,
) -> None:
    async with (
        three() as (alice, bob, relay),
        open_discovery(bob, [], random.Random(1), Means(wall_ms)) as finding,
    ):
        assert finding.finding().book.outbound == 0
        await bob.punch(alice.peer_id, [endpoint(alice)], leads=True)
        await trio.sleep(1)

        assert is_direct(bob, alice.peer_id)
        assert finding.finding().book.outbound == 0
        assert [each.outbound for each in alice.peers()] == [True]
        assert relay.peers() == []


async def test_who_leaves_the_relay_at_the_last_moment_has_not_been_chosen(
    autojump_clock: MockClock,
) -> None:
    async with (
        three() as (alice, bob, _),
        open_discovery(bob, [], random.Random(1), Means(wall_ms)) as finding,
    ):
        transport = cast("Switch", bob).transport
        punch = transport.punch

        async def once_it_left(*args: Any, **kwargs: Any) -> Any:
            await alice.disconnect(bob.peer_id)
            await trio.sleep(0.1)
            return await punch(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport, "punch", once_it_left)
            await bob.punch(alice.peer_id, [endpoint(alice)], leads=True)
        await trio.sleep(1)

        assert [each.outbound for each in bob.peers()] == [False]
        assert bob.stats().limits["inbound"].used == 1
        assert finding.finding().book.outbound == 0


# -- its end


async def test_when_the_direct_one_ends_at_once_nothing_is_left(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, relay):
        old = await alice.open_stream(bob.peer_id, [ECHO])
        events = alice.watch(), bob.watch()
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(1)

        member_of(bob, alice).connection.sever()
        await trio.sleep(1)

        assert [drain(each)[-1] for each in events] == [
            PeerDown(bob.peer_id),
            PeerDown(alice.peer_id),
        ]
        with trio.fail_after(1), pytest.raises(PeerError, match="stream-reset"):
            await old.receive_some(1)
        assert bob.stats().limits["total"].used == 0

        await connect_through(relay, alice, bob)
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(2 * RETIRE_S)
        assert is_direct(alice, bob.peer_id)
        assert is_direct(bob, alice.peer_id)


async def test_a_secured_connection_is_not_given_up_halfway(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        transport = cast("Switch", alice).transport
        punch = transport.punch

        async def at_the_last_moment(*args: Any, **kwargs: Any) -> Any:
            connection = await punch(*args, **kwargs)
            scope.cancel()
            return connection

        with pytest.MonkeyPatch.context() as patch, trio.CancelScope() as scope:
            patch.setattr(transport, "punch", at_the_last_moment)
            await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(2 * RETIRE_S)

        assert is_direct(alice, bob.peer_id)
        assert is_direct(bob, alice.peer_id)


@pytest.mark.parametrize("name", [b"a", b"b", b"c", b"d"])
async def test_both_ends_keep_the_direct_one_whichever_they_saw_first(
    name: bytes, autojump_clock: MockClock
) -> None:
    async with (
        three() as (alice, bob, _),
        open_memory_network(hub_of(alice), name) as carol,
    ):
        here, there = cast("Switch", carol), cast("Switch", bob)
        hers, his = (cast("MemoryNode", each.transport) for each in (here, there))
        # Carol dialled Bob through a relay, and Bob Carol at the same moment.
        relayed = his._connect(hers, hers.address)
        behind = member_of(alice, bob).connection.address
        for each in relayed:
            each.address = replace(behind, peer=each.address.peer)
        direct = hers._connect(his, his.address)

        for node, connection in (
            (here, relayed[1]),
            (there, direct[1]),
            (here, direct[0]),
            (there, relayed[0]),
        ):
            await node._nursery.start(node.carry, connection, ExitStack())
        await trio.sleep(2 * RETIRE_S)

        assert is_direct(carol, bob.peer_id)
        assert is_direct(bob, carol.peer_id)


# -- bans


async def test_what_is_banned_is_passed_over(autojump_clock: MockClock) -> None:
    async with three() as (alice, bob, _):
        ban(alice, "10.9.0.0/16")
        banned = Endpoint(parse_ip("10.9.9.9"), 4001)

        await alice.punch(
            bob.peer_id, [banned, endpoint(alice), endpoint(bob)], leads=True
        )

        assert is_direct(alice, bob.peer_id)


async def test_a_ban_that_is_younger_than_the_dial_holds(
    autojump_clock: MockClock,
) -> None:
    async with three() as (alice, bob, _):
        transport = cast("Switch", alice).transport
        punch = transport.punch

        async def meanwhile(*args: Any, **kwargs: Any) -> Any:
            connection = await punch(*args, **kwargs)
            ban(alice, f"{endpoint(bob).ip}/32")
            return connection

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport, "punch", meanwhile)
            await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)

        assert not is_direct(alice, bob.peer_id)


async def test_a_ban_of_a_subnet_ends_a_connection_that_came_about_so(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with three() as (alice, bob, _):
        desk = AccessDesk(AccessFile(tmp_path), bob, wall_ms)
        old = await bob.open_stream(alice.peer_id, [ECHO])
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(1)

        subnet = parse_subject(str(subnet_of(endpoint(alice).ip)))
        await desk.put(subnet, allows=False, reason="", for_s=None)

        with trio.fail_after(1), pytest.raises(PeerError, match="stream-reset"):
            await old.receive_some(1)
        await trio.sleep(1)
        assert bob.peers() == []
        assert bob.stats().limits["total"].used == 0


# -- who watches


async def test_faults_are_held_against_a_peer_once(autojump_clock: MockClock) -> None:
    held: list[Faulted] = []
    async with three() as (alice, bob, _):
        watch = Supervision(bob, {}, held.append)
        for _ in range(3):
            bob.report(alice.peer_id, "malformed")
        watch.look(trio.current_time())
        await trio.sleep(1)
        await bob.punch(alice.peer_id, [endpoint(alice)], leads=True)
        await trio.sleep(1)
        watch.look(trio.current_time())
        bob.report(alice.peer_id, "malformed")
        watch.look(trio.current_time())

        assert held == [Faulted(alice.peer_id, 3), Faulted(alice.peer_id, 1)]


async def test_who_is_lost_after_the_change_is_dialled_again(
    autojump_clock: MockClock,
) -> None:
    async with (
        three() as (alice, bob, relay),
        open_discovery(alice, [], random.Random(1), Means(wall_ms)) as finding,
    ):
        await trio.sleep(1)
        where = Address(endpoint(relay), bob.peer_id, relay.peer_id)
        finding.book.suggest(where, "somebody", trio.current_time())
        await alice.punch(bob.peer_id, [endpoint(bob)], leads=True)
        await trio.sleep(10)
        assert finding.finding().book.outbound == 1
        (before,) = finding.status()

        member_of(bob, alice).connection.sever()
        await trio.sleep(10)

        (after,) = finding.status()
        assert (before.state, before.last_error) == (DialState.CONNECTED, "")
        # In memory nobody is behind a relay: it was dialled, and that is enough.
        assert (after.address, after.last_error) == (str(where), "wrong-peer")
        assert finding.finding().book.outbound == 0


async def test_gossip_knows_a_peer_once_and_where_it_is(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    async with (
        open_memory_network(hub, b"relay") as relay,
        open_gossiper(hub, "alice") as alice,
        open_gossiper(hub, "bob") as bob,
    ):
        await connect_through(relay, alice.network, bob.network)
        await alice.meshed(bob)
        known = bob.pubsub._router._scores._present
        assert known[alice.peer].origin is None

        where = endpoint(alice.network)
        await bob.network.punch(alice.peer, [where], leads=True)
        await bob.until(
            lambda: alice.peer in known and known[alice.peer].origin is not None
        )

        assert known[alice.peer].origin == origin_of(where.ip)
        await trio.sleep(2 * RETIRE_S)
        assert [each.gossip.peer for each in bob.pubsub.stats().peers] == [alice.peer]
        assert [each.gossip.outbound for each in alice.pubsub.stats().peers] == [True]
        await alice.network.disconnect(bob.peer)
        await trio.sleep(2 * RETIRE_S)
        assert bob.pubsub.stats().peers == ()
        assert bob.pubsub._peering._lines == {}
