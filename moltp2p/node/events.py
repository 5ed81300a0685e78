"""What a node tells its embedder as it happens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Final, Self

import trio

from moltp2p.core.ids import PeerId
from moltp2p.core.validate import Road
from moltp2p.store.base import Stored

SUBSCRIPTION_ARRIVALS: Final = 1_024
"""Arrivals kept for one subscriber; when full the newest is dropped and counted."""

ARRIVALS_AT_ONCE: Final = 64
"""Handed to a subscriber that does not wait for anything else, before other tasks
have their turn."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that was new here; it is in the store already.

    Attributes:
        stored: the record, and when it came.
        road: how it came.
        peer: who brought it; None when it was written here or imported.
        missed: arrivals that this subscriber was too slow for, just before
            this one. They are in the store.
        number: its place among all arrivals, where those are noted (a listener's).
        came_ms: our clock when it came, milliseconds since 1970 UTC.
    """

    stored: Stored
    road: Road
    peer: PeerId | None
    missed: int = 0
    number: int | None = None
    came_ms: int | None = None


class Subscription:
    """Arrivals from the moment it was made: `async with` it, `async for` over it."""

    def __init__(self, hub: Hub, community: str | None) -> None:
        self._hub = hub
        self._community = community
        self._missed = 0
        self._arrivals: deque[Arrival] = deque()
        self._handed_over = 0
        self._is_closed = False
        self._changed = trio.lowlevel.ParkingLot()

    def offer(self, arrival: Arrival) -> None:
        """Queue an arrival that this subscriber asked for; never waits."""
        if self._community not in (None, arrival.stored.record.header.community):
            return
        if self._is_closed:
            return
        if len(self._arrivals) >= SUBSCRIPTION_ARRIVALS:
            self._missed += 1
            return
        if self._missed:
            arrival = replace(arrival, missed=self._missed)
            self._missed = 0
        self._arrivals.append(arrival)
        self._changed.unpark_all()

    def skip(self) -> None:
        """Pass over what is queued."""
        self._arrivals.clear()

    def close(self) -> None:
        """Stop; what is queued can still be read."""
        self._hub.remove(self)
        self._is_closed = True
        self._changed.unpark_all()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        self.close()

    def __aiter__(self) -> Self:
        """Iterate over arrivals, in the order they were stored."""
        return self

    async def __anext__(self) -> Arrival:
        """Wait for the next arrival; ends when the node closes."""
        self._handed_over += 1
        if not self._arrivals or self._handed_over % ARRIVALS_AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
        while not self._arrivals:
            if self._is_closed:
                raise StopAsyncIteration
            await self._changed.park()
        return self._arrivals.popleft()


class Hub:
    """Passes each arrival to every subscription."""

    def __init__(self) -> None:
        self._subscriptions: dict[Subscription, None] = {}

    def subscribe(self, community: str | None) -> Subscription:
        """Return a new subscription, to one community or to everything."""
        subscription = Subscription(self, community)
        self._subscriptions[subscription] = None
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription; harmless when it is not there."""
        self._subscriptions.pop(subscription, None)

    def announce(self, arrival: Arrival) -> None:
        """Offer an arrival to everybody who asked for it."""
        for subscription in list(self._subscriptions):
            subscription.offer(arrival)

    def close(self) -> None:
        """End every subscription."""
        for subscription in list(self._subscriptions):
            subscription.close()
