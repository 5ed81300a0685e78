"""Whom we wait for when queues fill up, and for how long.

A message of ours, or one that we forward, waits while a peer that it goes to is
too far behind. That keeps bursts whole, and it could be turned against us: a
peer that reads slowly would slow us down, and through us everybody. So waiting
ends, for one peer, when

- nothing has left its queue for `STALL_S` (it is stuck, or we wait in a circle), or
- it has used up its patience: `PATIENCE_S` of waiting for it, growing back at
  `PATIENCE_REGAIN` seconds a second.

Such a peer is slow: its queue may overflow, which is counted and announced by
IHAVE, and nobody waits for it until it has caught up. Our own messages are only
ours to delay: where most peers are behind, it is we who are too fast, and wait
for as long as something leaves their queues at least every `PUBLISH_S`.
See spec/decisions/0005-gossip-backpressure.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import trio

from moltp2p.net.gossip.outbox import FORWARD_MARK, PUBLISH_MARK, STALL_S, Outbox

PUBLISH_S: Final = 10.0

Targets = Callable[[], Iterable[Outbox]]
"""The queues that a message is about to go to; asked again after each wait, since
peers come and go."""


class Backpressure:
    """Lets messages wait for room in the queues they go to."""

    def __init__(self) -> None:
        self._moved = trio.lowlevel.ParkingLot()
        self.waited_s = 0.0

    def on_moved(self) -> None:
        """Look again: something left a queue, or a queue is gone."""
        self._moved.unpark_all()

    async def wait_for_move(self) -> None:
        """Return once something left a queue, or a queue is gone."""
        await self._moved.park()

    async def before_judging(self, targets: Targets) -> None:
        """Return once whatever is accepted can be forwarded without loss."""
        while full := _behind(targets(), FORWARD_MARK):
            waited_s = await self._wait()
            for box in full:
                box.lose_patience(waited_s)

    async def before_publishing(self, targets: Targets) -> None:
        """Return once a message of ours can be queued without loss."""
        while full := _behind(boxes := list(targets()), PUBLISH_MARK):
            waited_s = await self._wait()
            for box in full:
                if 2 * len(full) <= len(boxes):
                    box.lose_patience(waited_s)
                elif trio.current_time() - box.moved_at >= PUBLISH_S:
                    box.is_slow = True

    async def _wait(self) -> float:
        """Wait for a queue to move; return for how long."""
        since = trio.current_time()
        with trio.move_on_after(STALL_S):
            await self._moved.park()
        waited_s = trio.current_time() - since
        self.waited_s += waited_s
        return waited_s


def _behind(boxes: Iterable[Outbox], mark: int) -> list[Outbox]:
    return [box for box in boxes if box.message_bytes > mark and not box.is_slow]
