"""What goes on with a proof, told to whoever listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Final, TypeAlias

import trio

TOLD_EVENTS: Final = 256
"""Events kept for one who listens; whoever reads too slowly misses some."""
LAST: Final = frozenset({"proved", "proof"})
"""The events after which there is nothing to wait for."""

Event: TypeAlias = Mapping[str, object]


class Telling:
    """Tells all who listen what goes on; never waits for any of them."""

    def __init__(self) -> None:
        self._listeners: set[trio.MemorySendChannel[Event]] = set()

    def tell(self, event: Event) -> None:
        """Tell an event."""
        for listener in self._listeners:
            try:
                listener.send_nowait(event)
            except trio.WouldBlock:
                continue  # it reads too slowly; later events say where we are

    def listen(self, stack: ExitStack) -> trio.MemoryReceiveChannel[Event]:
        """Return what is told from now on, until the stack is closed."""
        send, receive = trio.open_memory_channel[Event](TOLD_EVENTS)
        self._listeners.add(send)
        stack.callback(self._listeners.discard, send)
        return receive


class Proceedings:
    """What goes on until the agent has its proof; iterate over it.

    Args:
        channel: what is told.
        told: what was told already.
    """

    def __init__(
        self, channel: trio.MemoryReceiveChannel[Event], told: Iterable[Event]
    ) -> None:
        self._channel = channel
        self._told = deque(told)
        self._is_over = False

    def __aiter__(self) -> Proceedings:
        """Iterate over the events; the last is of `LAST`."""
        return self

    async def __anext__(self) -> Event:
        """Wait for an event."""
        if self._is_over:
            raise StopAsyncIteration
        try:
            event = (
                self._told.popleft() if self._told else await self._channel.receive()
            )
        except trio.ClosedResourceError:
            raise StopAsyncIteration from None
        self._is_over = event["event"] in LAST
        return event

    def close(self) -> None:
        """End the iteration, wherever it stands."""
        self._channel.close()
