"""Filling tables that follow from the records: after a migration, or anew.

A builder returns what puts some records into its table; the tables are emptied, and
then filled a chunk at a time, in order of the records' times. How far that came is in
M "building", in the same transaction as each chunk. Whoever opens the store goes on.

Migration, repair and tests share the builders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, TypeAlias

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.quota import SPEC_LIMITS
from moltp2p.store import layout, shelf_layout
from moltp2p.store.engine import Change, Delete, Engine, Hole, Put, Reader
from moltp2p.store.progress import Progress, untold
from moltp2p.store.set_tree import new_sums, set_changes
from moltp2p.store.shelves import Shelves

CHUNK_RECORDS: Final = 512
"""Records to a transaction: at most 32 MiB of them, and about 50 ms."""
CHUNK_KEYS: Final = 10_000
"""Entries that are deleted in one transaction."""

_END: Final = b"\0"
"""Behind the letters of the tables that are being built."""

Builder: TypeAlias = Callable[[Sequence[Record], Reader, NetworkParams], list[Change]]
"""Returns what puts records into a table that has what came before them."""


def build_sets(
    records: Sequence[Record], held: Reader, network: NetworkParams
) -> list[Change]:
    """Put records on their shelves and into their topics' sets, and count them."""
    shelves = Shelves(held, network, SPEC_LIMITS)
    for record in records:
        shelves.put(record)
    settled = shelves.settle()
    counted = [
        _more(layout.COUNT_KEY, len(records), held),
        _more(layout.BYTES_KEY, sum(map(_value_bytes, records)), held),
    ]
    sums = new_sums(settled.members, held, {})
    return settled.changes + set_changes(settled.members, sums) + counted


def build_deletions(
    records: Sequence[Record], _held: Reader, _network: NetworkParams
) -> list[Change]:
    """Name all deletions by their targets."""
    return [
        Put(shelf_layout.deletion_key(record), b"")
        for record in records
        if record.header.kind == Kind.DELETE
    ]


def build_forks(
    records: Sequence[Record], _held: Reader, _network: NetworkParams
) -> list[Change]:
    """Name the proofs of forks by whom they are about."""
    keys = map(shelf_layout.fork_key_of, records)
    return [Put(key, b"") for key in keys if key is not None]


def _more(key: bytes, more: int, held: Reader) -> Change:
    return Put(key, layout.number(int.from_bytes(held.get(key) or b"", "big") + more))


def _value_bytes(record: Record) -> int:
    return len(layout.pack_record(record, 0))


SETS: Final = layout.SET + layout.ON_SHELF + layout.BEYOND + layout.UNITS
"""Tables that are built together: what is on a shelf is in a set."""

BUILDERS: Final[Mapping[bytes, Builder]] = {
    layout.SET: build_sets,
    layout.DELETION: build_deletions,
    layout.FORK: build_forks,
}
"""Which tables can be built, by their letters; the first of `SETS` for all of them."""


@dataclass(frozen=True, slots=True)
class _State:
    """How far building is.

    Attributes:
        tables: the letters of those being built.
        done: records that were put in.
        total: of how many, or about so many.
        place: the key of the last of them in the index by time; empty before that.
    """

    tables: bytes
    done: int
    total: int
    place: bytes

    @classmethod
    def unpack(cls, value: bytes) -> _State:
        tables, _, rest = value.partition(_END)
        done, total = (int.from_bytes(rest[at : at + 8]) for at in (0, 8))
        return cls(tables, done, total, rest[16:])

    def put(self) -> Put:
        numbers = layout.number(self.done) + layout.number(self.total)
        return Put(layout.BUILDING_KEY, self.tables + _END + numbers + self.place)


def begin_building(
    tables: bytes, engine: Engine, network: NetworkParams
) -> list[Change]:
    """Return what makes the next `go_on_building` build these tables anew.

    Or those that are unfinished now: sets are always among them.
    """
    total = int.from_bytes(engine.get(layout.COUNT_KEY) or b"")
    value = engine.get(layout.BUILDING_KEY)
    if value is not None:
        unfinished = _State.unpack(value)
        tables, total = unfinished.tables, unfinished.total
    shards = Put(layout.SHARDS_KEY, layout.number(network.shards))
    return [shards, _State(tables, 0, total, b"").put()]


def go_on_building(
    engine: Engine, network: NetworkParams, progress: Progress = untold
) -> None:
    """Build what is to be built; nothing when all tables are whole.

    Raises:
        LocalError: `disk-full`, `store-failed`, `store-damaged`; it can be gone on.
    """
    value = engine.get(layout.BUILDING_KEY)
    if value is None:
        return
    state = _State.unpack(value)
    if not state.place:
        _empty(engine, [bytes((letter,)) for letter in state.tables])
    _fill(engine, network, state, progress)
    engine.apply([Delete(layout.BUILDING_KEY)])


def _empty(engine: Engine, letters: Sequence[bytes]) -> None:
    """Delete all that stands in these tables."""
    for letter in letters:
        while keys := _some_keys(engine, letter):
            engine.apply([Delete(key) for key in keys])
    if layout.SET in letters:
        zero = layout.number(0)
        engine.apply([Put(layout.COUNT_KEY, zero), Put(layout.BYTES_KEY, zero)])


def _some_keys(engine: Engine, letter: bytes) -> list[bytes]:
    with engine.view() as view:
        entries = islice(view.scan(letter), CHUNK_KEYS)
        return [entry[0] for entry in entries if not isinstance(entry, Hole)]


def _fill(
    engine: Engine, network: NetworkParams, state: _State, progress: Progress
) -> None:
    """Put in all records, in order of time, from where it was left off."""
    letters = (bytes((letter,)) for letter in state.tables)
    builders = [BUILDERS[each] for each in letters if each in BUILDERS]
    while True:
        with engine.view() as view:
            keys = list(islice(_keys(view, state.place or None), CHUNK_RECORDS))
            if not keys:
                return
            found = [_load(layout.indexed_record(key), view) for key in keys]
            records = [record for record in found if record is not None]
            built = [builder(records, view, network) for builder in builders]
        done = state.done + len(keys)
        state = _State(state.tables, done, max(done, state.total), keys[-1])
        engine.apply([*chain.from_iterable(built), state.put()])
        progress(state.done, state.total)


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
