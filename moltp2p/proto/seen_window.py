"""The seen window: which messages have been met lately."""

from __future__ import annotations

from itertools import islice, takewhile

from moltp2p.core.ids import MessageId
from moltp2p.proto.gossip_settings import MAX_SEEN, SEEN_S


class SeenWindow:
    """Message ids for `SEEN_S`, or for less while more than `MAX_SEEN` come.

    Forgetting early costs one more validation and no more: the judge knows for
    ever what the store holds. Ids leave in bulk, because taking one entry at a
    time from the front of a dict walks over all the holes left before it.
    """

    def __init__(self) -> None:
        self._met_at: dict[MessageId, float] = {}

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._met_at

    def __len__(self) -> int:
        return len(self._met_at)

    def add(self, message_id: MessageId, now: float) -> None:
        """Remember an id from `now` on."""
        if len(self._met_at) >= MAX_SEEN:
            self._drop(list(islice(self._met_at, MAX_SEEN // 16)))
        self._met_at[message_id] = now

    def forget(self, now: float) -> None:
        """Drop what is older than the window; called at each heartbeat."""
        limit = now - SEEN_S
        items = self._met_at.items()
        self._drop([key for key, _ in takewhile(lambda item: item[1] <= limit, items)])

    def _drop(self, ids: list[MessageId]) -> None:
        for message_id in ids:
            del self._met_at[message_id]
