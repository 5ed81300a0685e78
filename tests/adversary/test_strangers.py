"""What a stranger may do to a node on real sockets, and that the node goes on.

The same attacks end or fill libp2p's own host: tests/tripwire.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
import trio
import trio.testing
from libp2p.abc import ISecureConn
from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.yamux.yamux import (
    TYPE_DATA,
)

from moltp2p.core.errors import PeerError
from moltp2p.net.base import ConnectionLimits, Network, PeerDown, PeerUp, Stream
from moltp2p.net.host import open_host
from moltp2p.net.identify import IDENTIFY
from moltp2p.net.streams import READ_BYTES
from moltp2p.proto.address import parse_address
from tests.patience import PATIENCE_S
from tests.tripwire.bare import ask_for, dial_raw, header

pytestmark = pytest.mark.slow

ANY_PORT = "/ip4/127.0.0.1/tcp/0"
ECHO = "/test/echo/1.0.0"
TURNED_AWAY = (OSError, trio.BrokenResourceError)
"""A reset, before or after we have looked whether we are connected."""
LIMITS = ConnectionLimits(
    handshake_s=0.8, negotiate_s=0.8, write_s=0.5, close_s=0.5, dial_s=5.0
)


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(65536):
        await stream.send_all(data)


@pytest.fixture
async def victim() -> AsyncIterator[Network]:
    async with open_host(b"v" * 32, [ANY_PORT], limits=LIMITS) as network:
        network.handle(ECHO, echo)
        yield network


async def assert_alive(victim: Network) -> None:
    async with open_host(b"f" * 32, []) as friend:
        await friend.dial(victim.addresses()[0])
        stream = await friend.open_stream(victim.peer_id, [ECHO])
        await stream.send_all(b"alive?")
        assert await stream.receive_some(100) == b"alive?"


async def connect(victim: Network) -> trio.SocketStream:
    endpoint = parse_address(victim.addresses()[0]).endpoint
    return await trio.open_tcp_stream(str(endpoint.ip), endpoint.port)


async def knock(victim: Network) -> None:
    """Connect, and wait to be turned away."""
    async with await connect(victim) as stream:
        await stream.receive_some(1)


async def empty(victim: Network) -> None:
    """Wait until nobody is connected."""
    with trio.fail_after(PATIENCE_S):
        events = victim.watch()
        while victim.peers():
            await events.receive()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 100,
        b"\x13/multistream/1.0.0\n\x05\xff\xfe\xfd\xfc\n",
        b"\x13/multistream/1.0.0\n\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x13/multistream/1.0.0\n\x07/noise\n\x00\x03abc",
        b"\x13/multistream/1.0.0\n" + b"\x03ls\n" * 50,
    ],
)
async def test_garbage_for_a_handshake_ends_only_that_connection(
    victim: Network, garbage: bytes
) -> None:
    stream = await connect(victim)
    await stream.send_all(garbage)
    with trio.fail_after(PATIENCE_S):
        while await stream.receive_some(1000):
            pass
    await stream.aclose()

    assert victim.stats().refused == {"handshake-failed": 1}
    await assert_alive(victim)


async def test_random_bytes_for_a_handshake_do_no_harm(
    victim: Network, rng: random.Random
) -> None:
    for _ in range(20):
        stream = await connect(victim)
        await stream.send_all(rng.randbytes(rng.randrange(1, 200)))
        await stream.aclose()

    await assert_alive(victim)


async def test_whoever_says_nothing_is_dropped(victim: Network) -> None:
    closing, silent = await connect(victim), await connect(victim)
    await closing.send_eof()
    for stream in (closing, silent):
        with trio.fail_after(PATIENCE_S):
            while await stream.receive_some(1000):
                pass
        await stream.aclose()

    assert victim.stats().refused == {"handshake-failed": 2}


async def test_only_so_many_handshakes_at_once() -> None:
    limits = ConnectionLimits(handshakes=2, handshake_s=0.6)
    async with (
        open_host(b"v" * 32, [ANY_PORT], limits=limits) as victim,
        AsyncExitStack() as stack,
    ):
        victim.handle(ECHO, echo)
        for _ in range(2):
            stack.push_async_callback((await connect(victim)).aclose)
        await trio.testing.wait_all_tasks_blocked(0.01)
        # At once, and not at the end of the time for a handshake.
        with trio.fail_after(PATIENCE_S), pytest.raises(TURNED_AWAY):
            await knock(victim)
        assert victim.stats().refused == {"too-many-handshakes": 1}

        await trio.sleep(0.65)
        await assert_alive(victim)


@pytest.mark.parametrize("listen", [ANY_PORT, "/ip6/::1/tcp/0"])
async def test_only_so_many_connections_from_one_address(listen: str) -> None:
    limits = ConnectionLimits(per_address=2, exempt_loopback=False)
    async with (
        open_host(b"v" * 32, [listen], limits=limits) as victim,
        AsyncExitStack() as stack,
    ):
        for seed in (b"1", b"2"):
            friend = await stack.enter_async_context(open_host(seed * 32, []))
            await friend.dial(victim.addresses()[0])
        async with open_host(b"3" * 32, []) as third:
            with pytest.raises(PeerError):
                await third.dial(victim.addresses()[0])

        assert victim.stats().refused == {"too-many-from-address": 1}


async def test_whoever_knocks_a_thousand_times_costs_others_nothing() -> None:
    limits = ConnectionLimits(exempt_loopback=False)
    async with open_host(b"v" * 32, [ANY_PORT], limits=limits) as victim:
        port = int(victim.addresses()[0].split("/")[4])
        begun_s = time.thread_time()
        for number in range(1_000):
            with socket.socket() as knock:
                knock.bind(("127.0.66.6", 0))
                knock.setblocking(False)
                knock.connect_ex(("127.0.0.1", port))
                with suppress(OSError):  # turned away already
                    knock.send(b"GET / HTTP/1.1\r\n\r\n" if number % 2 else b"")
            # No more than the kernel holds until the door is open again.
            with trio.fail_after(PATIENCE_S):
                while sum(victim.stats().refused.values()) + 100 < number:
                    await trio.lowlevel.checkpoint()
        spent_s = time.thread_time() - begun_s

        async with open_host(b"f" * 32, []) as friend:
            await friend.dial(victim.addresses()[0])
            assert [info.peer for info in victim.peers()] == [friend.peer_id]
        refused = victim.stats().refused
        turned_away = ("too-many-from-address", "too-often-from-address")
        assert sum(refused.get(code, 0) for code in turned_away) > 850
        assert victim.stats().handler_bugs == {}
    # Both sides of it: 0.2 ms each on an idle machine.
    assert spent_s < 2.0


async def test_bandwidth_down_is_limited_and_nobody_else_waits() -> None:
    limits = ConnectionLimits(down_bytes_s=512 * 1024)
    got = 0

    async def sink(stream: Stream) -> None:
        nonlocal got
        while data := await stream.receive_some(READ_BYTES):
            got += len(data)

    async with (
        open_host(b"v" * 32, [ANY_PORT], limits=limits) as victim,
        open_host(b"l" * 32, []) as loud,
        open_host(b"q" * 32, []) as quiet,
    ):
        victim.handle("/test/sink/1.0.0", sink)
        victim.handle(ECHO, echo)
        peer = await loud.dial(victim.addresses()[0])
        await quiet.dial(victim.addresses()[0])
        stream = await loud.open_stream(peer, ["/test/sink/1.0.0"])
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, bytes(1024 * 1024))
            asked = await quiet.open_stream(peer, [ECHO])
            await asked.send_all(b"alive?")
            assert await asked.receive_some(100) == b"alive?"
            assert got < 1024 * 1024  # the loud one is not through yet
        while got < 1024 * 1024:
            await trio.testing.wait_all_tasks_blocked()
        # Half a second's worth is a burst.
        assert trio.current_time() - begun > 0.9
        assert victim.stats().limits["down_bytes_s"].refused > 0
        assert victim.stats().faults == {}


async def test_slots_come_back_however_often_somebody_connects() -> None:
    """C3: upstream is deaf after 250 inbound connections in its life."""
    limits = ConnectionLimits(inbound=2, total=3)
    async with open_host(b"v" * 32, [ANY_PORT], limits=limits) as victim:
        for _ in range(10):
            async with open_host(b"f" * 32, []) as friend:
                await friend.dial(victim.addresses()[0])
            await empty(victim)
            await trio.testing.wait_all_tasks_blocked()

        assert victim.stats().refused == {}
        assert victim.slots.total == 0  # type: ignore[attr-defined]


TOKENS = [
    b"\x13/multistream/1.0.0\n\x05\xff\xfe\xfd\xfc\n",
    b"\x13/multistream/1.0.0\n\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x13/multistream/1.0.0\n\x00",
    b"\x13/multistream/1.0.0\n\x01\n",
    b"\x13/multistream/1.0.0\n" + b"\x03ls\n" * 500,
    b"\x13/multistream/1.0.0\n" + b"\x04/no\n" * 500,
    b"\x08/strange",
    b"",
]


@pytest.mark.parametrize("token", TOKENS)
async def test_garbage_for_a_protocol_ends_only_that_stream(
    victim: Network, token: bytes
) -> None:
    """C1: upstream ends on a token that is not UTF-8."""
    async with open_host(b"f" * 32, []) as friend:
        await friend.dial(victim.addresses()[0])
        member = friend._members[victim.peer_id]  # type: ignore[attr-defined]
        stream = await member.connection._yamux.open_stream()
        await stream.write(token)
        with trio.fail_after(PATIENCE_S):
            while not stream.reset_received:
                await trio.testing.wait_all_tasks_blocked(0.01)

        good = await friend.open_stream(victim.peer_id, [ECHO])
        await good.send_all(b"fine")
        assert await good.receive_some(100) == b"fine"
        faults = victim.stats().faults
    assert set(faults) <= {"bad-negotiation", "too-slow"}
    assert sum(faults.values()) == 1


async def test_streams_left_unclosed_do_not_pile_up(victim: Network) -> None:
    async with open_host(b"f" * 32, []) as friend:
        await friend.dial(victim.addresses()[0])
        for _ in range(150):
            await friend.open_stream(victim.peer_id, [IDENTIFY])
        member = victim._members[friend.peer_id]  # type: ignore[attr-defined]
        left = member.connection._yamux.streams

        assert len(left) <= LIMITS.streams_per_peer + 10


async def test_whoever_asks_too_often_who_we_are_is_told_nothing(
    victim: Network,
) -> None:
    async with open_host(b"f" * 32, []) as friend:
        await friend.dial(victim.addresses()[0])
        answers = []
        for _ in range(12):
            stream = await friend.open_stream(victim.peer_id, [IDENTIFY])
            answers.append(await stream.receive_some(8192))
            await stream.close()

    assert all(answers[:8])
    assert answers[8:] == [b""] * 4


async def never_read(stream: Stream) -> None:
    await trio.sleep_forever()


async def flood(stream: Stream) -> None:
    while True:
        await stream.send_all(bytes(65000))


async def send_until_dropped(secured: ISecureConn, data: bytes) -> None:
    with trio.fail_after(PATIENCE_S), suppress(BaseLibp2pError):
        while True:
            await secured.write(data)
    await secured.close()


async def test_a_peer_that_ignores_the_window_is_hung_up_on(victim: Network) -> None:
    """C4: upstream buffers all of it."""
    victim.handle("/test/1.0.0", never_read)
    secured = await dial_raw(victim.addresses()[0])
    await secured.write(ask_for("/test/1.0.0"))

    await send_until_dropped(secured, header(TYPE_DATA, 0, 1, 65000) + bytes(65000))

    await empty(victim)
    await assert_alive(victim)


async def test_a_peer_that_never_reads_is_dropped(victim: Network) -> None:
    """H14: upstream waits for it for ever."""
    victim.handle("/test/1.0.0", flood)
    secured = await dial_raw(victim.addresses()[0])
    await secured.write(ask_for("/test/1.0.0"))
    events = victim.watch()
    with trio.fail_after(PATIENCE_S):
        heard = [type(await events.receive()) for _ in range(2)]
    await secured.close()

    assert heard == [PeerUp, PeerDown]


async def test_peers_that_never_read_cannot_hold_us_at_the_end() -> None:
    """H14: upstream's `close` waits for them for ever."""
    limits = ConnectionLimits(write_s=60, close_s=0.5)
    stuck = []
    async with open_host(b"v" * 32, [ANY_PORT], limits=limits) as victim:
        victim.handle("/test/1.0.0", flood)
        for _ in range(3):
            stuck.append(await dial_raw(victim.addresses()[0]))
            await stuck[-1].write(ask_for("/test/1.0.0"))
        await trio.sleep(0.3)  # real sockets fill in real time
        assert len(victim.peers()) == 3
        endpoint = victim.addresses()[0].partition("/p2p/")[0]
        start = trio.current_time()
    assert trio.current_time() - start < PATIENCE_S
    async with open_host(b"v" * 32, [endpoint]):
        pass
    for secured in stuck:
        await secured.close()
