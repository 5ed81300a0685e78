"""What every network of ours does with peers: once in memory, once on sockets."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from moltp2p.core.errors import LocalError, PeerError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import (
    WATCH_EVENTS,
    ConnectionLimits,
    PeerDown,
    PeerUp,
)
from moltp2p.proto.access import AccessRule
from tests.networks import (
    CAROL,
    ECHO,
    OPEN,
    OpenNetwork,
    Pair,
    code_of,
    echo,
    gone,
    receive_exactly,
    seen,
    seen_as,
    sleep,
)

# -- connections


async def test_a_dialled_peer_is_seen_from_both_ends(pair: Pair) -> None:
    (at_alice,) = pair.alice.peers()
    (at_bob,) = pair.bob.peers()

    assert (at_alice.peer, at_alice.outbound) == (pair.bob.peer_id, True)
    assert (at_bob.peer, at_bob.outbound) == (pair.alice.peer_id, False)
    assert at_alice.address == pair.bob.addresses()[0]
    assert at_bob.address.endswith(f"/p2p/{pair.alice.peer_id}")
    assert pair.alice.stats().connections == 1
    assert (pair.alice.stats().inbound, pair.bob.stats().inbound) == (0, 1)


async def test_a_connected_peer_is_not_dialled_again(pair: Pair) -> None:
    before = pair.alice.peers()

    assert await pair.alice.dial(pair.bob.addresses()[0]) == pair.bob.peer_id

    assert pair.alice.peers() == before


async def test_dials_at_the_same_moment_settle_to_one_connection(
    open_network: OpenNetwork,
) -> None:
    async with open_network("alice") as alice, open_network("bob") as bob:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.dial, bob.addresses()[0])
            nursery.start_soon(bob.dial, alice.addresses()[0])
        bob.handle(ECHO, echo)

        # Both may have heard of a second connection that did not stay.
        lower, higher = sorted((alice, bob), key=lambda network: network.peer_id)
        await seen_as(lower, higher.peer_id, outbound=True)
        await seen_as(higher, lower.peer_id, outbound=False)
        stream = await alice.open_stream(bob.peer_id, [ECHO])
        await stream.send_all(b"still here")
        assert await receive_exactly(stream, 10) == b"still here"
        assert len(alice.peers()) == len(bob.peers()) == 1


async def test_many_dials_to_one_peer_make_one_connection(
    open_network: OpenNetwork,
) -> None:
    async with open_network("alice") as alice, open_network("bob") as bob:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(alice.dial, bob.addresses()[0])

        assert len(alice.peers()) == 1


@pytest.mark.parametrize("names", [("alice", "bob"), ("bob", "alice")])
async def test_a_peer_that_dials_anew_has_lost_its_old_connection(
    open_network: OpenNetwork, names: tuple[str, str]
) -> None:
    host, guest = names
    async with (
        open_network(host) as here,
        open_network(guest) as before,
        open_network(guest) as after,
    ):
        await before.dial(here.addresses()[0])
        await seen(here, before.peer_id)
        here.handle(ECHO, echo)

        await after.dial(here.addresses()[0])

        await gone(before, here.peer_id)
        stream = await after.open_stream(here.peer_id, [ECHO])
        await stream.send_all(b"me again")
        assert await receive_exactly(stream, 8) == b"me again"
        assert len(here.peers()) == 1


async def test_nobody_dials_itself(open_network: OpenNetwork) -> None:
    async with open_network("alice") as alice:
        with pytest.raises(UsageError) as raised:
            await alice.dial(alice.addresses()[0])

    assert code_of(raised) == "self-dial"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:4001",
        "/ip4/127.0.0.1/tcp/4001",
        "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/PEER",
        "/ip4/127.0.0.1/tcp/0/p2p/PEER",
        "/ip4/127.0.0.1/tcp/65536/p2p/PEER",
        "/ip4/300.0.0.1/tcp/4001/p2p/PEER",
        "/ip4/127.0.0.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
    ],
)
async def test_what_is_no_address_is_refused_with_a_hint(
    open_network: OpenNetwork, text: str
) -> None:
    async with open_network("alice") as alice:
        with pytest.raises(UsageError) as raised:
            await alice.dial(text.replace("PEER", alice.peer_id))

    assert code_of(raised) == "bad-address"
    assert raised.value.hint


async def test_dialling_where_nobody_listens_fails(open_network: OpenNetwork) -> None:
    async with open_network("alice") as alice:
        async with open_network("bob") as bob:
            address = bob.addresses()[0]
        with pytest.raises(PeerError) as raised:
            await alice.dial(address)

    assert code_of(raised) == "dial-failed"


async def test_somebody_else_at_the_address_is_not_the_peer(
    open_network: OpenNetwork,
) -> None:
    async with open_network("alice") as alice, open_network("bob") as bob:
        address = bob.addresses()[0].replace(bob.peer_id, CAROL)
        with pytest.raises(PeerError) as raised:
            await alice.dial(address)

        assert code_of(raised) == "wrong-peer"
        assert alice.peers() == []


async def test_a_full_network_dials_nobody(open_network: OpenNetwork) -> None:
    async with (
        open_network("alice", limits=ConnectionLimits(total=1)) as alice,
        open_network("bob") as bob,
        open_network("carol") as carol,
    ):
        await alice.dial(bob.addresses()[0])
        with pytest.raises(LocalError) as raised:
            await alice.dial(carol.addresses()[0])

    assert code_of(raised) == "too-many-connections"


async def test_a_full_network_takes_nobody_in_until_somebody_leaves(
    open_network: OpenNetwork,
) -> None:
    limits = ConnectionLimits(inbound=1, dial_s=3)
    async with (
        open_network("alice", limits=limits) as alice,
        open_network("bob") as bob,
        open_network("carol") as carol,
    ):
        await bob.dial(alice.addresses()[0])
        await seen(alice, bob.peer_id)

        with pytest.raises(PeerError) as raised:
            await carol.dial(alice.addresses()[0])
        assert code_of(raised) == "dial-failed"
        assert alice.stats().refused == {"too-many-connections": 1}

        await bob.disconnect(alice.peer_id)
        await gone(alice, bob.peer_id)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await carol.dial(alice.addresses()[0])
        await seen(alice, carol.peer_id)


async def test_disconnecting_is_seen_at_both_ends(pair: Pair) -> None:
    await pair.alice.disconnect(pair.bob.peer_id)

    assert pair.alice.peers() == []
    await gone(pair.bob, pair.alice.peer_id)


async def test_a_peer_that_left_and_came_back_can_be_dialled(
    open_network: OpenNetwork,
) -> None:
    """What libp2p's Swarm gets wrong: it keeps the dead connection and uses it."""
    async with open_network("alice") as alice:
        for _ in range(3):
            async with open_network("bob") as bob:
                bob.handle(ECHO, echo)
                await alice.dial(bob.addresses()[0])
                stream = await alice.open_stream(bob.peer_id, [ECHO])
                await stream.send_all(b"hello")
                assert await receive_exactly(stream, 5) == b"hello"
            await gone(alice, bob.peer_id)


