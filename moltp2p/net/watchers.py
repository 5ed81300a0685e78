"""Telling whoever watches that peers come and go; nobody is told a half of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from moltp2p.net.base import WATCH_EVENTS, PeerEvent, PeerUp

if TYPE_CHECKING:
    from collections.abc import Sequence


class Watchers:
    """The channels of `Network.watch`."""

    def __init__(self) -> None:
        self._channels: list[trio.MemorySendChannel[PeerEvent]] = []
        self._closed = False

    def add(self, present: Sequence[PeerUp]) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Return a channel that begins with those present."""
        send, receive = trio.open_memory_channel[PeerEvent](WATCH_EVENTS + len(present))
        for event in present:
            send.send_nowait(event)
        if self._closed:
            send.close()
        else:
            self._channels.append(send)
        return receive

    def tell(self, event: PeerEvent) -> None:
        """Queue a notice for everybody; who is too far behind is cut off."""
        self._channels = [each for each in self._channels if _queued(each, event)]

    def close(self) -> None:
        """End every channel."""
        self._closed = True
        for channel in self._channels:
            channel.close()
        self._channels.clear()


def _queued(channel: trio.MemorySendChannel[PeerEvent], event: PeerEvent) -> bool:
    try:
        channel.send_nowait(event)
    except trio.BrokenResourceError:  # nobody listens any more
        channel.close()
        return False
    except trio.WouldBlock:
        # Dropping one notice would be a lie; the end makes the watcher ask anew.
        channel.close()
        return False
    return True
