"""Dialling: bootstrap peers stay connected, and nodes find each other through them."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.codec import encode
from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Stream
from moltp2p.net.finding.discovery import (
    LOOK_AGAIN_S,
    DiscoverySettings,
    Means,
    open_discovery,
)
from moltp2p.net.finding.peer_records import open_record, seal_record
from moltp2p.net.memory import (
    MemoryHub,
    memory_peer_id,
    memory_signer,
    open_memory_network,
)
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.access import AccessRule
from moltp2p.proto.address import Address, Endpoint, parse_ip
from moltp2p.proto.peers.dial_plan import DialPlan
from moltp2p.proto.peers.peer_exchange import (
    PROTOCOL,
    decode_answer,
    decode_ask,
    encode_ask,
)
from moltp2p.proto.peers.status import DialState
from tests.acquaintances import peer, wall_ms
from tests.seekers import BOOT, HOME, Node, open_node


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
        (encode({"peers": [b""] * 17, "seen": b"1234", "time": 1}), "bad-exchange"),
        (encode({"peers": [b"x"], "seen": b"1234", "time": 1}), "bad-peer-record"),
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
            await FrameWriter(stream, 8192).send(encode_ask([]))
            answers.append(await FrameReader(stream, 8192).receive())
            await stream.close()

    told = [len(decode_answer(each).records) for each in answers]
    assert told == [2, 0, 0]


async def test_an_asker_that_names_somebody_else_is_at_fault(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    async with (
        open_node(hub, "boot", []) as boot,
        open_memory_network(hub, b"mallory") as mallory,
    ):
        await mallory.dial(boot.network.addresses()[0])
        victim = seal_record(
            memory_signer(b"victim"),
            wall_ms(),
            (Address(HOME, memory_peer_id(b"victim")),),
        )
        stream = await mallory.open_stream(boot.network.peer_id, [PROTOCOL])
        await FrameWriter(stream, 8192).send(encode_ask([victim.wire]))
        with pytest.raises(PeerError):
            await FrameReader(stream, 8192).receive()

        assert boot.network.stats().faults["bad-exchange"] == 1
        assert boot.discovery.status() == []


async def test_strangers_that_come_and_go_do_not_have_the_book_read_without_end(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    hub = MemoryHub()
    looked: list[float] = []
    due = DialPlan.due

    def counted(self: DialPlan, now: float) -> list[Address]:
        looked.append(now)
        return due(self, now)

    async with open_node(hub, "boot", [], endpoint=HOME):
        monkeypatch.setattr(DialPlan, "due", counted)
        began = trio.current_time()
        for number in range(50):
            async with open_memory_network(hub, f"m{number}".encode()) as mallory:
                await mallory.dial(BOOT)
        lasted = trio.current_time() - began

    assert len(looked) <= 3 + lasted / LOOK_AGAIN_S


async def test_who_left_unnoticed_is_kept_nowhere(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    async with (
        open_node(hub, "boot", [], endpoint=HOME) as boot,
        open_node(hub, "alice", [BOOT]) as alice,
    ):
        await trio.sleep(5)
        exchange = boot.discovery._exchange
        assert exchange.offers.peers() == {alice.network.peer_id}
        exchange.offers.reached(Address(HOME, peer(1)))
        exchange._answered_at[peer(2)] = 0.0

        boot.discovery._notice_absent()

        assert exchange.offers.peers() == {alice.network.peer_id}
        assert exchange._answered_at.keys() <= {alice.network.peer_id}


async def test_a_ban_makes_a_node_forget(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    async with (
        open_node(hub, "boot", [], endpoint=HOME),
        open_node(hub, "bob", [BOOT]) as bob,
        open_node(hub, "alice", [BOOT]) as alice,
    ):
        await trio.sleep(10)
        assert len(alice.discovery.status()) == 2
        ban = AccessRule(bob.network.peer_id, allows=False, reason="", since_ms=0)
        alice.network.access.put(ban)
        await alice.network.disconnect(bob.network.peer_id)
        await trio.sleep(60)

        (left,) = alice.discovery.status()
        assert left.address == BOOT


# -- what a node says of itself


async def test_peers_tell_what_the_clock_should_say(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub(lambda _from, _to: 0.1)
    async with (
        open_node(hub, "boot", [], endpoint=HOME),
        open_memory_network(hub, b"alice") as network,
        open_discovery(
            network, [BOOT], random.Random(1), Means(lambda: wall_ms() - 90_000)
        ) as discovery,
    ):
        await trio.sleep(5)

        ahead_ms = discovery.finding().clock_ahead_ms
        assert ahead_ms is not None
        assert abs(ahead_ms - 90_000) <= 300


async def test_others_are_told_where_the_operator_says(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    outside = Endpoint(parse_ip("10.200.0.1"), 4001)
    settings = DiscoverySettings(announce=(outside,))
    async with (
        open_node(hub, "boot", [], endpoint=HOME) as boot,
        open_node(hub, "alice", [BOOT], settings) as alice,
    ):
        await trio.sleep(5)

        told = [each.address for each in boot.discovery.status()]
        assert told == [str(Address(outside, alice.network.peer_id))]
        assert alice.discovery.finding().announced == [str(outside)]


async def test_where_peers_see_it_as_it_sees_itself_a_node_is_announced_once(
    autojump_clock: MockClock,
) -> None:
    own = Endpoint(parse_ip("20.1.0.1"), 4001)
    async with (
        open_memory_network(MemoryHub(), b"alice", endpoint=own) as network,
        open_discovery(network, [], random.Random(1), Means(wall_ms)) as discovery,
    ):
        for number in (1, 2):
            teller = parse_ip(f"30.{number}.0.1")
            discovery._exchange.sightings.hear(peer(number), teller, own.ip, 0)

        assert discovery.finding().seen == [str(own.ip)]
        assert discovery.finding().announced == [str(own)]


async def test_a_record_is_signed_anew_each_day(autojump_clock: MockClock) -> None:
    hub = MemoryHub()
    asks = []

    async def listen(stream: Stream) -> None:
        data = await FrameReader(stream, 8192).receive()
        asks.append(open_record(decode_ask(data)[0]).seq)

    settings = DiscoverySettings(target_peers=1)
    async with open_memory_network(hub, b"boot", endpoint=HOME) as boot:
        boot.handle(PROTOCOL, listen)
        async with open_node(hub, "alice", [BOOT], settings):
            await trio.sleep(1.1 * 86_400)

    assert [round((each - asks[0]) / 86_400_000) for each in asks] == [0, 1]
