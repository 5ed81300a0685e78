"""What every network of ours does: once in memory, once on real sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
import trio
import trio.testing

from moltp2p.core.errors import LocalError, MoltError, PeerError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import (
    WATCH_EVENTS,
    ConnectionLimits,
    LimitUse,
    Network,
    PeerDown,
    PeerUp,
    Stream,
)
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.access import AccessRule
from tests.patience import PATIENCE_S

ECHO = "/test/echo/1.0.0"
OPEN = "/test/open/1.0.0"
QUICK = ConnectionLimits(write_s=0.3, negotiate_s=2.0, close_s=1.0, dial_s=3.0)

OpenNetwork = Callable[..., AbstractAsyncContextManager[Network]]


@pytest.fixture(params=["memory", pytest.param("sockets", marks=pytest.mark.slow)])
def open_network(request: pytest.FixtureRequest) -> OpenNetwork:
    if request.param == "memory":
        hub = MemoryHub()

        def in_memory(
            name: str, **options: Any
        ) -> AbstractAsyncContextManager[Network]:
            options.setdefault("limits", QUICK)
            return open_memory_network(hub, name.encode(), **options)

        return in_memory

    from moltp2p.net.host import open_host  # noqa: PLC0415 — a slow import

    def on_sockets(name: str, **options: Any) -> AbstractAsyncContextManager[Network]:
        options.setdefault("limits", QUICK)
        seed = hashlib.sha256(name.encode()).digest()
        return open_host(seed, ["/ip4/127.0.0.1/tcp/0"], **options)

    return on_sockets


class Pair:
    """Two connected nodes; alice dialled."""

    def __init__(self, alice: Network, bob: Network) -> None:
        self.alice = alice
        self.bob = bob


@pytest.fixture
async def pair(open_network: OpenNetwork) -> Any:
    async with open_network("alice") as alice, open_network("bob") as bob:
        await alice.dial(bob.addresses()[0])
        await seen(bob, alice.peer_id)
        yield Pair(alice, bob)


async def seen(network: Network, peer: PeerId) -> None:
    """Wait until `peer` is connected."""
    with trio.fail_after(PATIENCE_S):
        events = network.watch()
        while all(info.peer != peer for info in network.peers()):
            await events.receive()


async def seen_as(network: Network, peer: PeerId, *, outbound: bool) -> None:
    """Wait until the connection to `peer` is one that we, or it, dialled."""
    with trio.fail_after(PATIENCE_S):
        events = network.watch()
        while all((i.peer, i.outbound) != (peer, outbound) for i in network.peers()):
            await events.receive()


async def gone(network: Network, peer: PeerId) -> None:
    """Wait until `peer` is not connected."""
    with trio.fail_after(PATIENCE_S):
        events = network.watch()
        while any(info.peer == peer for info in network.peers()):
            await events.receive()


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(65536):
        await stream.send_all(data)


async def sleep(stream: Stream) -> None:
    await trio.sleep_forever()


async def receive_exactly(stream: Stream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        assert more, f"the stream ended after {len(data)} bytes"
        data += more
    return data


def code_of(raised: pytest.ExceptionInfo[MoltError]) -> str:
    return raised.value.code


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


CAROL = "12D3KooWGRUVh27ccnJ2PWaUtHXZCuuHhnvFvnJYhKQ4AgM5Kw4c"


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


# -- streams


async def test_bytes_pass_both_ways_until_the_end(pair: Pair) -> None:
    async def shout(stream: Stream) -> None:
        assert stream.peer == pair.alice.peer_id
        await stream.send_all((await receive_exactly(stream, 5)).upper())

    pair.bob.handle(ECHO, shout)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await stream.send_all(b"hello")

    assert (stream.peer, stream.protocol) == (pair.bob.peer_id, ECHO)
    assert await receive_exactly(stream, 5) == b"HELLO"
    assert await stream.receive_some(100) == b""
    assert await stream.receive_some(100) == b""


async def test_much_arrives_in_order(pair: Pair) -> None:
    pair.bob.handle(ECHO, echo)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    sent = bytes(range(256)) * 4096

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, sent)
        assert await receive_exactly(stream, len(sent)) == sent


async def test_what_was_sent_before_closing_arrives(pair: Pair) -> None:
    received = bytearray()
    ended = trio.Event()

    async def collect(stream: Stream) -> None:
        while data := await stream.receive_some(65536):
            received.extend(data)
        ended.set()

    pair.bob.handle(ECHO, collect)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await stream.send_all(b"x" * 100_000)
    await stream.close()
    await stream.close()

    with trio.fail_after(PATIENCE_S):
        await ended.wait()
    assert received == b"x" * 100_000


async def test_frames_pass_in_one_write(pair: Pair) -> None:
    async def answer(stream: Stream) -> None:
        reader, writer = FrameReader(stream, 1000), FrameWriter(stream, 1000)
        while frame := await reader.receive(within_s=5):
            await writer.send(frame[::-1], b"end")

    pair.bob.handle(ECHO, answer)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await FrameWriter(stream, 1000).send(b"abc", b"defg")
    reader = FrameReader(stream, 1000)

    assert [await reader.receive(5) for _ in range(4)] == [
        b"cba", b"end", b"gfed", b"end",
    ]  # fmt: skip


async def test_the_first_protocol_that_both_speak_is_chosen(pair: Pair) -> None:
    pair.bob.handle("/test/two/1.0.0", echo)
    pair.bob.handle("/test/three/1.0.0", echo)

    stream = await pair.alice.open_stream(
        pair.bob.peer_id, ["/test/one/1.0.0", "/test/two/1.0.0", "/test/three/1.0.0"]
    )

    assert stream.protocol == "/test/two/1.0.0"


async def test_a_protocol_that_the_peer_does_not_speak_is_refused(pair: Pair) -> None:
    with pytest.raises(PeerError) as raised:
        await pair.alice.open_stream(pair.bob.peer_id, ["/test/none/1.0.0"])

    assert code_of(raised) == "protocol-unsupported"
    (at_bob,) = pair.bob.peers()
    assert at_bob.faults == 0


async def test_no_stream_opens_to_a_stranger(open_network: OpenNetwork) -> None:
    async with open_network("alice") as alice:
        with pytest.raises(PeerError) as raised:
            await alice.open_stream(PeerId(CAROL), [ECHO])

    assert code_of(raised) == "not-connected"


async def test_a_reset_is_not_an_end(pair: Pair) -> None:
    async def drop(stream: Stream) -> None:
        await receive_exactly(stream, 1)
        await stream.reset()

    pair.bob.handle(ECHO, drop)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await stream.send_all(b"x")

    with pytest.raises(PeerError) as raised:
        await stream.receive_some(100)
    assert code_of(raised) == "stream-reset"


async def test_the_end_of_the_connection_resets_its_streams(pair: Pair) -> None:
    pair.bob.handle(ECHO, sleep)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])

    await pair.bob.disconnect(pair.alice.peer_id)

    with pytest.raises(PeerError) as raised:
        await stream.receive_some(100)
    assert code_of(raised) == "stream-reset"
    with pytest.raises(PeerError) as raised:
        await stream.send_all(b"x")
    assert code_of(raised) == "stream-reset"


async def test_a_peer_that_does_not_read_is_too_slow_and_loses_only_the_stream(
    pair: Pair,
) -> None:
    pair.bob.handle(OPEN, sleep)
    pair.bob.handle(ECHO, echo)
    stuck = await pair.alice.open_stream(pair.bob.peer_id, [OPEN])

    with pytest.raises(PeerError) as raised, trio.fail_after(PATIENCE_S):
        await stuck.send_all(bytes(10_000_000))
    assert code_of(raised) == "too-slow"

    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await stream.send_all(b"fine")
    assert await receive_exactly(stream, 4) == b"fine"


async def test_two_senders_at_once_are_a_bug(pair: Pair) -> None:
    pair.bob.handle(OPEN, sleep)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [OPEN])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_some, 1)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await stream.receive_some(1)
        nursery.cancel_scope.cancel()


async def test_a_stream_closed_here_is_not_used_again(pair: Pair) -> None:
    pair.bob.handle(ECHO, echo)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await stream.close()

    with pytest.raises(trio.ClosedResourceError):
        await stream.send_all(b"x")


async def test_a_cancelled_write_tears_the_stream_and_nothing_else(pair: Pair) -> None:
    pair.bob.handle(OPEN, sleep)
    pair.bob.handle(ECHO, echo)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [OPEN])
    with trio.move_on_after(0.05):
        await stream.send_all(bytes(10_000_000))

    with pytest.raises(PeerError) as raised:
        await stream.send_all(b"x")
    assert code_of(raised) == "stream-reset"
    await stream.close()
    other = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await other.send_all(b"fine")
    assert await receive_exactly(other, 4) == b"fine"


# -- containment


async def test_a_bug_in_a_handler_ends_only_its_stream(pair: Pair) -> None:
    async def buggy(stream: Stream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise ValueError("a bug of ours")

    pair.bob.handle(OPEN, buggy)
    pair.bob.handle(ECHO, echo)
    stream = await pair.alice.open_stream(pair.bob.peer_id, [OPEN])
    with pytest.raises(PeerError):
        await stream.receive_some(1)

    assert pair.bob.stats().handler_bugs == {OPEN: 1}
    assert pair.bob.peers()[0].faults == 0
    other = await pair.alice.open_stream(pair.bob.peer_id, [ECHO])
    await other.send_all(b"fine")
    assert await receive_exactly(other, 4) == b"fine"


async def test_a_fault_of_a_peer_is_counted_against_it(
    open_network: OpenNetwork,
) -> None:
    told: list[tuple[PeerId, str]] = []

    async def strict(stream: Stream) -> None:
        raise PeerError("bad-frame", "never liked it")

    async with (
        open_network("alice") as alice,
        open_network("bob", on_fault=lambda *fault: told.append(fault)) as bob,
    ):
        bob.handle(OPEN, strict)
        await alice.dial(bob.addresses()[0])
        stream = await alice.open_stream(bob.peer_id, [OPEN])
        with pytest.raises(PeerError):
            await stream.receive_some(1)

        assert told == [(alice.peer_id, "bad-frame")]
        assert bob.stats().faults == {"bad-frame": 1}
        assert bob.peers()[0].faults == 1


async def test_a_peer_with_too_many_faults_is_hung_up_on(pair: Pair) -> None:
    for _ in range(QUICK.faults_per_peer):
        pair.bob.report(pair.alice.peer_id, "bad-frame")

    await gone(pair.alice, pair.bob.peer_id)
    assert pair.bob.peers() == []


async def test_a_peer_opens_only_so_many_streams(open_network: OpenNetwork) -> None:
    limits = ConnectionLimits(streams_per_peer=2)
    async with (
        open_network("alice") as alice,
        open_network("bob", limits=limits) as bob,
        AsyncExitStack() as stack,
    ):
        bob.handle(OPEN, sleep)
        await alice.dial(bob.addresses()[0])
        for _ in range(2):
            stream = await alice.open_stream(bob.peer_id, [OPEN])
            stack.push_async_callback(stream.reset)

        with pytest.raises(PeerError):
            await alice.open_stream(bob.peer_id, [OPEN])

        assert bob.stats().faults["too-many-streams"] == 1


async def test_all_peers_together_open_only_so_many_streams(
    open_network: OpenNetwork,
) -> None:
    limits = ConnectionLimits(streams=3)
    async with (
        open_network("bob", limits=limits) as bob,
        open_network("alice") as alice,
        open_network("carol") as carol,
        AsyncExitStack() as stack,
    ):
        bob.handle(OPEN, sleep)
        for network, count in ((alice, 2), (carol, 1)):
            await network.dial(bob.addresses()[0])
            for _ in range(count):
                stream = await network.open_stream(bob.peer_id, [OPEN])
                stack.push_async_callback(stream.reset)

        with pytest.raises(PeerError):
            await carol.open_stream(bob.peer_id, [OPEN])

        assert bob.stats().limits["streams"] == LimitUse(3, 3, 1)
        assert bob.stats().limits["streams_per_peer"].used == 2


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
