"""A store in memory: the reference, and quick tests."""

from __future__ import annotations

import bisect
import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile

from moltp2p.core.errors import UsageError
from moltp2p.core.topics import NetworkParams
from moltp2p.store.base import KEEP_QUOTAS, Policy, Store
from moltp2p.store.engine import (
    Change,
    Delete,
    Entry,
    Hole,
    Put,
    Reader,
    Result,
    Snapshot,
    prefix_end,
)
from moltp2p.store.records import RecordStore


def open_store(network: NetworkParams, policy: Policy = KEEP_QUOTAS) -> Store:
    """Return a new store that lives as long as the process.

    Args:
        network: whose records are kept.
        policy: what the operator chose to keep.
    """
    return RecordStore(Memory(), network, policy)


class Memory:
    """An engine: one table, and a lock that keeps a view as it is."""

    def __init__(self) -> None:
        self._table = _Table()
        self._lock = threading.RLock()
        self._is_closed = False

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        with self.view() as table:
            return table.get(key)

    @contextmanager
    def view(self) -> Iterator[Reader]:
        """Keep writers out while this is open."""
        with self._lock:
            self._check_open()
            yield self._table

    @contextmanager
    def keep(self) -> Iterator[Snapshot]:
        """Copy the table."""
        with self._lock:
            self._check_open()
            kept = _Kept(copy.deepcopy(self._table))
        yield kept

    def apply(self, changes: Sequence[Change]) -> None:
        """Make all changes."""
        with self._lock:
            self._check_open()
            for change in changes:
                match change:
                    case Put(key, value):
                        self._table.put(key, value)
                    case Delete(key):
                        self._table.delete(key)

    def mend(self) -> bool:
        """Return False: memory does not fail."""
        return False

    def keep_copy(self, schema: int) -> None:
        """Do nothing: what is in memory does not outlive a migration cut off."""

    def drop_copies(self, schemas: range) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Refuse what comes after."""
        with self._lock:
            self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError("store-closed", "the store was closed before")


class _Kept:
    """The table as it was."""

    def __init__(self, table: _Table) -> None:
        self._table = table

    def read(self, work: Callable[[Reader], Result]) -> Result:
        return work(self._table)


class _Table:
    """A dict, and its keys in order."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        places = self._back(prefix, after) if reverse else self._forth(prefix, after)
        keys = (self._keys[place] for place in places)
        for key in takewhile(lambda key: key.startswith(prefix), keys):
            yield key, self._values[key]

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        return (list(self.scan(prefix)) for prefix in prefixes)

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self._values:
            bisect.insort(self._keys, key)
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        if self._values.pop(key, None) is not None:
            del self._keys[bisect.bisect_left(self._keys, key)]

    def _forth(self, prefix: bytes, after: bytes | None) -> range:
        if after is None:
            begin = bisect.bisect_left(self._keys, prefix)
        else:
            begin = bisect.bisect_right(self._keys, after)
        return range(begin, len(self._keys))

    def _back(self, prefix: bytes, before: bytes | None) -> range:
        end = before or prefix_end(prefix)
        behind = len(self._keys) if end is None else bisect.bisect_left(self._keys, end)
        return range(behind - 1, -1, -1)
