"""No stranger gets more than five bytes out of a node for each that it sends.

Counted on the socket, with all headers and the handshake. What a peer is entitled to
by being in a topic, one copy of each message, is not amplification; what it can get
beyond that is, and its requests have to pay for it.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
import trio
from libp2p.stream_muxer.yamux.yamux import FLAG_SYN, TYPE_PING

from moltp2p.core.codec import encode
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import MessageId, PeerId
from moltp2p.net.base import Network, Stream
from moltp2p.net.finding.discovery import Means, open_discovery
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.rpc_codec import encode_rpc, frame
from moltp2p.net.host import open_host
from moltp2p.net.identify import IDENTIFY, PING
from moltp2p.proto.address import parse_address
from moltp2p.proto.gossip.rpc import IHave, Rpc, Subscription
from moltp2p.proto.peers import peer_exchange
from tests.acquaintances import wall_ms
from tests.gossipers import SUBSCRIBE, Gossiper, gossip_on
from tests.patience import PATIENCE_S
from tests.swarm import TOPIC, id_of
from tests.tripwire.bare import dial_raw, header

pytestmark = pytest.mark.slow

AT_MOST = 5


@dataclass
class Tap:
    """A way to the victim on which bytes are counted.

    Attributes:
        victim: who is behind it.
        address: where to dial instead.
        said: bytes that went to the victim.
        answered: bytes that came back.
    """

    victim: Gossiper
    address: str = ""
    said: int = 0
    answered: int = 0

    async def carry(self, near: trio.SocketStream) -> None:
        """Carry one connection to its end."""
        endpoint = parse_address(self.victim.network.addresses()[0]).endpoint
        far = await trio.open_tcp_stream(str(endpoint.ip), endpoint.port)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, far, near, nursery.cancel_scope)
            with suppress(trio.BrokenResourceError):
                async for data in near:
                    self.said += len(data)
                    await far.send_all(data)
            nursery.cancel_scope.cancel()

    async def _pump(
        self, far: trio.SocketStream, near: trio.SocketStream, end: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in far:
                self.answered += len(data)
                await near.send_all(data)
        end.cancel()


@asynccontextmanager
async def tapped() -> AsyncIterator[Tap]:
    async with (
        open_host(b"v" * 32, ["/ip4/127.0.0.1/tcp/0"]) as network,
        gossip_on(network) as victim,
        open_discovery(network, [], random.Random(1), Means(wall_ms)),
        trio.open_nursery() as nursery,
    ):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        tap = Tap(victim)
        port = listener.socket.getsockname()[1]
        tap.address = f"/ip4/127.0.0.1/tcp/{port}/p2p/{network.peer_id}"
        nursery.start_soon(trio.serve_listeners, tap.carry, [listener])
        yield tap
        nursery.cancel_scope.cancel()


async def say(network: Network, to: PeerId, protocol: str, *pieces: bytes) -> None:
    """Say something on a new stream, hear what comes, and close."""
    stream = await network.open_stream(to, [protocol])
    with suppress(PeerError), trio.move_on_after(0.2):
        for piece in pieces:
            await stream.send_all(piece)
        while await stream.receive_some(65536):
            pass
    await stream.close()


async def read_on(stream: Stream) -> None:
    """Take what comes."""
    while await stream.receive_some(65536):
        pass


async def quiet(tap: Tap) -> None:
    """Wait until nothing comes any more."""
    answered = -1
    while tap.answered > answered:
        answered = tap.answered
        await trio.sleep(0.2)


Attack = Callable[[Network, PeerId], Awaitable[None]]


async def connect_only(network: Network, peer: PeerId) -> None: ...


async def ask_who_it_is(network: Network, peer: PeerId) -> None:
    for _ in range(64):
        await say(network, peer, IDENTIFY)


async def ping_by_bytes(network: Network, peer: PeerId) -> None:
    stream = await network.open_stream(peer, [PING])
    for _ in range(300):
        await stream.send_all(b"x")
        await stream.receive_some(32)


async def ask_for_strange_protocols(network: Network, peer: PeerId) -> None:
    for number in range(100):
        with suppress(PeerError):
            await network.open_stream(peer, [f"/{number}"])


async def ask_for_peers(network: Network, peer: PeerId) -> None:
    ask = encode({"pad": bytes(4), "peers": []})
    for _ in range(30):
        await say(network, peer, peer_exchange.PROTOCOL, bytes((len(ask),)) + ask)


def gossiping(*rpcs: Rpc, times: int) -> Attack:
    async def attack(network: Network, peer: PeerId) -> None:
        # Who cannot be answered is not read either.
        for protocol in PROTOCOLS:
            network.handle(protocol, read_on)
        frames = [frame([encode_rpc(rpc)]) for rpc in rpcs] * times
        for start in range(0, len(frames), 64):
            await say(network, peer, PROTOCOLS[0], b"".join(frames[start : start + 64]))
        await trio.sleep(0.2)

    return attack


LEAVE = Rpc(subscriptions=(Subscription(TOPIC, subscribed=False),))
UNKNOWN = tuple(MessageId(bytes([number]) * 32) for number in range(64))

ATTACKS = {
    "connect": connect_only,
    "identify": ask_who_it_is,
    "ping": ping_by_bytes,
    "protocols": ask_for_strange_protocols,
    "peers": ask_for_peers,
    "come and go": gossiping(SUBSCRIBE, LEAVE, times=100),
    "graft": gossiping(SUBSCRIBE, *[Rpc(graft=(TOPIC,))] * 200, times=1),
    "ihave": gossiping(SUBSCRIBE, Rpc(ihave=(IHave(TOPIC, UNKNOWN),)), times=10),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_an_answer_is_at_most_five_times_the_question(attack: Attack) -> None:
    async with tapped() as tap, open_host(b"s" * 32, []) as stranger:
        peer = await stranger.dial(tap.address)
        await attack(stranger, peer)
        await stranger.disconnect(peer)
        await trio.testing.wait_all_tasks_blocked(0.05)

    print(f"{tap.said} in, {tap.answered} out")  # noqa: T201
    assert tap.said
    assert tap.answered <= AT_MOST * tap.said


async def test_a_handshake_that_is_not_finished_gets_little() -> None:
    """One message of Noise, with which anybody can begin, is all it says."""
    async with tapped() as tap:
        endpoint = parse_address(tap.address).endpoint
        stream = await trio.open_tcp_stream(str(endpoint.ip), endpoint.port)
        await stream.send_all(b"\x13/multistream/1.0.0\n\x07/noise\n")
        await stream.send_all(b"\x00\x20" + bytes(range(32)))
        with trio.move_on_after(0.3):
            while await stream.receive_some(1000):
                pass
        await stream.aclose()

        assert tap.answered > 100
        assert tap.answered <= AT_MOST * tap.said


async def test_pings_of_yamux_are_answered_by_as_much() -> None:
    async with tapped() as tap:
        secured = await dial_raw(tap.address)
        for _ in range(50):
            await secured.write(header(TYPE_PING, FLAG_SYN, 0, 1) * 100)
        await trio.sleep(0.1)
        await secured.close()

        assert tap.answered <= AT_MOST * tap.said


async def test_who_asks_again_for_every_message_gets_each_three_times_more() -> None:
    """C5: upstream serves an id as often as it is named."""
    sent = [random.Random(number).randbytes(1000) for number in range(60)]
    wanted = frame([encode_rpc(Rpc(iwant=tuple(map(id_of, sent))))])
    async with tapped() as tap, open_host(b"s" * 32, []) as stranger:
        peer = await stranger.dial(tap.address)
        for protocol in PROTOCOLS:
            stranger.handle(protocol, read_on)
        stream = await stranger.open_stream(peer, PROTOCOLS)
        await stream.send_all(frame([encode_rpc(SUBSCRIBE)]))
        with trio.fail_after(PATIENCE_S):
            await tap.victim.until(lambda: bool(tap.victim.pubsub.targets(TOPIC)))
            await tap.victim.pubsub.publish(TOPIC, *sent)
            # An id that still waits in the queue is not queued again: let it leave.
            for _ in range(4):
                await stream.send_all(wanted)
                await quiet(tap)
            for _ in range(36):
                await stream.send_all(wanted)
        await quiet(tap)
        entitled = sum(map(len, sent))

        print(f"{tap.said} in, {tap.answered} out, {entitled} published")  # noqa: T201
        assert tap.answered > 3 * entitled
        assert tap.answered <= AT_MOST * (tap.said + entitled)