# -- notices


async def test_a_watcher_hears_of_those_present_and_of_who_comes_and_goes(
    open_network: OpenNetwork,
) -> None:
    async with (
        open_network("alice") as alice,
        open_network("bob") as bob,
        open_network("carol") as carol,
    ):
        await alice.dial(bob.addresses()[0])
        events = alice.watch()
        await alice.dial(carol.addresses()[0])
        await alice.disconnect(bob.peer_id)

        heard = [await events.receive() for _ in range(3)]

    assert [(type(event), event.peer) for event in heard] == [
        (PeerUp, bob.peer_id),
        (PeerUp, carol.peer_id),
        (PeerDown, bob.peer_id),
    ]


async def test_a_watcher_that_fell_behind_is_told_so_by_the_end(
    open_network: OpenNetwork,
) -> None:
    async with open_network("alice") as alice:
        events = alice.watch()
        for number in range(WATCH_EVENTS + 1):
            alice._watchers.tell(PeerDown(PeerId(f"{number}")))  # type: ignore[attr-defined]

        heard = [event async for event in events]

        assert len(heard) == WATCH_EVENTS


async def test_watching_ends_with_the_network(open_network: OpenNetwork) -> None:
    async with open_network("alice") as alice:
        events = alice.watch()

    assert [event async for event in events] == []


async def test_whom_we_ban_we_neither_dial_nor_let_in(
    open_network: OpenNetwork,
) -> None:
    async with open_network("alice") as alice, open_network("bob") as bob:
        bob.access.put(AccessRule(alice.peer_id, False, "", 0))

        with pytest.raises(LocalError) as raised:
            await bob.dial(alice.addresses()[0])
        await alice.dial(bob.addresses()[0])
        await gone(alice, bob.peer_id)

        assert raised.value.code == "banned"
        assert bob.peers() == []
        assert bob.stats().refused == {"banned": 1}


# -- the end


async def test_closing_does_not_wait_for_peers_that_do_not_read(
    open_network: OpenNetwork,
) -> None:
    async with open_network("bob") as bob:
        bob.handle(OPEN, sleep)
        start = 0.0
        async with trio.open_nursery() as nursery:
            async with open_network("alice") as alice:
                await alice.dial(bob.addresses()[0])
                stream = await alice.open_stream(bob.peer_id, [OPEN])

                async def flood() -> None:
                    with pytest.raises(PeerError):
                        await stream.send_all(bytes(10_000_000))

                nursery.start_soon(flood)
                await trio.testing.wait_all_tasks_blocked(0.05)
                start = trio.current_time()
            assert trio.current_time() - start < 10
