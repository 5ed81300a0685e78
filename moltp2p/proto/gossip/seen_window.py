"""The seen window: what has been met lately."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice, takewhile
from typing import Generic, TypeVar

from moltp2p.proto.gossip.settings import MAX_SEEN, SEEN_S

Key = TypeVar("Key", bound=Hashable)


class SeenWindow(Generic[Key]):
    """Message ids for `SEEN_S`, or for less while more than `max_keys` come.

    Forgetting early costs one more validation and no more: the judge knows for
    ever what the store holds. Ids leave in bulk, because taking one entry at a
    time from the front of a dict walks over all the holes left before it.

    Args:
        max_keys: how many are remembered; `MAX_SEEN` when None.
    """

    def __init__(self, max_keys: int | None = None) -> None:
        self._met_at: dict[Key, float] = {}
        self._max_keys = MAX_SEEN if max_keys is None else max_keys

    def __contains__(self, key: Key) -> bool:
        return key in self._met_at

    def __len__(self) -> int:
        return len(self._met_at)

    def add(self, key: Key, now: float) -> None:
        """Remember an id from `now` on."""
        if len(self._met_at) >= self._max_keys:
            self._drop(list(islice(self._met_at, self._max_keys // 16)))
        self._met_at[key] = now

    def forget(self, now: float) -> None:
        """Drop what is older than the window; called at each heartbeat."""
        limit = now - SEEN_S
        items = self._met_at.items()
        self._drop([key for key, _ in takewhile(lambda item: item[1] <= limit, items)])

    def _drop(self, keys: list[Key]) -> None:
        for key in keys:
            del self._met_at[key]
