"""Peers that cheat in sync cost bounded work, and their standing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import topic_number
from moltp2p.net.base import Network, Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.node.node import Node
from moltp2p.node.settings import Role
from moltp2p.node.status import PeerSyncStatus
from moltp2p.node.sync.catching_up import ANSWER_S
from moltp2p.proto.sync import fetch
from moltp2p.proto.sync import messages as sync_messages
from moltp2p.proto.sync.fetch import (
    MAX_ASK_BYTES,
    MAX_PART_BYTES,
    AskRecords,
    AskSequence,
    Collector,
    End,
    Part,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from moltp2p.proto.sync.fetch_answer import MAX_SERVED_PER_PEER, answer
from moltp2p.proto.sync.messages import MAX_FRAME_BYTES
from moltp2p.proto.sync.reconcile import Item, MemorySet, SetSum
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.proto.sync.round import MAX_HOLLOW
from moltp2p.store.base import Query
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from scripts.vectors.fetching import Shelf
from tests.village import PARAMS, Village, alike, held, meet, peer_of, say

TOPICS = range(PARAMS.shards + 1)


class Claims:
    """What a peer says that it holds (`proto.sync_rounds.Holdings`)."""

    def __init__(self, items: dict[int, list[Item]]) -> None:
        self._items = items

    @classmethod
    def of(cls, records: Sequence[Record]) -> Claims:
        items: dict[int, list[Item]] = {}
        for record in records:
            topic = topic_number(PARAMS, record.header.community)
            item = Item(record.header.time_ms, record.id)
            items.setdefault(topic, []).append(item)
        return cls(items)

    def sums(self, topics: Sequence[int], since_ms: int, until_ms: int) -> list[SetSum]:
        sets = [self._within(topic, since_ms, until_ms) for topic in topics]
        return [SetSum.of(item.id for item in each) for each in sets]

    def open_set(
        self, topic: int, since_ms: int, until_ms: int
    ) -> AbstractContextManager[MemorySet]:
        return nullcontext(MemorySet(self._within(topic, since_ms, until_ms)))

    def _within(self, topic: int, since_ms: int, until_ms: int) -> list[Item]:
        items = self._items.get(topic, [])
        return [item for item in items if since_ms <= item.time_ms < until_ms]


Handler = Callable[[Stream], Awaitable[None]]


def compares(claims: Claims, max_records: int = 10**6) -> Handler:
    """Return the handler of a peer that compares as it should."""

    async def serve(stream: Stream) -> None:
        reader = FrameReader(stream, MAX_FRAME_BYTES)
        writer = FrameWriter(stream, MAX_FRAME_BYTES)
        responder = Responder(claims, Scope(TOPICS, 0, max_records))
        while not responder.is_over and (frame := await reader.receive()):
            await writer.send(responder.receive(frame))

    return serve


def sends(make: Callable[[bytes], Sequence[bytes]], asks: list[int]) -> Handler:
    """Return the handler of a peer that answers asks with whatever `make` returns."""

    async def serve(stream: Stream) -> None:
        reader = FrameReader(stream, MAX_ASK_BYTES)
        writer = FrameWriter(stream, MAX_PART_BYTES)
        while frame := await reader.receive():
            asks.append(len(_asked(frame)))
            await writer.send(*make(frame))

    return serve


def _asked(frame: bytes) -> tuple[RecordId, ...]:
    ask = decode_ask(frame)
    return ask.ids if isinstance(ask, AskRecords) else ()


async def stalls(stream: Stream) -> None:
    """Serve a stream by saying nothing, ever."""
    await trio.sleep_forever()


async def babbles(stream: Stream) -> None:
    """Answer with bytes that mean nothing."""
    await FrameWriter(stream, MAX_FRAME_BYTES).send(b"\xff" * 1000)


@asynccontextmanager
async def mallory(
    village: Village, node: Node, reconcile: Handler, fetches: Handler
) -> AsyncIterator[Network]:
    """Connect a node to a peer that does as it is told."""
    async with village.stranger("mallory") as network:
        network.handle(sync_messages.PROTOCOL, reconcile)
        network.handle(fetch.PROTOCOL, fetches)
        await node.connect(network.addresses()[0])
        yield network


async def standing(node: Node, peer: PeerId) -> PeerSyncStatus:
    sync = (await node.status()).sync
    assert sync is not None
    (found,) = [each for each in sync.peers if each.peer == peer]
    return found


async def faults(node: Node, peer: PeerId) -> int:
    return sum(each.faults for each in await node.peers() if each.peer == peer)


def invented(count: int) -> Claims:
    """Return claims of records that never were."""
    ids = (RecordId(number.to_bytes(32)) for number in range(1, count + 1))
    return Claims({0: [Item(EPOCH_MS + n, each) for n, each in enumerate(ids)]})


def _absent(frame: bytes) -> list[bytes]:
    return [encode_answer(End(_asked(frame)))]


@pytest.mark.slow
async def test_who_claims_what_it_does_not_hold_is_soon_left_alone(
    village: Village, autojump_clock: MockClock
) -> None:
    asks: list[int] = []
    async with village.open("bob", Role.LISTENER) as bob:
        liar = mallory(village, bob, compares(invented(5_000)), sends(_absent, asks))
        async with liar as network:
            await trio.sleep(4)
            found = await standing(bob, network.peer_id)
            first = sum(asks)
            await trio.sleep(600)

            assert found.failure == "not-held"
            assert first <= 4 * MAX_HOLLOW
            # Ten minutes later it has had a handful of further chances.
            assert len(asks) <= 20
            assert await faults(bob, network.peer_id) > 1
            assert await held(bob) == set()


def _with_other_body(agent: TestAgent) -> bytes:
    one, other = agent.post("one"), agent.post("two")
    return replace(one, body=other.body).wire()


JUNK = {
    "garbage": (b"\x00garbage", "not-canonical"),
    "no record": (b"\x83\x01\x02\x03", "bad-envelope"),
    "another network's": (
        TestAgent("carol", network="elsewhere").post().wire(),
        "wrong-network",
    ),
    "one cut short": (TestAgent("carol").post().wire()[:-1], "malformed"),
    "another body": (_with_other_body(TestAgent("carol")), "body-mismatch"),
}


@pytest.mark.parametrize("junk", JUNK)
async def test_who_sends_junk_pays_for_it(
    village: Village, autojump_clock: MockClock, junk: str
) -> None:
    wire, code = JUNK[junk]
    asks: list[int] = []

    def send(frame: bytes) -> list[bytes]:
        count = min(len(_asked(frame)), 3)
        return [encode_answer(Part((wire,) * count)), encode_answer(End())]

    async with village.open("bob", Role.LISTENER) as bob:
        peer = mallory(village, bob, compares(invented(500)), sends(send, asks))
        async with peer as network:
            await trio.sleep(4)
            found = await standing(bob, network.peer_id)

            assert found.failure == code
            assert len(asks) <= 2
            assert await faults(bob, network.peer_id) >= 1
            assert await held(bob) == set()


async def test_who_sends_what_was_not_asked_for_pays_for_it(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol")
    others = [carol.post(str(number)) for number in range(50)]
    asks: list[int] = []

    def send(frame: bytes) -> list[bytes]:
        wires = tuple(each.wire() for each in others[: len(_asked(frame))])
        return [encode_answer(Part(wires)), encode_answer(End())]

    async with village.open("bob", Role.LISTENER) as bob:
        peer = mallory(village, bob, compares(invented(500)), sends(send, asks))
        async with peer as network:
            await trio.sleep(4)

            found = await standing(bob, network.peer_id)
            assert found.failure == "unasked-record"
            assert await faults(bob, network.peer_id) >= 1


@pytest.mark.parametrize("where", ["reconcile", "fetch"])
async def test_who_stalls_holds_up_nobody(
    village: Village, autojump_clock: MockClock, where: str
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 200)
    async with (
        village.open("alice") as alice,
        village.open("bob", Role.LISTENER) as bob,
    ):
        theirs = await held(alice)
        records = [
            stored.record for each in theirs if (stored := await alice.get(each))
        ]
        reconcile = stalls if where == "reconcile" else compares(Claims.of(records))
        async with mallory(village, bob, reconcile, stalls) as network:
            await trio.sleep(1.5)
            await meet(bob, alice)
            await trio.sleep(20)

            assert await held(bob) == theirs
            assert await faults(bob, network.peer_id) >= 1


async def test_who_babbles_pays_for_it(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("bob", Role.LISTENER) as bob,
        mallory(village, bob, babbles, babbles) as network,
    ):
        await trio.sleep(4)

        found = await standing(bob, network.peer_id)
        assert found.failure == "malformed"
        assert await faults(bob, network.peer_id) >= 1


async def test_who_does_not_know_the_protocols_is_left_in_peace(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("bob", Role.LISTENER) as bob,
        village.stranger("old") as network,
    ):
        await bob.connect(network.addresses()[0])
        await trio.sleep(300)

        found = await standing(bob, network.peer_id)
        sync = (await bob.status()).sync
        assert found.failure == "protocol-unsupported"
        assert await faults(bob, network.peer_id) == 0
        assert sync is not None
        assert sync.counters["rounds"] == 1


@pytest.mark.slow
async def test_windows_that_are_too_big_come_in_parts(
    village: Village, autojump_clock: MockClock
) -> None:
    carol = TestAgent("carol", time_ms=EPOCH_MS - 86_400_000)
    records = [carol.post(str(n), f"c-{n % 5}") for n in range(300)]
    records = [carol.records[0], *records]

    def serve(frame: bytes) -> list[bytes]:
        return [
            encode_answer(each) for each in answer(decode_ask(frame), Shelf(records))
        ]

    async with village.open("bob", Role.LISTENER) as bob:
        small = compares(Claims.of(records), max_records=10)
        async with mallory(village, bob, small, sends(serve, [])) as network:
            await trio.sleep(60)

            assert await held(bob) == {record.id for record in records}
            found = await standing(bob, network.peer_id)
            assert (found.behind, found.failure) == (0, None)


async def _converse(network: Network, peer: PeerId, *frames: bytes) -> list[bytes]:
    """Send frames on a stream for asks; return what comes, until it ends."""
    stream = await network.open_stream(peer, [fetch.PROTOCOL])
    reader = FrameReader(stream, MAX_PART_BYTES)
    came = []
    with trio.move_on_after(5), suppress(PeerError):
        for frame in frames:
            await FrameWriter(stream, MAX_PART_BYTES).send(frame)
        while frame := await reader.receive():
            came.append(frame)
    await stream.reset()
    return came


async def test_who_opens_many_streams_is_told_to_wait(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        posts = await say(alice, 10)
        ask = encode_ask(AskRecords(tuple(posts)))
        async with mallory(village, alice, stalls, stalls) as network:
            answers: list[list[bytes]] = []

            async def try_it() -> None:
                answers.append(await _converse(network, peer_of(alice), ask))

            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(try_it)

            served = [
                each for each in answers if isinstance(decode_answer(each[0]), Part)
            ]
            assert len(served) == MAX_SERVED_PER_PEER
            assert len(answers) == 20
            assert await faults(alice, network.peer_id) == 0


@pytest.mark.slow
async def test_who_asks_for_much_is_answered_at_a_bounded_pace(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        big = [await say(alice, 1, "x" * 30_000) for _ in range(64)]
        ids = tuple(each for posts in big for each in posts)
        ask = encode_ask(AskRecords(ids))
        async with mallory(village, alice, stalls, stalls) as network:
            stream = await network.open_stream(peer_of(alice), [fetch.PROTOCOL])
            reader = FrameReader(stream, MAX_PART_BYTES)
            sent = 0
            start = trio.current_time()
            while trio.current_time() - start < 10:
                await FrameWriter(stream, MAX_ASK_BYTES).send(ask)
                collector = Collector(decode_ask(ask))
                while collector.ended is None:
                    collector.receive(await reader.receive())
                sent += collector.bytes

    per_s = sent / 10
    assert per_s < 24 * 2**20
    assert per_s > 4 * 2**20


@pytest.mark.parametrize(
    "frame",
    [b"\xff", b"\xa0", encode_ask(AskRecords((RecordId(bytes(32)),)))[:-1]],
    ids=["garbage", "nothing", "cut"],
)
async def test_what_is_no_ask_ends_a_stream_and_costs_a_fault(
    village: Village, autojump_clock: MockClock, frame: bytes
) -> None:
    async with (
        village.open("alice") as alice,
        mallory(village, alice, stalls, stalls) as network,
    ):
        came = await _converse(network, peer_of(alice), frame)
        assert alice.agent is not None
        ask = encode_ask(AskSequence(alice.agent, 0, 9))
        after = await _converse(network, peer_of(alice), ask)

        assert came == []
        assert await faults(alice, network.peer_id) == 1
        assert isinstance(decode_answer(after[0]), Part)


async def test_who_names_a_next_place_for_ever_keeps_nobody_from_writing(
    village: Village, autojump_clock: MockClock
) -> None:
    asks: list[int] = []
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(alice, bob)
        await say(alice, 50)
        await alike([alice, bob], within_s=10)
        told = await bob.query(Query(agent=alice.agent, limit=1_000))
    *_, first = records = [stored.record for stored in told.records]

    def name_next(frame: bytes) -> list[bytes]:
        ask = decode_ask(frame)
        if not isinstance(ask, AskSequence):
            return [encode_answer(Part((first.wire(),))), encode_answer(End())]
        part = Part((records[0].wire(),))  # the newest is in whatever is asked for
        return [encode_answer(part), encode_answer(End(next_seq=ask.first + 1))]

    village.forget("alice")
    async with village.open("alice") as alice, village.open("bob") as bob:
        names = sends(name_next, asks)
        async with mallory(village, alice, compares(Claims({})), names):
            await trio.sleep(3)
            await meet(alice, bob)
            with trio.fail_after(2 * ANSWER_S):
                while True:
                    with suppress(UsageError):
                        (again,) = await say(alice, 1, "at last")
                        break
                    await trio.sleep(1)
            written = await alice.get(again)

    assert written is not None
    assert written.record.header.seq == records[0].header.seq + 1
    # Each record that it sends takes it a place further, up to the newest there is.
    assert len(asks) < records[0].header.seq + 10
