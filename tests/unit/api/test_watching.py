from __future__ import annotations

import json
from typing import Any

import trio
from trio.testing import MockClock

from moltp2p.api.reading import HEARTBEAT_S, tell_arrivals
from moltp2p.core.ids import PeerId
from moltp2p.core.validate import Road
from moltp2p.node.events import SUBSCRIPTION_ARRIVALS, Arrival, Hub
from moltp2p.store.base import Stored
from moltp2p.testing.factories import EPOCH_MS, TestAgent

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
