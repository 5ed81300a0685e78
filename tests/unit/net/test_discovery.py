"""Dialling: bootstrap peers stay connected, and nodes find each other through them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.codec import encode
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, Stream
from moltp2p.net.discovery import Discovery, DiscoverySettings, open_discovery
from moltp2p.net.memory import MemoryHub, memory_peer_id, open_memory_network
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.address import Address, Endpoint, parse_ip
from moltp2p.proto.address_book import DialState
from moltp2p.proto.peer_exchange import PROTOCOL, Ask, encode_ask

HOME = Endpoint(parse_ip("10.9.9.9"), 4001)
BOOT = str(Address(HOME, memory_peer_id(b"boot")))


@dataclass
class Node:
    network: Network
    discovery: Discovery

    def peers(self) -> set[PeerId]:
        return {info.peer for info in self.network.peers()}


@asynccontextmanager
async def open_node(
    hub: MemoryHub,
    name: str,
    bootstrap: list[str],
    settings: DiscoverySettings | None = None,
    endpoint: Endpoint | None = None,
) -> AsyncIterator[Node]:
    rng = random.Random(name)
    async with (
        open_memory_network(hub, name.encode(), endpoint=endpoint) as network,
        open_discovery(network, bootstrap, rng, settings) as discovery,
    ):
        yield Node(network, discovery)


async def test_a_bootstrap_peer_is_dialled(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    async with (
        open_node(hub, "boot", []) as boot,
        open_node(hub, "alice", boot.network.addresses()) as alice,
    ):
        await trio.sleep(1)

        assert alice.peers() == {boot.network.peer_id}
        (status,) = alice.discovery.status()
        assert status.bootstrap
        assert status.state is DialState.CONNECTED


async def test_a_bootstrap_peer_that_comes_back_is_connected_again(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    async with open_node(hub, "alice", [BOOT]) as alice:
        async with open_node(hub, "boot", [], endpoint=HOME):
            await trio.sleep(60)
            assert alice.peers()
        await trio.sleep(60)
        (status,) = alice.discovery.status()
        assert status.state is DialState.WAITING
        assert status.failures > 3
        assert status.last_error == "dial-failed"
        assert 0 < status.next_attempt_s <= 64

        async with open_node(hub, "boot", [], endpoint=HOME) as boot:
            await trio.sleep(65)
            assert alice.peers() == {boot.network.peer_id}


async def test_a_bootstrap_peer_may_have_its_own_address_in_the_list(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    async with open_node(hub, "boot", [BOOT], endpoint=HOME) as boot:
        await trio.sleep(10)

        assert boot.discovery.status() == []


async def test_what_nobody_could_dial_is_said_at_once() -> None:
    hub = MemoryHub()
    with pytest.raises(UsageError) as raised:
        async with open_node(hub, "alice", ["localhost:4001"]):
            pass

    assert raised.value.code == "bad-address"


@pytest.mark.parametrize("count", [3, 30])
async def test_nodes_that_know_one_bootstrap_peer_find_each_other(
    autojump_clock: MockClock, count: int
) -> None:
    hub = MemoryHub(lambda _from, _to: 0.02)
    settings = DiscoverySettings(target_peers=8)
    async with AsyncExitStack() as stack:
        boot = await stack.enter_async_context(open_node(hub, "boot", []))
        nodes = [
            await stack.enter_async_context(
                open_node(hub, f"{n}", boot.network.addresses(), settings)
            )
            for n in range(count)
        ]
        await trio.sleep(10)

        assert all(len(node.peers()) >= min(8, count) for node in nodes)
        assert reached_without(boot, nodes) == {n.network.peer_id for n in nodes}


def reached_without(boot: Node, nodes: list[Node]) -> set[PeerId]:
    """Return whom the first node reaches when the bootstrap peer is left out."""
    peers = {node.network.peer_id: node.peers() for node in nodes}
    found: set[PeerId] = set()
    ahead = [nodes[0].network.peer_id]
    while ahead:
        one = ahead.pop()
        if one not in found and one != boot.network.peer_id:
            found.add(one)
            ahead.extend(peers[one])
    return found


async def test_a_healed_partition_grows_together(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    async with AsyncExitStack() as stack:
        boot = await stack.enter_async_context(open_node(hub, "boot", []))
        nodes = [
            await stack.enter_async_context(
                open_node(hub, f"{n}", boot.network.addresses())
            )
            for n in range(4)
        ]
        await trio.sleep(10)
        ids = [node.network.peer_id for node in (boot, *nodes)]
        hub.partition(ids[:2], ids[2:])
        await trio.sleep(10)
        assert nodes[0].peers() == {ids[0]}

        hub.heal_all()
        await trio.sleep(60)

        assert all(len(node.peers()) == 4 for node in nodes)


async def test_only_so_many_are_dialled_at_once(autojump_clock: MockClock) -> None:
    hub = MemoryHub(lambda _from, _to: 1.0)
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(open_memory_network(hub, b"%d" % n))
            for n in range(9)
        ]
        addresses = [other.addresses()[0] for other in others]
        alice = await stack.enter_async_context(
            open_node(hub, "alice", addresses, DiscoverySettings(max_dials=3))
        )
        most = 0
        for _ in range(100):
            states = [status.state for status in alice.discovery.status()]
            most = max(most, states.count(DialState.DIALLING))
            await trio.sleep(0.1)

        assert most == 3
        assert len(alice.peers()) == 9


# -- liars


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"\xff", "malformed"),
        (encode({"peers": ["/ip4/9.0.0.1/tcp/1"] * 33}), "bad-exchange"),
        (encode([1]), "bad-exchange"),
    ],
)
async def test_a_bad_answer_is_a_fault(
    autojump_clock: MockClock, answer: bytes, code: str
) -> None:
    hub = MemoryHub()

    async def lie(stream: Stream) -> None:
        await FrameReader(stream, 8192).receive()
        await FrameWriter(stream, 8192).send(answer)

    async with open_memory_network(hub, b"liar") as liar:
        liar.handle(PROTOCOL, lie)
        async with open_node(hub, "alice", liar.addresses()) as alice:
            await trio.sleep(0.3)  # before it asks again

            assert alice.network.stats().faults == {code: 1}
            assert len(alice.discovery.status()) == 1


async def test_a_peer_that_never_answers_is_not_waited_for(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()

    async def silent(stream: Stream) -> None:
        await trio.sleep_forever()

    async with open_memory_network(hub, b"mute") as mute:
        mute.handle(PROTOCOL, silent)
        async with open_node(hub, "alice", mute.addresses()) as alice:
            await trio.sleep(5.5)

            assert alice.network.stats().faults["too-slow"] >= 1


async def test_a_flood_of_asks_gets_nothing_more(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    async with (
        open_node(hub, "boot", []) as boot,
        open_node(hub, "bob", boot.network.addresses()),
        open_memory_network(hub, b"mallory") as mallory,
    ):
        await trio.sleep(1)
        await mallory.dial(boot.network.addresses()[0])
        answers = []
        for _ in range(3):
            stream = await mallory.open_stream(boot.network.peer_id, [PROTOCOL])
            await FrameWriter(stream, 8192).send(encode_ask(Ask((), ())))
            answers.append(await FrameReader(stream, 8192).receive())
            await stream.close()

    assert answers[0] != answers[1] == answers[2] == encode({"peers": []})
