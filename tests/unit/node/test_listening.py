"""A listener never writes, and notes how each record came and when it ran."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.validate import Road
from moltp2p.node.events import Arrival
from moltp2p.node.feed import Feed
from moltp2p.node.node import Node
from moltp2p.node.presence import BEAT_S
from moltp2p.node.settings import Role
from moltp2p.store.arrivals import SeenPeer, Span, State, read_peers, read_spans
from moltp2p.store.engine import Delete, Engine
from moltp2p.store.layout import record_key
from tests.patience import PATIENCE_S
from tests.village import Village, address_of, alike, meet, peer_of, post, say


async def read(feed: Feed, count: int) -> list[Arrival]:
    with trio.fail_after(PATIENCE_S):
        return [await anext(feed) for _ in range(count)]


async def all_arrivals(node: Node) -> dict[RecordId, Arrival]:
    """Return the arrivals that a listener has noted by now."""
    found: dict[RecordId, Arrival] = {}
    async with await node.feed(0) as feed:
        with trio.move_on_after(1):
            async for arrival in feed:
                found[arrival.stored.record.id] = arrival
    return found


def spans_of(engine: Engine, state: State) -> list[Span]:
    with engine.view() as view:
        return [span for span in read_spans(view) if span.state is state]


async def test_a_listener_has_no_agent_and_never_writes(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("ear", Role.LISTENER) as ear:
        assert ear.agent is None
        with pytest.raises(UsageError) as refused:
            await ear.publish(post())
        assert refused.value.code == "no-agent"
        status = await ear.status()
        assert (status.role, status.proof) == ("listener", None)
        assert status.retention.keep == "all"
        gossip = status.gossip
        assert gossip is not None
        assert len(gossip.mesh) == 3
    assert not list((village._folder / "ear").glob("agent*"))


async def test_it_notes_who_brought_what_and_by_which_road(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        early = await say(alice, 20, "before")
    async with (
        village.open("alice") as alice,
        village.open("ear", Role.LISTENER) as ear,
    ):
        await meet(ear, alice)
        await alike([alice, ear], within_s=10)
        late = await say(alice, 5, "now")
        await alike([alice, ear], within_s=10)

        found = await all_arrivals(ear)

        assert {*early, *late} <= found.keys()
        assert {found[each].road for each in early} == {Road.SYNC}
        assert {found[each].road for each in late} == {Road.GOSSIP}
        assert {each.peer for each in found.values()} == {peer_of(alice)}
        for each in late:
            header = found[each].stored.record.header
            came_ms = found[each].came_ms
            assert came_ms is not None
            assert 0 < came_ms - header.time_ms < 1_000


async def test_it_relays_what_it_hears(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("alice", sync_interval=0) as alice,
        village.open("bob", sync_interval=0) as bob,
        village.open("ear", Role.LISTENER) as ear,
    ):
        await meet(ear, alice, bob)
        await trio.sleep(3)
        (said,) = await say(alice, 1)
        await trio.sleep(1)

        assert await bob.get(said) is not None


async def test_a_feed_goes_on_where_it_was_left_even_over_a_restart(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        async with village.open("ear", Role.LISTENER) as ear:
            await meet(ear, alice)
            async with await ear.feed(0) as feed:
                await say(alice, 3)
                first = await read(feed, 3)
                cursor = first[-1].number
        await say(alice, 700)
        async with village.open("ear", Role.LISTENER) as ear:
            await meet(ear, alice)
            async with await ear.feed(cursor) as feed:
                rest = await read(feed, 701)
            await alike([alice, ear], within_s=10)

    numbers = [each.number for each in (*first, *rest)]
    assert numbers == list(range(1, 705))
    assert not any(each.missed for each in rest)


async def test_a_feed_without_a_cursor_begins_now(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 10, "before")
        async with village.open("ear", Role.LISTENER) as ear:
            await meet(ear, alice)
            await alike([alice, ear], within_s=10)
            async with await ear.feed() as feed:
                (said,) = await say(alice, 1, "now")

                assert (await anext(feed)).stored.record.id == said


async def test_a_feed_says_how_much_is_gone(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        posts = await say(alice, 3)
        async with village.open("ear", Role.LISTENER) as ear:
            await meet(ear, alice)
            await alike([alice, ear], within_s=10)
            engine = village.engine("ear")
            noted = {each.record: each.number for each in ear._store.arrivals(0, 10)}
            gone = min(posts, key=noted.__getitem__)
            assert gone in await all_arrivals(ear)
            engine.apply([Delete(record_key(gone))])

            async with await ear.feed(noted[gone] - 1) as feed:
                (told,) = await read(feed, 1)

            assert told.missed == 1
            assert told.stored.record.id != gone


async def test_a_cursor_of_another_node_is_refused(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("ear", Role.LISTENER) as ear:
        with pytest.raises(UsageError) as refused:
            await ear.feed(1)
        assert refused.value.code == "bad-cursor"
    async with village.open("alice") as alice:
        with pytest.raises(UsageError) as refused:
            await alice.feed(0)
        assert refused.value.code == "no-arrivals"


async def test_it_notes_when_it_ran_and_when_it_had_peers(
    village: Village, autojump_clock: MockClock
) -> None:
    begin_ms = village.now_ms()
    async with village.open("ear", Role.LISTENER) as ear:
        await trio.sleep(63)
        async with village.open("alice") as alice:
            alice_peer = peer_of(alice)
            await meet(ear, alice)
            met_ms = village.now_ms()
            await trio.sleep(102)
        left_ms = village.now_ms()
        await trio.sleep(60)
    end_ms = village.now_ms()
    await trio.sleep(500)
    async with village.open("ear", Role.LISTENER):
        await trio.sleep(50)
        crash = spans_of(village.engine("ear"), State.RUNNING)[1]

    first, second = spans_of(village.engine("ear"), State.RUNNING)
    (hearing,) = spans_of(village.engine("ear"), State.HEARING)
    beat_ms = BEAT_S * 1000
    assert (first.from_ms, first.until_ms, first.ended) == (begin_ms, end_ms, True)
    assert second.from_ms - first.until_ms >= 500_000
    assert not crash.ended
    assert crash.until_ms >= second.until_ms - beat_ms
    # To the moment, and not to a beat.
    assert met_ms - 1_000 < hearing.from_ms <= met_ms
    assert met_ms + 102_000 <= hearing.until_ms <= left_ms
    assert hearing.ended
    with village.engine("ear").view() as view:
        (seen,) = read_peers(view)
    assert seen == SeenPeer(PeerId(alice_peer), hearing.from_ms, hearing.until_ms)


async def test_a_peer_that_came_and_went_between_two_beats_was_there(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("ear", Role.LISTENER) as ear:
        await trio.sleep(BEAT_S + 1)
        async with village.open("alice") as alice:
            await meet(ear, alice)
            await trio.sleep(3)
        await trio.sleep(3 * BEAT_S)

    (hearing,) = spans_of(village.engine("ear"), State.HEARING)
    assert 3_000 <= hearing.until_ms - hearing.from_ms < BEAT_S * 1_000
    assert hearing.ended


async def test_a_peer_of_another_network_is_seen_and_not_heard(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("ear", Role.LISTENER) as ear,
        village.stranger("stranger") as stranger,
    ):
        await stranger.dial(await address_of(ear))
        await trio.sleep(3 * BEAT_S)
        assert spans_of(village.engine("ear"), State.HEARING) == []
        async with village.open("alice") as alice:
            await meet(ear, alice)
            met_ms = village.now_ms()
            await trio.sleep(3 * BEAT_S)
        await trio.sleep(3 * BEAT_S)

        (hearing,) = spans_of(village.engine("ear"), State.HEARING)

    assert met_ms - 1_000 < hearing.from_ms <= met_ms
    assert hearing.ended
    with village.engine("ear").view() as view:
        assert len(read_peers(view)) == 2


async def test_who_comes_only_to_see_whether_it_can_is_no_peer(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("ear", Role.LISTENER) as ear,
        village.stranger("stranger") as stranger,
    ):
        address = await address_of(ear)
        for stays_s, noted in ((0.1, 0), (0.6, 1)):
            peer = await stranger.dial(address)
            await trio.sleep(stays_s)
            await stranger.disconnect(peer)
            await trio.sleep(2 * BEAT_S)

            with village.engine("ear").view() as view:
                assert len(read_peers(view)) == noted


async def test_a_crash_soon_after_the_first_peer_has_that_peer(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("alice") as alice,
        village.open("ear", Role.LISTENER) as ear,
    ):
        await trio.sleep(BEAT_S / 4)
        await meet(ear, alice)
        met_ms = village.now_ms()
        await trio.sleep(BEAT_S / 4)

        (hearing,) = spans_of(village.engine("ear"), State.HEARING)  # if it crashed now

    assert hearing.from_ms <= met_ms
    assert not hearing.ended


async def test_a_survey_knows_of_the_last_seconds(
    village: Village, autojump_clock: MockClock
) -> None:
    async with (
        village.open("alice") as alice,
        village.open("ear", Role.LISTENER) as ear,
    ):
        await trio.sleep(BEAT_S / 2)
        await meet(ear, alice)
        await trio.sleep(1)
        async for _ in ear.survey():
            pass

        (running,) = spans_of(village.engine("ear"), State.RUNNING)
        (hearing,) = spans_of(village.engine("ear"), State.HEARING)

    assert running.until_ms == hearing.until_ms
    assert 6_000 <= running.until_ms - running.from_ms < 8_000


async def test_a_full_disk_does_not_end_it(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("ear", Role.LISTENER):
        village.full.add("ear")
        await trio.sleep(60)
        village.full.clear()
        await trio.sleep(60)

    (span,) = spans_of(village.engine("ear"), State.RUNNING)
    assert span.until_ms - span.from_ms == 120_000
