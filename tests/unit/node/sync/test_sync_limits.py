"""What ends a round that is worth nothing, and what begins none."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.net.base import Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.node.node import Node
from moltp2p.node.status import SyncStatus
from moltp2p.node.sync.serving import Server
from moltp2p.proto.sync import fetch
from moltp2p.proto.sync import messages as sync_messages
from moltp2p.proto.sync.fetch import AskRecords, End, Part
from moltp2p.store import layout
from moltp2p.store.base import Query
from moltp2p.store.engine import Put
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import TestAgent
from tests.village import PARAMS, Village, alike, meet, say


async def sync_of(node: Node) -> SyncStatus:
    sync = (await node.status()).sync
    assert sync is not None
    return sync


async def test_a_peer_that_trickles_is_left_though_it_tells_the_truth(
    village: Village, autojump_clock: MockClock
) -> None:
    agent = TestAgent("mallory")
    records = [agent.incept(), *(agent.post(f"post {n}") for n in range(300))]
    store = open_store(PARAMS)
    store.add(records, agent.time_ms)
    server = Server(store, range(3), lambda: 0, lambda _: None)

    async def trickle(stream: Stream) -> None:
        reader = FrameReader(stream, fetch.MAX_ASK_BYTES)
        writer = FrameWriter(stream, fetch.MAX_PART_BYTES)
        while frame := await reader.receive():
            ask = fetch.decode_ask(frame)
            assert isinstance(ask, AskRecords)
            await trio.sleep(9)
            (wire,) = store.wires(ask.ids[:1])
            assert wire is not None
            await writer.send(fetch.encode_answer(Part((wire,))))
            await writer.send(fetch.encode_answer(End()))

    async with village.open("bob") as bob, village.stranger("mallory") as mallory:
        mallory.handle(sync_messages.PROTOCOL, server.reconcile)
        mallory.handle(fetch.PROTOCOL, trickle)
        await bob.connect(mallory.addresses()[0])
        await trio.sleep(150)

        (peer,) = (await sync_of(bob)).peers

        assert peer.failure == "too-slow"
        assert peer.gained > 1  # what came is kept


async def test_nothing_is_fetched_while_nothing_can_be_written(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(bob, alice)
        await trio.sleep(10)
        before = await sync_of(bob)
        village.full.add("bob")
        await say(alice, 5)
        await trio.sleep(600)
        during = await sync_of(bob)
        assert during.counters["rounds"] <= before.counters["rounds"] + 1

        village.full.clear()
        await alike([alice, bob], within_s=15)


async def test_what_is_found_damaged_comes_again_from_a_peer(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(bob, alice)
        first, second = await say(alice, 2)
        await alike([alice, bob], within_s=10)
        spoilt = [Put(layout.record_key(each), b"rotten") for each in (first, second)]
        village.engine("bob").apply(spoilt)
        with pytest.raises(LocalError, match="damaged-record"):
            await bob.get(first)
        assert [each.record for each in (await bob.query(Query())).damaged]
        await trio.sleep(5)

        for each in (first, second):
            mended, whole = await bob.get(each), await alice.get(each)
            assert mended is not None
            assert whole is not None
            assert mended.record == whole.record


@pytest.mark.parametrize("knows", [True, False])
async def test_an_agent_put_back_from_a_backup_writes_once_who_knows_it_has_told(
    village: Village, autojump_clock: MockClock, *, knows: bool
) -> None:
    async with village.open("alice") as alice:
        await say(alice, 3)
        if knows:
            async with village.open("bob") as bob:
                await meet(bob, alice)
                await alike([alice, bob], within_s=10)
    village.engine("alice").apply([Put(layout.BEHIND_KEY, b"")])
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(bob, alice)
        await trio.sleep(20)

        if knows:
            await say(alice, 1)
        else:
            with pytest.raises(UsageError, match="behind"):
                await say(alice, 1)
