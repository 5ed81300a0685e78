"""The message cache: what can be announced by IHAVE and served to IWANT."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.settings import (
    CACHE_WINDOWS,
    GOSSIP_WINDOWS,
    MAX_CACHE_BYTES,
    MAX_CACHE_MESSAGES,
)


@dataclass(slots=True)
class CachedMessage:
    """One message, and how often each peer was given it on request."""

    topic: str
    data: bytes
    served: dict[PeerId, int] = field(default_factory=dict)


class MessageCache:
    """The messages of the last `CACHE_WINDOWS` heartbeats, bounded in number and bytes.

    A window lists the ids of one heartbeat by topic. An id whose message was
    evicted early stays in its window and is passed over when it is read.
    """

    def __init__(self) -> None:
        self._messages: dict[MessageId, CachedMessage] = {}
        self._windows: deque[dict[str, list[MessageId]]] = deque([{}])
        self._bytes = 0

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._messages

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def size_bytes(self) -> int:
        """The bytes of data held."""
        return self._bytes

    def put(self, message_id: MessageId, topic: str, data: bytes) -> None:
        """Keep a message that is not in the cache yet."""
        self._messages[message_id] = CachedMessage(topic, data)
        self._windows[0].setdefault(topic, []).append(message_id)
        self._bytes += len(data)
        if self._bytes > MAX_CACHE_BYTES or len(self._messages) > MAX_CACHE_MESSAGES:
            self._evict_oldest()

    def get(self, message_id: MessageId) -> CachedMessage | None:
        """Return the message, or None when it is not, or no longer, here."""
        return self._messages.get(message_id)

    def recent_topics(self) -> list[str]:
        """Return the topics of the gossip windows, newest window first."""
        windows = islice(self._windows, GOSSIP_WINDOWS)
        return list(dict.fromkeys(topic for window in windows for topic in window))

    def recent_ids(self, topic: str) -> list[MessageId]:
        """Return a topic's ids of the gossip windows, newest window first."""
        return [
            message_id
            for window in islice(self._windows, GOSSIP_WINDOWS)
            for message_id in window.get(topic, ())
            if message_id in self._messages
        ]

    def shift(self) -> None:
        """Begin a new window and drop the one that is now too old."""
        self._windows.appendleft({})
        if len(self._windows) > CACHE_WINDOWS:
            for ids in self._windows.pop().values():
                self._drop(ids)

    def _evict_oldest(self) -> None:
        """Make room in bulk: an eighth of the messages at a time, oldest first."""
        while self._messages:
            share = max(1, len(self._messages) // 8)
            self._drop(list(islice(self._messages, share)))
            if self._bytes <= MAX_CACHE_BYTES:
                return

    def _drop(self, ids: Iterable[MessageId]) -> None:
        for message_id in ids:
            dropped = self._messages.pop(message_id, None)
            if dropped is not None:
                self._bytes -= len(dropped.data)
