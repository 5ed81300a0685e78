"""Reading a whole store, and naming all that is not as it was written.

Every key is read once, in order, a chunk at a time; what must agree with it is
looked up in the same view, so that a store in use raises no false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import CHAIN_KINDS, Kind, can_be_deleted
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.proto.quota import Limits
from moltp2p.store import layout, shelf_layout
from moltp2p.store.arrivals import unpack_arrival, unpack_peer, unpack_span
from moltp2p.store.base import Damage
from moltp2p.store.engine import Engine, Entry, Hole, Reader
from moltp2p.store.layout import Mark
from moltp2p.store.progress import Progress, untold
from moltp2p.store.verifying_sets import check_node, check_roots
from moltp2p.store.verifying_shelves import (
    check_deletion,
    check_dropped,
    check_fork_entry,
    check_place,
    check_shelved,
    check_units,
)

CHUNK_ENTRIES: Final = 256
"""Entries to a view: at most 16 MiB of records, and about 40 ms."""

_Check: TypeAlias = Callable[[Entry, Reader, NetworkParams], Iterable[Damage]]


def verify(
    engine: Engine,
    network: NetworkParams,
    limits: Limits,
    progress: Progress = untold,
) -> Iterator[Damage]:
    """Report everything that is not as it was written.

    Args:
        engine: what is read.
        network: whose records it has.
        limits: of the shelves.
        progress: is told how many entries were read.

    Raises:
        LocalError: `store-failed`.
    """
    after: bytes | None = None
    holes: set[str] = set()
    is_done, done = False, 0
    while not is_done:
        with engine.view() as view:
            chunk = list(islice(view.scan(b"", after), CHUNK_ENTRIES))
            entries = [entry for entry in chunk if not isinstance(entry, Hole)]
            found = [
                damage
                for entry in entries
                for damage in _check(entry, view, network, limits)
            ]
        # One damaged file can be a hole to every scan.
        new = {entry.message for entry in chunk if isinstance(entry, Hole)} - holes
        holes |= new
        yield from (Damage("store-damaged", None, message) for message in new)
        yield from found
        is_done = not entries
        done += len(entries)
        progress(done, 0)
        after = entries[-1][0] if entries else None
    with engine.view() as view:
        miscounted = [*_check_count(view), *check_roots(view, network)]
    yield from miscounted


def _check(
    entry: Entry, view: Reader, network: NetworkParams, limits: Limits
) -> list[Damage]:
    key = entry[0]
    if key in _META_KEYS:
        return []
    check = _CHECKS.get(key[:1])
    try:
        if key[:1] == layout.UNITS:
            return list(check_units(entry, view, limits))
        if check is not None:
            return list(check(entry, view, network))
        return [_astray(None, f"a key of no table: {key[:80].hex()}")]
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        return [Damage(error.code, _subject(key), error.message)]


def _subject(key: bytes) -> RecordId | None:
    """Return the record that an entry is about, as far as its key tells."""
    is_about_one = key[:1] == layout.RECORD or key[:1] in _INDEXES
    return layout.indexed_record(key) if is_about_one else None


def _check_record(
    entry: Entry, view: Reader, network: NetworkParams
) -> Iterator[Damage]:
    key, value = entry
    record, _ = layout.unpack_record(RecordId(key[1:]), value)
    if not record.is_signed():
        yield Damage("damaged-record", record.id, "not signed by the key it names")
    grave = view.get(layout.tombstone_key(record.id, record.header.agent))
    deleted = grave is not None and can_be_deleted(record.header)
    if deleted and record.body is not None:
        yield _astray(record.id, "deleted, and its body is still there")
    dropped = (
        not deleted
        and record.header.body_hash is not None
        and view.get(shelf_layout.dropped_key(record.id)) is not None
    )
    mark = Mark(record.header.kind, deleted, dropped).pack()
    for index_key in layout.index_keys(record.id, record.header):
        if view.get(index_key) != mark:
            yield _astray(record.id, f"{_table(index_key)} has no such entry for it")
    yield from check_shelved(record, view, network)
    if record.header.kind == Kind.DELETE:
        yield from _check_buried(record, view)
    if record.header.kind in CHAIN_KINDS:
        yield from _check_linked(record, view)


def _check_buried(deletion: Record, view: Reader) -> Iterator[Damage]:
    header = deletion.header
    grave = view.get(layout.tombstone_key(header.refs["target"], header.agent))
    if grave is None or grave > layout.pack_tombstone(deletion):
        yield _astray(deletion.id, "a deletion, and no tombstone stands")
    if view.get(shelf_layout.deletion_key(deletion)) is None:
        yield _astray(deletion.id, "a deletion, and table B does not name it")


def _check_linked(record: Record, view: Reader) -> Iterator[Damage]:
    agent = record.header.agent
    value = view.get(layout.key_chain_key(agent))
    links = () if value is None else layout.unpack_key_chain(agent, value).links
    if all(link.record != record.id for link in links):
        yield _astray(record.id, "not in its agent's key chain")


def _check_index(
    entry: Entry, view: Reader, network: NetworkParams
) -> Iterator[Damage]:
    key, _ = entry
    record = layout.indexed_record(key)
    try:
        held = view.get(layout.record_key(record))
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        # The table of records cannot name it, since it cannot be read there; of
        # the indexes that do, one is enough.
        if key[:1] == layout.BY_TIME:
            yield Damage("damaged-record", record, error.message)
        return
    if held is None:
        yield _astray(record, f"{_table(key)} names it, and it is not held")
        return
    try:
        parsed, _ = layout.unpack_record(record, held)
    except LocalError:
        return  # said of the record itself
    keys = [*layout.index_keys(record, parsed.header), _member_key(parsed, network)]
    if key not in keys:
        yield _astray(record, f"{_table(key)} names it where it does not belong")


def _check_set(entry: Entry, view: Reader, network: NetworkParams) -> Iterable[Damage]:
    key, value = entry
    topic, digits = layout.node_of(key)
    if digits is None:
        return _check_index(entry, view, network)
    return check_node(topic, digits, value, view)


def _check_tombstone(
    entry: Entry, view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    key, value = entry
    deletion = RecordId(value[8:])
    held = view.get(layout.record_key(deletion))
    if held is None:
        yield _astray(deletion, "a tombstone names it, and it is not held")
        return
    header = layout.unpack_record(deletion, held)[0].header
    target = header.refs.get("target")
    is_its_own = (
        header.kind == Kind.DELETE
        and target is not None
        and key == layout.tombstone_key(target, header.agent)
        and value[:8] == layout.number(header.seq)
    )
    if not is_its_own:
        yield _astray(deletion, "a tombstone names it, and it is another deletion")


def _check_chain(
    entry: Entry, view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    key, value = entry
    agent = AgentId(key[1:])
    for link in layout.unpack_key_chain(agent, value).links:
        lost_key = layout.lost_key(agent, link.since_seq, link.record)
        is_held = view.get(layout.record_key(link.record)) is not None
        if not is_held and view.get(lost_key) is None:
            yield _astray(link.record, "a key chain names it, and it is not held")


def _check_lost(
    entry: Entry, view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    record = layout.indexed_record(entry[0])
    if view.get(layout.record_key(record)) is not None:
        yield _astray(record, "it counts as lost, and is held")


def _check_count(view: Reader) -> Iterator[Damage]:
    """Compare the count with the table, unless some of that cannot be read."""
    found = 0
    for entry in view.scan(layout.RECORD):
        if isinstance(entry, Hole):
            return
        found += 1
    count = int.from_bytes(view.get(layout.COUNT_KEY) or b"", "big")
    if count != found:
        yield _astray(None, f"{found} records are held, and {count} were counted")


def _check_presence(
    entry: Entry, _view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    """Hold what a listener noted to its form: nothing else says what it must be."""
    {
        layout.ARRIVAL: unpack_arrival,
        layout.SPAN: unpack_span,
        layout.PEER: unpack_peer,
    }[entry[0][:1]](*entry)
    yield from ()


def _member_key(record: Record, network: NetworkParams) -> bytes:
    topic = topic_number(network, record.header.community)
    return layout.member_key(topic, record.id, record.header.time_ms)


def _astray(record: RecordId | None, message: str) -> Damage:
    return Damage("damaged-index", record, message)


def _table(key: bytes) -> str:
    return f"table {key[:1].decode()}"


_INDEXES: Final = frozenset(
    {layout.BY_TIME, layout.BY_AGENT, layout.BY_COMMUNITY, layout.BY_PARENT}
)
_META_KEYS: Final = frozenset(
    {
        layout.SCHEMA_KEY,
        layout.NETWORK_KEY,
        layout.COUNT_KEY,
        layout.BEHIND_KEY,
        layout.BYTES_KEY,
        layout.SHARDS_KEY,
        layout.HORIZON_KEY,
    }
)
_CHECKS: Final[Mapping[bytes, _Check]] = {
    layout.RECORD: _check_record,
    layout.TOMBSTONE: _check_tombstone,
    layout.KEY_CHAIN: _check_chain,
    layout.LOST: _check_lost,
    layout.SET: _check_set,
    layout.ON_SHELF: check_place,
    layout.BEYOND: check_place,
    layout.DELETION: check_deletion,
    layout.FORK: check_fork_entry,
    layout.DROPPED: check_dropped,
    layout.ARRIVAL: _check_presence,
    layout.SPAN: _check_presence,
    layout.PEER: _check_presence,
    **dict.fromkeys(_INDEXES, _check_index),
}
