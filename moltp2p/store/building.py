"""Filling tables that follow from the records: after a migration, or anew.

A builder returns what puts some records into its table; the tables are emptied, and
then filled a chunk at a time, in order of the records' times. How far that came is in
M "building", in the same transaction as each chunk. Whoever opens the store goes on.

Migration, repair and tests share the builders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Engine, Hole, Put, Reader
from moltp2p.store.set_tree import new_sums, set_changes

CHUNK_RECORDS: Final = 512
"""Records to a transaction: at most 32 MiB of them, and about 50 ms."""
CHUNK_KEYS: Final = 10_000
"""Entries that are deleted in one transaction."""

_END: Final = b"\0"
"""Behind the letters of the tables that are being built; then how far that came."""

Builder: TypeAlias = Callable[[Sequence[Record], Reader, NetworkParams], list[Change]]
"""Returns what puts records into a table that has what came before them."""

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many records are done, and of how many."""


def untold(done: int, total: int) -> None:
    """Tell nobody how far it is."""


def build_set(
    records: Sequence[Record], held: Reader, network: NetworkParams
) -> list[Change]:
    """Put records into their topics' sets, and count them."""
    members = {}
    for record in records:
        topic = topic_number(network, record.header.community)
        key = layout.member_key(topic, record.id, record.header)
        if held.get(key) is None:
            members[key] = True
    sums = new_sums(members, held, {})
    return set_changes(members, sums) + count_changes(len(members), held)


def count_changes(more: int, held: Reader) -> list[Change]:
    """Return what changes when there are so many records more, or fewer."""
    count = int.from_bytes(held.get(layout.COUNT_KEY) or b"", "big")
    return [Put(layout.COUNT_KEY, layout.number(count + more))] if more else []


BUILDERS: Final[Mapping[bytes, Builder]] = {layout.SET: build_set}
"""Which tables can be built, by their letters."""


def begin_building(tables: bytes) -> list[Change]:
    """Return what makes the next `go_on_building` build these tables anew."""
    return [Delete(layout.SHARDS_KEY), _state(tables, b"")]


def go_on_building(
    engine: Engine, network: NetworkParams, progress: Progress = untold
) -> None:
    """Build what is to be built; nothing when all tables are whole.

    Raises:
        LocalError: `disk-full`, `store-failed`, `store-damaged`; it can be gone on.
    """
    state = engine.get(layout.BUILDING_KEY)
    if state is None:
        return
    tables, _, place = state.partition(_END)
    letters = [bytes((letter,)) for letter in tables]
    if not place:
        _empty(engine, letters)
    _Filling(engine, network, tables, progress).run(place or None)
    engine.apply(
        [
            Delete(layout.BUILDING_KEY),
            Put(layout.SHARDS_KEY, layout.number(network.shards)),
        ]
    )


def _empty(engine: Engine, letters: Sequence[bytes]) -> None:
    """Delete all that stands in these tables."""
    for letter in letters:
        while keys := _some_keys(engine, letter):
            engine.apply([Delete(key) for key in keys])
    if layout.SET in letters:
        engine.apply([Put(layout.COUNT_KEY, layout.number(0))])


def _some_keys(engine: Engine, letter: bytes) -> list[bytes]:
    with engine.view() as view:
        entries = islice(view.scan(letter), CHUNK_KEYS)
        return [entry[0] for entry in entries if not isinstance(entry, Hole)]


class _Filling:
    """The tables that are being filled."""

    def __init__(
        self, engine: Engine, network: NetworkParams, tables: bytes, progress: Progress
    ) -> None:
        self._engine = engine
        self._network = network
        self._tables = tables
        self._builders = [BUILDERS[bytes((letter,))] for letter in tables]
        self._progress = progress

    def run(self, after: bytes | None) -> None:
        """Put in all records whose place in order of time is behind this one."""
        done = 0
        while True:
            with self._engine.view() as view:
                keys = list(islice(_keys(view, after), CHUNK_RECORDS))
                if not keys:
                    return
                after = keys[-1]
                changes = self._changes(keys, view)
            self._engine.apply([*changes, _state(self._tables, after)])
            done += len(keys)
            self._progress(done, 0)

    def _changes(self, keys: Sequence[bytes], view: Reader) -> list[Change]:
        found = (_load(layout.indexed_record(key), view) for key in keys)
        records = [record for record in found if record is not None]
        return [
            change
            for builder in self._builders
            for change in builder(records, view, self._network)
        ]


def _keys(view: Reader, after: bytes | None) -> Iterator[bytes]:
    """Yield the keys of the index by time, past what cannot be read of it."""
    for entry in view.scan(layout.BY_TIME, after):
        if not isinstance(entry, Hole):
            yield entry[0]


def _load(record: RecordId, view: Reader) -> Record | None:
    """Return a record that is whole; `verify` names the others."""
    try:
        value = view.get(layout.record_key(record))
        return None if value is None else layout.unpack_record(record, value)[0]
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        return None


def _state(tables: bytes, place: bytes) -> Put:
    return Put(layout.BUILDING_KEY, tables + _END + place)
