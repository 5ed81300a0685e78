"""Faults between two nodes, on a network in memory and a clock of ours."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import MessageId
from moltp2p.net.base import Network, Stream
from moltp2p.net.gossip.rpc_codec import decode_rpc, encode_rpc, frame
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.rpc import (
    MAX_RPC_MESSAGES,
    IHave,
    Message,
    Prune,
    Rpc,
    Subscription,
)
from moltp2p.proto.gossip.settings import MESHSUB_1_2
from moltp2p.testing.faults.conditions import Faults, Orders
from moltp2p.testing.faults.loss import Sieve, what_arrives
from moltp2p.testing.faults.network import open_faulty_network
from moltp2p.testing.faults.streams import WINDOW_BYTES

PLAIN = "/test/1.0.0"


@dataclass
class Pair:
    """Alice, whose network is faulty, and Bob, whose is not."""

    alice: Network
    bob: Network
    faults: Faults
    taken: trio.MemoryReceiveChannel[Stream]

    def face(self, **orders: object) -> None:
        near = replace(Orders(notice_s=5), **orders)  # type: ignore[arg-type]
        self.faults.face(near)

    async def dial(self) -> None:
        await self.alice.dial(self.bob.addresses()[0])

    async def streams(self, protocol: str = PLAIN) -> tuple[Stream, Stream]:
        """Return Alice's end and Bob's of a stream that Bob opened."""
        theirs = await self.bob.open_stream(self.alice.peer_id, [protocol])
        return await self.taken.receive(), theirs


@asynccontextmanager
async def open_pair() -> AsyncIterator[Pair]:
    hub = MemoryHub()
    faults = Faults(Orders(notice_s=5))
    send, taken = trio.open_memory_channel[Stream](10)
    opening = open_memory_network(hub, b"alice")
    async with (
        open_faulty_network(opening, faults) as alice,
        open_memory_network(hub, b"bob") as bob,
    ):

        async def serve(stream: Stream) -> None:
            await send.send(stream)
            await trio.sleep_forever()

        for protocol in (PLAIN, MESHSUB_1_2):
            alice.handle(protocol, serve)
            bob.handle(protocol, serve)
        with trio.fail_after(600):
            yield Pair(alice, bob, faults, taken)


async def took(work: Callable[[], object]) -> float:
    began = trio.current_time()
    await work()  # type: ignore[misc]
    return trio.current_time() - began


async def test_without_orders_nothing_is_late(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        await pair.dial()
        ours, theirs = await pair.streams()
        await theirs.send_all(b"hello")

        assert await ours.receive_some(100) == b"hello"
        assert trio.current_time() == pytest.approx(0, abs=0.01)
        assert not +pair.faults.counts


async def test_bytes_are_late_in_order_and_not_one_after_the_other(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as pair:
        pair.face(latency_s={pair.bob.peer_id: 0.5})
        assert await took(pair.dial) == pytest.approx(4.0)
        ours, theirs = await pair.streams()
        began = trio.current_time()
        for part in (b"one", b"two", b"three"):
            await theirs.send_all(part)
            await trio.sleep(0.1)
        heard = [(await ours.receive_some(100), trio.current_time()) for _ in "123"]

        assert [data for data, _ in heard] == [b"one", b"two", b"three"]
        assert [at - began for _, at in heard] == pytest.approx([0.5, 0.6, 0.7])
        assert pair.faults.counts["delayed"] == 3


async def test_jitter_never_puts_one_byte_before_another(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as pair:
        pair.face(latency_s={pair.bob.peer_id: 0.5}, jitter=1.0)
        await pair.dial()
        ours, theirs = await pair.streams()
        came: list[float] = []
        heard = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_slowly, theirs, b"abcdefghijkl")
            while len(heard) < 12:
                heard += await ours.receive_some(1)
                came.append(trio.current_time())

        assert heard == b"abcdefghijkl"
        assert came == sorted(came)
        assert len(set(came)) > 3


async def send_slowly(stream: Stream, data: bytes) -> None:
    for start in range(len(data)):
        await stream.send_all(data[start : start + 1])
        await trio.sleep(0.05)


async def test_the_end_comes_after_what_was_sent(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        pair.face(latency_s={pair.bob.peer_id: 0.5})
        await pair.dial()
        ours, theirs = await pair.streams()
        await theirs.send_all(b"last words")
        await theirs.close()

        assert await ours.receive_some(4) == b"last"
        assert await ours.receive_some(100) == b" words"
        assert await ours.receive_some(100) == b""
        assert await ours.receive_some(100) == b""


async def test_a_stream_that_is_reset_says_so(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        await pair.dial()
        ours, theirs = await pair.streams()
        await theirs.reset()

        with pytest.raises(PeerError, match="stream-reset"):
            await ours.receive_some(100)


async def test_what_was_closed_here_is_not_read(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        await pair.dial()
        ours, _ = await pair.streams()
        await ours.close()
        await ours.close()

        with pytest.raises(trio.ClosedResourceError):
            await ours.receive_some(100)


async def test_a_partition_holds_bytes_back_until_it_heals(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as pair:
        await pair.dial()
        ours, theirs = await pair.streams()
        began = trio.current_time()
        pair.faults.cut([pair.bob.peer_id])
        await theirs.send_all(b"hello")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heal_after, pair.faults, 3)
            data = await ours.receive_some(100)

        assert data == b"hello"
        assert trio.current_time() - began == pytest.approx(3)
        assert pair.faults.counts["held"] == 1
        assert pair.faults.counts["hung-up"] == 0


async def test_a_long_partition_ends_the_connection(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        await pair.dial()
        ours = await pair.alice.open_stream(pair.bob.peer_id, [PLAIN])
        theirs = await pair.taken.receive()
        pair.faults.cut([pair.bob.peer_id])
        await theirs.send_all(b"hello")

        with pytest.raises(PeerError, match="stream-reset"):
            await ours.receive_some(100)

        assert trio.current_time() == pytest.approx(5)
        assert pair.alice.peers() == pair.bob.peers() == []
        assert pair.faults.counts["hung-up"] == 1


async def test_who_is_cut_off_answers_no_dial(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        pair.faults.cut([pair.bob.peer_id])
        with pytest.raises(PeerError, match="dial-failed"):
            await pair.dial()
        assert trio.current_time() == pytest.approx(10)

        pair.faults.cut([])
        await pair.dial()
        pair.faults.cut([pair.bob.peer_id])
        with pytest.raises(PeerError, match="too-slow"):
            await pair.alice.open_stream(pair.bob.peer_id, [PLAIN])
        assert pair.faults.counts["refused"] == 2


async def test_who_comes_in_while_cut_off_is_sent_away(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as pair:
        pair.faults.cut([pair.bob.peer_id])
        await trio.sleep(6)
        await pair.bob.dial(pair.alice.addresses()[0])
        await trio.sleep(1.1)

        assert pair.alice.peers() == []


async def test_a_thin_line_takes_its_time(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        await pair.dial()
        ours, theirs = await pair.streams()
        pair.face(uplink_mbit=0.8, downlink_mbit=0.4)

        async def up() -> None:
            await ours.send_all(bytes(100_000))

        async def down() -> None:
            await theirs.send_all(bytes(100_000))
            left = 100_000
            while left:
                left -= len(await ours.receive_some(WINDOW_BYTES))

        assert await took(up) == pytest.approx(1.0, rel=0.01)
        assert await took(down) == pytest.approx(2.0, rel=0.01)


async def test_whoever_sends_more_than_a_window_waits_for_the_partition(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as pair:
        await pair.dial()
        _, theirs = await pair.streams()
        pair.faults.cut([pair.bob.peer_id])

        with pytest.raises(PeerError, match=r"too-slow|stream-reset"):
            await theirs.send_all(bytes(4 * WINDOW_BYTES))


RPC = Rpc(
    subscriptions=(Subscription("t", subscribed=True),),
    messages=tuple(Message("t", bytes([n])) for n in range(MAX_RPC_MESSAGES)),
    ihave=(IHave("t", tuple(MessageId(bytes([n])) for n in range(100))),),
    iwant=tuple(MessageId(bytes([n])) for n in range(100)),
    graft=("t",),
    prune=(Prune("t", 60),),
    idontwant=tuple(MessageId(bytes([n])) for n in range(100)),
)


def test_messages_and_ids_are_lost_one_by_one_and_links_never() -> None:
    dice = random.Random(1)
    kept = what_arrives(RPC, lambda: dice.random() < 0.3)

    assert MAX_RPC_MESSAGES // 3 < len(kept.messages) < MAX_RPC_MESSAGES
    for parts in (kept.ihave[0].ids, kept.iwant, kept.idontwant):
        assert 50 < len(parts) < 90
    assert kept.subscriptions == RPC.subscriptions
    assert (kept.graft, kept.prune) == (RPC.graft, RPC.prune)


def test_of_total_loss_nothing_is_left_but_links() -> None:
    kept = what_arrives(RPC, lambda: True)

    links = Rpc(subscriptions=RPC.subscriptions, graft=RPC.graft, prune=RPC.prune)
    assert kept == links


async def test_gossip_is_lost_on_gossip_streams_alone(
    autojump_clock: MockClock,
) -> None:
    async with open_pair() as pair:
        pair.face(loss=0.5, seed="7")
        await pair.dial()
        sent = frame([encode_rpc(RPC)])
        ours, theirs = await pair.streams(MESHSUB_1_2)
        await theirs.send_all(sent)
        decoder = FrameDecoder(len(sent))
        decoder.feed(await ours.receive_some(len(sent)))
        payload = decoder.next_frame()
        other, theirs = await pair.streams()
        await theirs.send_all(sent)

        assert payload is not None
        assert 0 < len(decode_rpc(payload).messages) < MAX_RPC_MESSAGES
        assert pair.faults.counts["lost"] > 100
        assert await other.receive_some(len(sent)) == sent


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("loses", [None, lambda: False])
def test_a_sieve_that_loses_nothing_changes_no_byte(
    size: int, loses: Callable[[], bool] | None
) -> None:
    sent = frame([encode_rpc(RPC)]) * 3
    sieve = Sieve()
    parts = [sent[start : start + size] for start in range(0, len(sent), size)]

    assert b"".join(sieve.pass_on(part, loses) for part in [*parts, b""]) == sent


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 50, b"\x03abc", frame([b"\x0a"]), b"\x00\x00"]
)
def test_what_is_no_gossip_passes_as_it_came(garbage: bytes) -> None:
    sieve = Sieve()
    whole = frame([encode_rpc(RPC)])

    first = sieve.pass_on(whole + garbage, lambda: False)
    rest = sieve.pass_on(b"more", lambda: False) + sieve.pass_on(b"", None)

    assert first + rest == whole + garbage + b"more"


async def heal_after(faults: Faults, seconds: float) -> None:
    await trio.sleep(seconds)
    faults.cut([])


def test_a_seed_repeats_what_is_lost() -> None:
    one, other = Faults(Orders(loss=0.5, seed="3")), Faults(Orders(loss=0.5, seed="3"))

    draws = [one.loses() for _ in range(100)]
    assert draws == [other.loses() for _ in range(100)]
    assert 30 < sum(draws) < 70
