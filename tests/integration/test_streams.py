"""What every stream of ours does, in memory and on sockets, and what it ends."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import (
    ConnectionLimits,
    LimitUse,
    Stream,
)
from moltp2p.net.streams import FrameReader, FrameWriter
from tests.networks import (
    CAROL,
    ECHO,
    OPEN,
    QUICK,
    OpenNetwork,
    Pair,
    code_of,
    echo,
    gone,
    receive_exactly,
    seen,
    sleep,
)
from tests.patience import PATIENCE_S

# -- connections


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


async def test_whoever_speaks_two_majors_talks_to_old_and_new(
    open_network: OpenNetwork,
) -> None:
    both = ["/test/echo/2.0.0", "/test/echo/1.0.0"]
    async with (
        open_network("old") as old,
        open_network("new") as new,
        open_network("newer") as newer,
    ):
        for network, spoken in ((old, both[1:]), (new, both), (newer, both)):
            for protocol in spoken:
                network.handle(protocol, echo)
        await new.dial(old.addresses()[0])
        await new.dial(newer.addresses()[0])
        await seen(old, new.peer_id)
        opened = [
            await new.open_stream(newer.peer_id, both),
            await new.open_stream(old.peer_id, both),
            await old.open_stream(new.peer_id, both[1:]),
        ]
        for stream in opened:
            await stream.send_all(b"hello")
            assert await receive_exactly(stream, 5) == b"hello"

    assert [each.protocol for each in opened] == [*both, both[1]]


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
