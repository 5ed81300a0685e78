"""What waits for judgement: bounded for each peer, and taken in turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import Judged, Validate

Incoming = Validate
"""A message to be judged: `peer`, `topic`, `message_id` and `data`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what else the router should know (`proto.gossip_events.Judged`).

    Attributes:
        verdict: the verdict.
        forward: whether an ACCEPTed message is passed on.
        needless: whether an honest peer would not have sent an IGNOREd one.
    """

    verdict: Verdict
    forward: bool = True
    needless: bool = False

    def of(self, message_id: MessageId) -> Judged:
        """Return this judgement of a message, for the router."""
        return Judged(message_id, self.verdict, self.forward, self.needless)


BATCH_MESSAGES: Final = 128
BATCH_BYTES: Final = 88 * 1024
"""Judged in one call, and at most one message more. Two of them, which are judged at
once, are less than what lies between the forward mark and the capacity of an outbox,
so that they cannot overflow a queue that had room for them."""

BACKLOG_MESSAGES: Final = 512
BACKLOG_BYTES: Final = 512 * 1024
"""Of one peer, waiting or being judged; at either, we stop reading from it."""


@dataclass(slots=True)
class _Backlog:
    waiting: deque[Incoming] = field(default_factory=deque)
    messages: int = 0  # waiting, and being judged
    bytes: int = 0

    def is_full(self) -> bool:
        return self.messages >= BACKLOG_MESSAGES or self.bytes >= BACKLOG_BYTES


class Inbox:
    """The messages that wait for the judge.

    A flooding peer fills its own backlog and then waits; the others' messages
    are taken in turns with its own.
    """

    def __init__(self) -> None:
        self._backlogs: dict[PeerId, _Backlog] = {}
        self._turns: deque[_Backlog] = deque()  # those with something waiting
        self._filled = trio.Event()
        self._judged = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        """Return how many messages wait or are being judged."""
        return sum(backlog.messages for backlog in self._backlogs.values())

    def put(self, incoming: Incoming) -> None:
        """Queue a message."""
        backlog = self._backlogs.setdefault(incoming.peer, _Backlog())
        if not backlog.waiting:
            self._turns.append(backlog)
            self._filled.set()
        backlog.waiting.append(incoming)
        backlog.messages += 1
        backlog.bytes += len(incoming.data)

    async def wait_for_room(self, peer: PeerId) -> None:
        """Return once the peer's backlog is not full; at once, mostly."""
        while (backlog := self._backlogs.get(peer)) and backlog.is_full():
            await self._judged.park()

    async def wait(self) -> None:
        """Return once something waits for judgement."""
        while not self._turns:
            self._filled = trio.Event()
            await self._filled.wait()

    def take(self) -> list[Incoming]:
        """Take out a batch, one message of each peer in turn; `done` is to follow."""
        batch: list[Incoming] = []
        room = BATCH_BYTES
        while self._turns and room > 0 and len(batch) < BATCH_MESSAGES:
            backlog = self._turns.popleft()
            incoming = backlog.waiting.popleft()
            batch.append(incoming)
            room -= len(incoming.data)
            if backlog.waiting:
                self._turns.append(backlog)
        return batch

    def done(self, batch: Sequence[Incoming]) -> None:
        """Give the room back that a batch took, to those who wait for it."""
        for incoming in batch:
            backlog = self._backlogs[incoming.peer]
            backlog.messages -= 1
            backlog.bytes -= len(incoming.data)
            if not backlog.messages:
                del self._backlogs[incoming.peer]
        self._judged.unpark_all()
