"""The queue to one peer: bounded, control first, and what is dropped is counted."""

from __future__ import annotations

import trio
import trio.testing

from moltp2p.core.ids import MessageId
from moltp2p.net.gossip.outbox import (
    ANNOUNCEMENT_CAPACITY,
    CAPACITY,
    CONTROL_CAPACITY,
    FORWARD_MARK,
    LOW_MARK,
    PATIENCE_S,
    REQUEST_CAPACITY,
    STALL_S,
    WRITE_BYTES,
    Outbox,
    Parcel,
)
from moltp2p.net.gossip.rpc_codec import decode_rpc, encode_message, encode_rpc
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES, IHave, Rpc
from tests.swarm import TOPIC, id_of


def parcel(data: bytes) -> Parcel:
    return Parcel(TOPIC, encode_message(TOPIC, data))


def put(box: Outbox, *datas: bytes) -> list[str]:
    return [topic for d in datas for topic in box.put_message(id_of(d), parcel(d))]


def sent(data: bytes) -> list[Rpc]:
    """Return the RPCs of one write."""
    decoder = FrameDecoder(1 << 20)
    decoder.feed(data)
    rpcs = []
    while (payload := decoder.next_frame()) is not None:
        rpcs.append(decode_rpc(payload))
    decoder.end()
    return rpcs


def all_sent(box: Outbox) -> list[Rpc]:
    rpcs = []
    while len(box):
        rpcs += sent(box.take())
        box.sent()
    return rpcs


def numbered(count: int, size: int = 300) -> list[bytes]:
    return [b"%06d" % number + b"." * (size - 6) for number in range(count)]


async def test_what_is_queued_goes_in_few_writes_and_in_order() -> None:
    box = Outbox()
    datas = numbered(1000)
    put(box, *datas)
    writes = []
    while len(box):
        writes.append(box.take())

    rpcs = [rpc for write in writes for rpc in sent(write)]

    assert [message.data for rpc in rpcs for message in rpc.messages] == datas
    assert len(writes) == 6
    assert max(map(len, writes)) <= WRITE_BYTES + 16
    assert max(len(rpc.messages) for rpc in rpcs) == 64


async def test_control_goes_before_messages_each_rpc_in_its_own_frame() -> None:
    box = Outbox()
    put(box, b"message")
    box.put_control(encode_rpc(Rpc(graft=("a",))), request=False)
    box.put_control(encode_rpc(Rpc(graft=("b",))), request=False)

    rpcs = sent(box.take())

    assert [rpc.graft for rpc in rpcs] == [("a",), ("b",), ()]
    assert len(rpcs[2].messages) == 1
    assert len(box) == 0


async def test_a_message_larger_than_a_write_goes_alone() -> None:
    box = Outbox()
    large = b"." * MAX_MESSAGE_BYTES
    put(box, b"before", large, b"after")

    writes = [sent(box.take()) for _ in range(3)]

    assert [[m.data for rpc in w for m in rpc.messages] for w in writes] == [
        [b"before"],
        [large],
        [b"after"],
    ]


async def test_a_full_queue_drops_the_oldest_and_says_so() -> None:
    box = Outbox()
    datas = numbered(3000)

    dropped = put(box, *datas)

    kept = [message.data for rpc in all_sent(box) for message in rpc.messages]
    assert set(dropped) == {TOPIC}
    assert len(dropped) + len(kept) == 3000
    assert kept == datas[len(dropped) :]
    assert box.drops == {"queue-full": len(dropped)}


async def test_a_queue_never_holds_more_than_its_capacity() -> None:
    box = Outbox()
    for data in numbered(40, size=MAX_MESSAGE_BYTES):
        put(box, data)
        assert box.size_bytes <= CAPACITY
    for _ in range(1000):
        box.put_control(b"." * 1000, request=False)
        box.put_announcement(b"." * 1000)

    most = CAPACITY + CONTROL_CAPACITY + ANNOUNCEMENT_CAPACITY
    assert box.size_bytes <= most <= (1 << 20) - WRITE_BYTES


async def test_an_answer_never_displaces_a_message() -> None:
    box = Outbox()
    while box.size_bytes <= FORWARD_MARK:
        put(box, b"%d" % len(box) + b"." * 1000)
    waiting = len(box)

    dropped = box.put_answer(id_of(b"asked"), parcel(b"asked"))

    assert dropped == [TOPIC]
    assert len(box) == waiting
    assert box.drops == {"answer-queue-full": 1}


