"""Whether a node can be dialled, as those say that try."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import base58
import pytest
import trio
from libp2p.host.autonat.pb.autonat_pb2 import Message
from trio.testing import MockClock

from moltp2p.core.ids import PeerId
from moltp2p.net.base import ConnectionLimits, Network
from moltp2p.net.finding.autonat import MAX_MESSAGE_BYTES, PROTOCOL, AutoNat
from moltp2p.net.finding.discovery import Means, open_discovery
from moltp2p.net.host import open_host
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.address import Endpoint, endpoint_bytes, parse_address, parse_ip
from moltp2p.proto.peers.reachability import MAX_REPORTS, Reach, Reachability
from tests.acquaintances import WORLD, peer, wall_ms

ANY_PORT = "/ip4/127.0.0.1/tcp/0"


def endpoints(network: Network) -> list[Endpoint]:
    return [parse_address(each).endpoint for each in network.addresses()]


def autonat(network: Network, *also: Endpoint) -> AutoNat:
    return AutoNat(network, lambda: [*endpoints(network), *also], random.Random(1))


@pytest.fixture
async def server() -> AsyncIterator[Network]:
    async with open_host(b"s" * 32, [ANY_PORT]) as network:
        network.handle(PROTOCOL, autonat(network).answer)
        yield network


async def asked(server: Network, of: AutoNat, network: Network) -> Reach:
    await network.dial(server.addresses()[0])
    (info,) = network.peers()
    await of.ask(info)
    assert info in network.peers()  # the same connection as before
    return of.reach.verdict


@pytest.mark.slow
async def test_who_listens_is_reached_and_keeps_its_connection(server: Network) -> None:
    async with open_host(b"a" * 32, [ANY_PORT]) as network:
        of = autonat(network)

        assert await asked(server, of, network) is Reach.OPEN
        assert of.reach.confirmed == endpoints(network)


@pytest.mark.slow
async def test_who_listens_elsewhere_is_not_reached(server: Network) -> None:
    with trio.socket.socket() as sock:
        await sock.bind(("127.0.0.1", 0))
        closed = Endpoint(parse_ip("127.0.0.1"), sock.getsockname()[1])
        async with open_host(b"a" * 32, []) as network:
            of = autonat(network, closed)

            assert await asked(server, of, network) is Reach.CLOSED
            assert of.reach.confirmed == []


async def say(server: Network, network: Network, ask: Message) -> Message.DialResponse:
    stream = await network.open_stream(server.peer_id, [PROTOCOL])
    await FrameWriter(stream, MAX_MESSAGE_BYTES).send(ask.SerializeToString())
    data = await FrameReader(stream, MAX_MESSAGE_BYTES).receive(10.0)
    await stream.close()
    return Message.FromString(data).dialResponse


def dial(who: PeerId, *where: Endpoint) -> Message:
    addresses = [endpoint_bytes(each) for each in where]
    info = Message.PeerInfo(id=base58.b58decode(who), addrs=addresses)
    return Message(type=Message.DIAL, dial=Message.Dial(peer=info))


@pytest.mark.slow
async def test_nobody_is_sent_to_a_third(server: Network) -> None:
    async with open_host(b"m" * 32, []) as mallory:
        await mallory.dial(server.addresses()[0])
        elsewhere = Endpoint(WORLD, 80)
        port_0 = Endpoint(parse_ip("127.0.0.1"), 0)

        refused = [
            await say(server, mallory, dial(mallory.peer_id, each))
            for each in (elsewhere, port_0)
        ]
        in_other_name = await say(server, mallory, dial(peer(1), elsewhere))

    assert {each.status for each in refused} == {Message.E_DIAL_REFUSED}
    assert in_other_name.status == Message.E_BAD_REQUEST


@pytest.mark.slow
async def test_one_stranger_is_dialled_only_so_often_by_whatever_names(
    server: Network,
) -> None:
    answers = []
    for name in (b"a", b"b"):
        async with open_host(name * 32, [ANY_PORT]) as network:
            await network.dial(server.addresses()[0])
            ask = dial(network.peer_id, *endpoints(network))
            answers += [(await say(server, network, ask)).status for _ in range(3)]

    assert answers == [Message.OK] * 4 + [Message.E_DIAL_REFUSED] * 2


@pytest.mark.slow
async def test_a_node_that_has_no_room_says_nothing_of_who_asks() -> None:
    full = ConnectionLimits(total=1)
    async with (
        open_host(b"s" * 32, [ANY_PORT], limits=full) as server,
        open_host(b"a" * 32, [ANY_PORT]) as network,
    ):
        server.handle(PROTOCOL, autonat(server).answer)
        of = autonat(network)

        assert await asked(server, of, network) is Reach.UNKNOWN


async def test_who_cannot_try_is_remembered_while_connected(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    async with open_memory_network(hub, b"alice") as alice:
        of = autonat(alice)
        for name in (b"one", b"two", b"three"):
            async with open_memory_network(hub, name) as other:
                await alice.dial(other.addresses()[0])
                (info,) = alice.peers()
                await of.ask(info)
                assert of._next() is None
                assert of._strangers == {other.peer_id}
                await alice.disconnect(other.peer_id)


async def test_nodes_find_out_by_themselves(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    async with (
        open_memory_network(hub, b"boot") as boot,
        open_discovery(boot, [], random.Random(1), Means(wall_ms)),
        open_memory_network(hub, b"alice") as alice,
        open_discovery(
            alice, boot.addresses(), random.Random(2), Means(wall_ms)
        ) as discovery,
    ):
        await trio.sleep(40)

        finding = discovery.finding()
        assert finding.reach is Reach.OPEN
        assert finding.reached_at == [str(each) for each in endpoints(alice)]


def test_the_most_decide_and_the_last_count() -> None:
    reach = Reachability()
    verdicts = [reach.verdict]
    for number in range(20):
        reach.report(peer(number), None)
    verdicts.append(reach.verdict)
    for number in range(20, 20 + MAX_REPORTS // 2):
        reach.report(peer(number), Endpoint(WORLD, 1))
    verdicts.append(reach.verdict)

    assert verdicts == [Reach.UNKNOWN, Reach.CLOSED, Reach.OPEN]
    assert reach.confirmed == [Endpoint(WORLD, 1)]
