"""What waits for judgement: in turns, in batches, and bounded for each peer."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from moltp2p.core.ids import PeerId
from moltp2p.net.gossip.inbox import (
    BACKLOG_BYTES,
    BACKLOG_MESSAGES,
    BATCH_BYTES,
    BATCH_MESSAGES,
    Inbox,
    Incoming,
)
from moltp2p.net.gossip.outbox import CAPACITY, FORWARD_MARK
from moltp2p.net.gossip.pubsub import BATCHES
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES
from tests.swarm import TOPIC, id_of

ALICE, BOB, MALLORY = map(PeerId, ("alice", "bob", "mallory"))


def put(inbox: Inbox, peer: PeerId, count: int, size: int = 20) -> None:
    for number in range(count):
        data = b"%s %06d" % (peer.encode(), number) + b"." * size
        inbox.put(Incoming(peer, TOPIC, id_of(data), data))


def senders(batch: list[Incoming]) -> list[PeerId]:
    return [incoming.peer for incoming in batch]


async def test_peers_are_served_in_turns_and_each_in_order() -> None:
    inbox = Inbox()
    put(inbox, MALLORY, 400)
    put(inbox, ALICE, 2)
    put(inbox, BOB, 1)

    batch = inbox.take()

    assert senders(batch)[:6] == [MALLORY, ALICE, BOB, MALLORY, ALICE, MALLORY]
    assert len(batch) == BATCH_MESSAGES
    mine = [incoming.data for incoming in batch if incoming.peer == MALLORY]
    assert mine == sorted(mine)


async def test_turns_go_on_where_the_last_batch_ended() -> None:
    inbox = Inbox()
    for peer in (MALLORY, ALICE, BOB):
        put(inbox, peer, 10, size=BATCH_BYTES // 3)

    first, second = inbox.take(), inbox.take()

    assert senders(first) == [MALLORY, ALICE, BOB]
    assert senders(second) == [MALLORY, ALICE, BOB]


async def test_what_is_judged_at_once_fits_between_the_marks_of_a_queue() -> None:
    inbox = Inbox()
    put(inbox, ALICE, 100, size=MAX_MESSAGE_BYTES - 20)

    batches = [inbox.take() for _ in range(BATCHES)]

    size = sum(len(each.data) + 200 for batch in batches for each in batch)
    assert BATCHES * BATCH_BYTES <= size <= CAPACITY - FORWARD_MARK


async def test_a_backlog_is_full_by_number_or_bytes_until_it_is_judged(
    autojump_clock: MockClock,
) -> None:
    for count, size in ((BACKLOG_MESSAGES, 20), (BACKLOG_BYTES // 50_000 + 1, 50_000)):
        inbox = Inbox()
        put(inbox, MALLORY, count, size)

        with trio.move_on_after(1) as waiting:
            await inbox.wait_for_room(MALLORY)
        await inbox.wait_for_room(ALICE)
        batch = inbox.take()
        with trio.move_on_after(1) as still_waiting:
            await inbox.wait_for_room(MALLORY)
        inbox.done(batch)
        await inbox.wait_for_room(MALLORY)

        assert waiting.cancelled_caught
        assert still_waiting.cancelled_caught


async def test_waiting_ends_when_something_comes(autojump_clock: MockClock) -> None:
    inbox = Inbox()

    async def later() -> None:
        await trio.sleep(3)
        put(inbox, ALICE, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(later)
        await inbox.wait()
        assert trio.current_time() == 3
    inbox.done(inbox.take())
    with trio.move_on_after(1) as waiting:
        await inbox.wait()

    assert waiting.cancelled_caught
    assert len(inbox) == 0
    assert inbox._backlogs == {}