async def test_announcements_come_after_the_messages_that_wait() -> None:
    box = Outbox()
    box.put_announcement(encode_rpc(Rpc(ihave=(IHave(TOPIC, ()),))))
    put(box, *numbered(300))

    rpcs = all_sent(box)

    assert [bool(rpc.ihave) for rpc in rpcs] == [False] * (len(rpcs) - 1) + [True]


async def test_the_oldest_announcement_makes_room() -> None:
    box = Outbox()
    for _ in range(200):
        box.put_announcement(b"." * 1000)

    assert ANNOUNCEMENT_CAPACITY - 1000 < box.size_bytes <= ANNOUNCEMENT_CAPACITY
    assert box.drops == {"announcement-queue-full": 200 - len(box)}


async def test_requests_leave_room_for_what_must_be_said() -> None:
    box = Outbox()
    while box.put_control(b"." * 1000, request=True):
        pass

    assert REQUEST_CAPACITY - 1000 < box.size_bytes <= REQUEST_CAPACITY
    assert box.put_control(b"." * 1000, request=False)
    assert box.drops == {"request-queue-full": 1}


async def test_a_message_is_queued_once_and_can_be_taken_back() -> None:
    box = Outbox()
    put(box, b"one", b"two", b"one")

    box.withdraw([id_of(b"one"), MessageId(b"unknown")])

    assert [m.data for rpc in all_sent(box) for m in rpc.messages] == [b"two"]
    assert box.size_bytes == 0


async def test_waiting_ends_when_something_is_queued(
    autojump_clock: trio.testing.MockClock,
) -> None:
    box = Outbox()

    async def queue_later() -> None:
        await trio.sleep(5)
        put(box, b"now")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue_later)
        await box.wait()
        assert trio.current_time() == 5
    box.take()
    with trio.move_on_after(1) as waiting:
        await box.wait()
    assert waiting.cancelled_caught


async def test_what_was_taken_and_perhaps_not_sent_counts_as_lost() -> None:
    box = Outbox()
    put(box, b"sent")
    box.take()
    box.sent()
    put(box, b"perhaps")
    box.take()
    put(box, b"waiting")

    box.abandon()

    assert box.sent_messages == 1
    assert box.drops == {"peer-gone": 2}


async def test_a_queue_is_idle_once_its_last_write_has_ended() -> None:
    box = Outbox()
    idle = [box.is_idle]
    for step in (lambda: put(box, b"message"), box.take, box.sent):
        step()
        idle.append(box.is_idle)

    assert idle == [True, False, False, True]


async def test_a_peer_that_takes_nothing_is_slow_until_it_has_caught_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    box = Outbox()
    put(box, *numbered(2000))

    slow = []
    for _ in range(2):
        await trio.sleep(STALL_S / 2)
        box.lose_patience(STALL_S / 2)
        slow.append(box.is_slow)
    assert slow == [False, True]

    sizes = [box.size_bytes]
    while box.is_slow:
        box.take()
        sizes.append(box.size_bytes)
    assert sizes[-2] > LOW_MARK >= sizes[-1]


async def test_patience_with_a_peer_that_moves_slowly_ends_and_grows_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    box = Outbox()
    waited_s = 0.0
    put(box, *numbered(100))
    while not box.is_slow:
        await trio.sleep(1)
        put(box, b"%f" % waited_s)
        box.moved_at = trio.current_time()  # as if something had been taken
        box.lose_patience(1)
        waited_s += 1

    assert waited_s == 2 * PATIENCE_S - 1  # half of it grew back, once there was less

    await trio.sleep(2 * PATIENCE_S)
    box.moved_at = trio.current_time()
    box.lose_patience(1)
    assert not box.is_slow


async def test_what_is_queued_behind_a_stuck_write_does_not_hide_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    box = Outbox()
    put(box, b"stuck")
    box.take()

    await trio.sleep(STALL_S - 0.1)
    put(box, b"queued")
    was_behind = box.is_behind(trio.current_time())
    await trio.sleep(0.1)

    assert not was_behind
    assert box.is_behind(trio.current_time())
