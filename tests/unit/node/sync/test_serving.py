"""What is served to peers, and what a peer that wants too much of it gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.net.base import Network, Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.node.sync.fetching import open_fetching
from moltp2p.node.sync.reconciling import compare
from moltp2p.node.sync.serving import Server
from moltp2p.proto.sync import fetch
from moltp2p.proto.sync import messages as sync_messages
from moltp2p.proto.sync.fetch import AskRecords, encode_ask
from moltp2p.proto.sync.fetch_answer import MAX_SERVED, MAX_SERVED_PER_PEER
from moltp2p.proto.sync.initiator import Done, Refused
from moltp2p.proto.sync.messages import Window
from moltp2p.store.base import Store
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import TestAgent
from tests.village import PARAMS, Village

ALL = Window((0, 1, 2), 0, 2**62)


@pytest.fixture
def store() -> Store:
    """Return a store that holds something."""
    agent = TestAgent("alice")
    records = [agent.incept(), *(agent.post(f"post {n}") for n in range(20))]
    held = open_store(PARAMS)
    held.add(records, agent.time_ms)
    return held


@asynccontextmanager
async def serving(village: Village, server: Server) -> AsyncIterator[Network]:
    """Serve on the network, for the length of the block."""
    async with village.stranger("server") as network:
        network.handle(sync_messages.PROTOCOL, server.reconcile)
        network.handle(fetch.PROTOCOL, server.fetch)
        yield network


def server_of(store: Store, frame_s: float = 0.0) -> Server:
    """Return a server that takes so long for a frame."""
    clock = count()
    return Server(
        store, range(3), lambda: 0, lambda _: None, lambda: next(clock) * frame_s
    )


async def outcome_with(network: Network, peer: PeerId) -> object:
    found = await compare(network, peer, open_store(PARAMS), ALL, probe=False)
    return found.outcome


async def test_a_peer_whose_frames_take_long_is_refused_and_others_are_not(
    village: Village, store: Store, autojump_clock: MockClock
) -> None:
    server = server_of(store, frame_s=2.6)
    async with (
        serving(village, server) as network,
        village.stranger("greedy") as greedy,
        village.stranger("carol") as carol,
    ):
        for each in (greedy, carol):
            await each.dial(network.addresses()[0])

        outcomes = [await outcome_with(greedy, network.peer_id) for _ in range(2)]

        assert isinstance(outcomes[0], Done)
        assert outcomes[1] == Refused("too-busy")
        assert isinstance(await outcome_with(carol, network.peer_id), Done)
        await trio.sleep(120)
        assert isinstance(await outcome_with(greedy, network.peer_id), Done)


async def test_strangers_without_end_are_refused_before_we_do_nothing_else(
    village: Village, store: Store, autojump_clock: MockClock
) -> None:
    server = server_of(store, frame_s=3.0)
    async with serving(village, server) as network, AsyncExitStack() as stack:
        outcomes: list[object] = []

        async def ask(stranger: Network) -> None:
            outcomes.append(await outcome_with(stranger, network.peer_id))

        strangers = [
            await stack.enter_async_context(village.stranger(f"stranger {number}"))
            for number in range(30)
        ]
        for stranger in strangers:
            await stranger.dial(network.addresses()[0])
        async with trio.open_nursery() as nursery:
            for stranger in strangers:
                nursery.start_soon(ask, stranger)

        refused = outcomes.count(Refused("too-busy"))
        assert server.counters["refused"] == refused
        # What may be taken at once, and what may be waited for, at 3 s a frame.
        assert 30 - refused <= (15 + 0.5 * (trio.current_time() + 10)) / 3 + 2


async def test_streams_on_which_nothing_is_asked_keep_nobody_from_asking(
    village: Village, store: Store, autojump_clock: MockClock
) -> None:
    server = server_of(store)
    async with serving(village, server) as network, AsyncExitStack() as stack:
        idle: list[Stream] = []
        for number in range(MAX_SERVED // MAX_SERVED_PER_PEER + 1):
            name = f"idler {number}"
            stranger = await stack.enter_async_context(village.stranger(name))
            await stranger.dial(network.addresses()[0])
            for _ in range(MAX_SERVED_PER_PEER):
                stream = await stranger.open_stream(network.peer_id, [fetch.PROTOCOL])
                writer = FrameWriter(stream, fetch.MAX_ASK_BYTES)
                await writer.send(encode_ask(AskRecords((RecordId(bytes(32)),))))
                assert await FrameReader(stream, fetch.MAX_PART_BYTES).receive()
                idle.append(stream)

        wanted = await stack.enter_async_context(village.stranger("carol"))
        await wanted.dial(network.addresses()[0])
        came: list[bytes] = []

        async def take(wires: tuple[bytes, ...]) -> None:
            came.extend(wires)

        async with open_fetching(wanted, network.peer_id) as fetching:
            (record,) = (await _ids(store))[:1]
            await fetching.ask(AskRecords((record,)), take)

        assert len(came) == 1
        for stream in idle:
            await stream.reset()


async def test_asks_are_paced_also_for_what_is_not_held(
    village: Village, store: Store, autojump_clock: MockClock
) -> None:
    async with (
        serving(village, server_of(store)) as network,
        village.stranger("greedy") as greedy,
    ):
        await greedy.dial(network.addresses()[0])
        ask = AskRecords(tuple(RecordId(bytes([n]) * 32) for n in range(200)))

        async def take(_: tuple[bytes, ...]) -> None:
            pass

        began = trio.current_time()
        async with open_fetching(greedy, network.peer_id) as fetching:
            for _ in range(300):
                await fetching.ask(ask, take)

        # 16 units and 200 each, 32,768 of them at once.
        assert trio.current_time() - began >= (300 * 216 - 32_768) / 16_384


async def _ids(store: Store) -> list[RecordId]:
    with store.open_set(1, 0, 2**62) as one, store.open_set(2, 0, 2**62) as two:
        return [item.id for each in (one, two) for item in each.items(0, each.size())]


async def test_a_peer_that_stops_reading_is_not_waited_for(
    village: Village, store: Store, autojump_clock: MockClock
) -> None:
    server = server_of(store)
    async with (
        serving(village, server) as network,
        village.stranger("greedy") as greedy,
    ):
        await greedy.dial(network.addresses()[0])
        stream = await greedy.open_stream(network.peer_id, [fetch.PROTOCOL])
        writer = FrameWriter(stream, fetch.MAX_ASK_BYTES)
        asks = [encode_ask(AskRecords(tuple(await _ids(store))))] * 100

        async def ask_on() -> None:
            while True:
                await writer.send(*asks)

        with pytest.raises(PeerError):
            await ask_on()
        await trio.sleep(60)

        assert not server._places
