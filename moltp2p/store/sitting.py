"""What one batch of records asks of a store, read at once and remembered.

Judging a record and keeping it ask for the same entries, one after the other. They
are read together, in one view, before the first is judged; what is not among them is
read when somebody asks. It holds as long as nobody else writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from moltp2p.core.errors import LocalError
from moltp2p.core.kinds import can_be_deleted
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.quota import Limits, shelf_of
from moltp2p.store import layout, shelf_layout
from moltp2p.store.arrivals import Came
from moltp2p.store.base import Added
from moltp2p.store.chain_cache import ChainCache
from moltp2p.store.changes import Outcome
from moltp2p.store.engine import Engine, Entry, Hole, Reader
from moltp2p.store.held import HeldRecords

_RARE: Final = frozenset({layout.TOMBSTONE, layout.DROPPED, layout.LOST})
"""Tables that are mostly empty: one look at each spares one for each record."""


Keep: TypeAlias = (
    "Callable[[Sequence[Record], Sequence[int], Sequence[Came], Sitting], Outcome]"
)


class Sitting:
    """A `base.Sitting`: entries as they were when they were first read.

    Args:
        engine: where they are.
        chains: the key chains seen last.
        network: whose topics cut the shelves.
        limits: of the shelves.
        version: how often the store was written before.
        keep: keeps records by what a sitting remembers.

    Attributes:
        held: answers a judgement by what is remembered.
        version: what it was given: once the store is past it, nothing here counts.
    """

    def __init__(
        self,
        engine: Engine,
        chains: ChainCache,
        network: NetworkParams,
        limits: Limits,
        version: int,
        keep: Keep,
    ) -> None:
        self.version = version
        self.held = HeldRecords(self, chains, network, limits)
        self._keep = keep
        self._engine = engine
        self._network = network
        self._values: dict[bytes, bytes | None] = {}
        self._empty: set[bytes] | None = None

    def look_ahead(self, records: Iterable[Record]) -> None:
        """Read what judging and keeping these records will ask for.

        Raises:
            LocalError: `store-failed`.
        """
        keys = dict.fromkeys(key for record in records for key in self._keys(record))
        with self._engine.view() as view:
            empty = self._look_for_empty(view)
            for key in keys:
                if key not in self._values and key[:1] not in empty:
                    self._read(key, view)

    def keep(
        self,
        records: Sequence[Record],
        received_at_ms: int,
        came: Sequence[Came] = (),
    ) -> Added:
        """Keep records, as `Store.add` does."""
        times_ms = [received_at_ms] * len(records)
        outcome = self._keep(records, times_ms, came, self)
        return Added(outcome.is_new, outcome.is_taken)

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, as it was."""
        if key in self._values:
            return self._values[key]
        if self._empty is not None and key[:1] in self._empty:
            return None
        self._values[key] = value = self._engine.get(key)
        return value

    @contextmanager
    def view(self) -> Iterator[Reader]:
        """Open a reader of the store as it is now."""
        with self._engine.view() as view:
            yield view

    def over(self, view: Reader) -> Reader:
        """Return a reader that reads of a view what is not remembered."""
        self._look_for_empty(view)
        return _Recalled(self._values, self._empty or set(), view)

    def _keys(self, record: Record) -> Iterator[bytes]:
        header = record.header
        yield layout.record_key(record.id)
        if can_be_deleted(header):
            yield layout.tombstone_key(record.id, header.agent)
        if header.body_hash is not None:
            yield shelf_layout.dropped_key(record.id)
        shelf = shelf_of(header, self._network)
        if shelf is not None:
            name = shelf_layout.shelf_name(header.agent, shelf)
            yield shelf_layout.units_key(name)

    def _look_for_empty(self, view: Reader) -> set[bytes]:
        if self._empty is None:
            self._empty = {
                table for table in _RARE if next(view.scan(table), None) is None
            }
        return self._empty

    def _read(self, key: bytes, view: Reader) -> None:
        try:
            self._values[key] = view.get(key)
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            # Whoever asks for it meets the damage.


class _Recalled:
    """A reader of a view, and of what was read of it before."""

    def __init__(
        self, values: dict[bytes, bytes | None], empty: set[bytes], view: Reader
    ) -> None:
        self._values = values
        self._empty = empty
        self._view = view

    def get(self, key: bytes) -> bytes | None:
        if key in self._values:
            return self._values[key]
        if key[:1] in self._empty:
            return None
        self._values[key] = value = self._view.get(key)
        return value

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry | Hole]:
        return self._view.scan(prefix, after, reverse=reverse)

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        return self._view.scan_each(prefixes)
