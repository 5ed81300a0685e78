"""Telling peers what was written here, also when nobody is there yet.

Gossip reaches whoever is connected. What is written while no peer has joined
its topic waits here and is told once somebody has: a node that was just
started, or cut off for a while, does not speak into the void.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import trio

from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_of

QUEUED_RECORDS: Final = 4_096
"""Own records that may wait to be sent, and again as many that nobody heard;
above it the oldest is dropped and counted, for reconciliation to deliver.
Who asks `room` first does not get there."""

UNHEARD_PAUSE_S: Final = 1.0
"""How often to look whether somebody is there now."""

TOLD_AT_ONCE: Final = 64
"""Records handed over together; one by one, the switch of tasks after each would
cost as much as all the rest of telling it."""


class Publish(Protocol):
    """Sends messages on a topic, in order; waits while its queues are full."""

    def __call__(self, topic: str, *messages: bytes) -> Awaitable[object]:
        """Return once all are queued."""


HasPeers = Callable[[str], bool]


class Relay:
    """A bounded queue of own records, sent in order.

    Args:
        params: names the topics.

    Attributes:
        dropped: records that found no room.
    """

    def __init__(self, params: NetworkParams) -> None:
        self.dropped = 0
        self._params = params
        self._queue: deque[Record] = deque()
        self._unheard: deque[Record] = deque()
        self._wake = trio.Event()
        self._room = trio.Event()
        self._telling = False

    @property
    def unheard(self) -> int:
        """Return how many records no peer has been there to hear."""
        return len(self._unheard)

    def tell(self, record: Record) -> None:
        """Queue a record; never waits."""
        self._push(self._queue, record)
        self._wake.set()

    async def room(self) -> None:
        """Wait until half of the queue is free, so that no own record is dropped."""
        while len(self._queue) > QUEUED_RECORDS // 2:
            await self._room.wait()

    async def finish(self) -> None:
        """Wait until every record is told to whoever is there, or found unheard."""
        while self._queue or self._telling:
            await self._room.wait()

    async def run(self, publish: Publish, has_peers: HasPeers) -> None:
        """Send until cancelled.

        Args:
            publish: sends messages on a topic.
            has_peers: whether anybody that we are connected to joined a topic.
        """
        look_at = 0.0
        while True:
            while self._queue:
                topic, records = self._take()
                self._telling = True
                if has_peers(topic):
                    await publish(topic, *[record.wire() for record in records])
                else:
                    for record in records:
                        self._push(self._unheard, record)
                self._telling = False
                self._room.set()
                self._room = trio.Event()
            self._wake = trio.Event()
            with trio.move_on_after(UNHEARD_PAUSE_S if self._unheard else math.inf):
                await self._wake.wait()
            # Not at each new record: looking costs as much as there is to look at.
            if trio.current_time() >= look_at:
                self._hear_again(has_peers)
                look_at = trio.current_time() + UNHEARD_PAUSE_S

    def _hear_again(self, has_peers: HasPeers) -> None:
        """Put the unheard records whose topic has a peer by now before the rest."""
        waiting, self._unheard = self._unheard, deque()
        heard: list[Record] = []
        for record in waiting:
            now = heard if has_peers(self._topic(record)) else self._unheard
            now.append(record)
        self._queue.extendleft(reversed(heard))

    def _take(self) -> tuple[str, list[Record]]:
        """Take out those that wait first and are for one topic; there is one."""
        topic = self._topic(self._queue[0])
        records: list[Record] = []
        while self._queue and len(records) < TOLD_AT_ONCE:
            if self._topic(self._queue[0]) != topic:
                break
            records.append(self._queue.popleft())
        return topic, records

    def _topic(self, record: Record) -> str:
        return topic_of(self._params, record.header.community)

    def _push(self, queue: deque[Record], record: Record) -> None:
        if len(queue) >= QUEUED_RECORDS:
            queue.popleft()
            self.dropped += 1
        queue.append(record)
