from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import trio
from trio.testing import MockClock

from moltp2p.api.reading import HEARTBEAT_S, tell_arrivals
from moltp2p.core.ids import PeerId
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.node.config import Config
from moltp2p.node.events import SUBSCRIPTION_ARRIVALS, Arrival, Hub
from moltp2p.node.node import open_node
from moltp2p.node.settings import Role
from moltp2p.store.base import Stored
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.patience import PATIENCE_S

ALICE = TestAgent("alice")


def arrival(text: str) -> Arrival:
    stored = Stored(ALICE.post(text), EPOCH_MS, deleted=False)
    return Arrival(stored, Road.GOSSIP, PeerId("12D3KooBob"))


class Reader:
    """A client's side: what was written, and the pace at which it is read."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.pause_s = 0.0

    async def write(self, data: bytes) -> None:
        await trio.sleep(self.pause_s)
        self.read.append(data)

    @property
    def records(self) -> list[Any]:
        return [json.loads(line) for line in self.read if line.strip()]


async def test_an_arrival_is_told_with_the_road_it_came(
    autojump_clock: MockClock,
) -> None:
    hub, reader = Hub(), Reader()
    subscription = hub.subscribe(None)
    hub.announce(arrival("hello"))
    hub.close()

    await tell_arrivals(subscription, reader.write)

    (record,) = reader.records
    assert record["text"] == "hello"
    assert (record["road"], record["peer"], record["missed"]) == (
        "gossip",
        "12D3KooBob",
        0,
    )


async def test_without_news_there_are_heartbeats(autojump_clock: MockClock) -> None:
    hub, reader = Hub(), Reader()
    subscription = hub.subscribe(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_arrivals, subscription, reader.write)
        await trio.sleep(HEARTBEAT_S * 3 + 1)
        hub.close()

    assert reader.read == [b"\n"] * 3


async def test_who_reads_too_slowly_is_told_how_much_was_missed(
    autojump_clock: MockClock,
) -> None:
    hub, reader = Hub(), Reader()
    reader.pause_s = 1.0
    subscription = hub.subscribe(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_arrivals, subscription, reader.write)
        for number in range(SUBSCRIPTION_ARRIVALS + 10):
            hub.announce(arrival(str(number)))
        await trio.sleep(SUBSCRIPTION_ARRIVALS * 2)
        hub.announce(arrival("later"))
        hub.close()

    *_, last = reader.records
    assert (last["text"], last["missed"]) == ("later", 10)
    assert len(reader.records) == SUBSCRIPTION_ARRIVALS + 1


async def test_only_what_is_wanted_is_told_and_what_was_missed_adds_up(
    autojump_clock: MockClock,
) -> None:
    hub, reader = Hub(), Reader()
    subscription = hub.subscribe(None)
    other = Stored(ALICE.post("elsewhere", "art"), EPOCH_MS, deleted=False)
    hub.announce(arrival("one"))
    hub.announce(Arrival(other, Road.SYNC, None, number=7))
    hub.announce(replace(arrival("two"), number=8, came_ms=9))
    hub.close()
    told = [replace(each, missed=2) async for each in subscription]

    async def again() -> AsyncIterator[Arrival]:
        for each in told:
            await trio.lowlevel.checkpoint()
            yield each

    async with aclosing(again()) as arrivals:  # type: ignore[type-var]
        await tell_arrivals(arrivals, reader.write, Selection(community="general"))

    assert [(each["text"], each["missed"]) for each in reader.records] == [
        ("one", 2),
        ("two", 4),
    ]
    assert reader.records[1]["cursor"] == 8
    assert reader.records[1]["arrived_at_ms"] == 9


async def test_a_node_without_a_log_of_arrivals_refuses_a_cursor(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/watch", params={"after": 0})

    assert answer.status_code == 400
    assert answer.json()["code"] == "no-arrivals"


async def test_a_slow_reader_of_a_listener_misses_nothing(tmp_path: Path) -> None:
    bob, reader = TestAgent("bob"), Reader()
    count = SUBSCRIPTION_ARRIVALS + 200
    for number in range(count):
        bob.post(str(number))
    network = NetworkParams(bob.network, admission=False)
    config = Config(tmp_path / "home", network, Role.LISTENER)
    async with open_node(config, offline=True) as node, await node.feed(0) as feed:
        await node.take([record.wire() for record in bob.records], Road.IMPORT)
        with trio.move_on_after(PATIENCE_S) as scope:
            # Nobody reads before all are there, many more than are queued for anyone.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell_arrivals, feed, reader.write)
                while len(reader.read) <= count:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()

    assert not scope.cancelled_caught
    assert [each["cursor"] for each in reader.records] == list(range(1, count + 2))
    assert not any(each["missed"] for each in reader.records)
    assert {each["road"] for each in reader.records} == {"import"}
