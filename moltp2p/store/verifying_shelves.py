"""Whether shelves, deletions, dropped bodies and forks agree with the records."""

from __future__ import annotations

from collections.abc import Iterator

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.proto.quota import Limits, shelf_of, volume_of
from moltp2p.store import layout, shelf_layout
from moltp2p.store.base import Damage
from moltp2p.store.engine import Entry, Reader
from moltp2p.store.shelves import scan


def check_shelved(
    record: Record, view: Reader, network: NetworkParams
) -> Iterator[Damage]:
    """Report a record that is neither on its shelf and in its set, nor beyond both."""
    topic = topic_number(network, record.header.community)
    member = layout.member_key(topic, record.id, record.header.time_ms)
    places = _places(record, network)
    held = [view.get(key) for key in places]
    value = shelf_layout.pack_place(volume_of(record).units, record.header.time_ms)
    if places and sorted(held, key=str) != sorted((None, value), key=str):
        yield _astray(record.id, "it has not its one place on a shelf or beyond")
    is_member = view.get(member) is not None
    if is_member != (not places or held[0] is not None):
        yield _astray(record.id, "table S has no such entry for it, or one too many")
    fork = shelf_layout.fork_key_of(record)
    if fork is not None and view.get(fork) is None:
        yield _astray(record.id, "a proof of a fork, and table F does not name it")
    if record.body is not None and view.get(shelf_layout.dropped_key(record.id)):
        yield _astray(record.id, "dropped, and its body is still there")


def check_place(entry: Entry, view: Reader, network: NetworkParams) -> Iterator[Damage]:
    """Report a place on a shelf, or beyond it, that is not its record's."""
    key = entry[0]
    record = layout.indexed_record(key)
    for held in _loaded(record, view):
        if held is None or key not in _places(held, network):
            yield _astray(record, f"table {key[:1].decode()} has no place for it there")
    units = shelf_layout.units_key(key[1 : -layout.PLACE_BYTES])
    if key[:1] == layout.ON_SHELF and view.get(units) is None:
        yield _astray(record, "it is on a shelf that costs nothing")


def check_units(entry: Entry, view: Reader, limits: Limits) -> Iterator[Damage]:
    """Report a shelf that holds other than its sum says, or than its limit allows."""
    key, value = entry
    name = key[len(layout.UNITS) :]
    limit = limits.of(int.from_bytes(name[-2:], "big"))
    try:
        volumes = [place.volume for place in scan(layout.ON_SHELF, name, view)]
        newest = next(scan(layout.BEYOND, name, view, reverse=True), None)
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        return  # said of what cannot be read
    units = sum(volume.units for volume in volumes)
    if units != shelf_layout.unpack_units(value):
        yield _astray(None, f"a shelf costs {units}, and its sum says otherwise")
    if volumes and units - volumes[0].units >= limit:
        yield _astray(volumes[0].record, "it is on its shelf, and has no place there")
    if newest and volumes and (units < limit or newest.volume > volumes[0]):
        yield _astray(newest.volume.record, "it is beyond its shelf, and has a place")


def check_deletion(
    entry: Entry, view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    """Report a deletion that is none, or not of that target."""
    record = layout.indexed_record(entry[0])
    for held in _loaded(record, view):
        is_its_own = (
            held is not None
            and held.header.kind == Kind.DELETE
            and shelf_layout.deletion_key(held) == entry[0]
        )
        if not is_its_own:
            yield _astray(record, "table B names it, and it is no such deletion")


def check_fork_entry(
    entry: Entry, view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    """Report a proof of a fork that proves no such thing."""
    record = layout.indexed_record(entry[0])
    for held in _loaded(record, view):
        if held is None or shelf_layout.fork_key_of(held) != entry[0]:
            yield _astray(record, "table F names it, and it proves no such fork")


def check_dropped(
    entry: Entry, _view: Reader, _network: NetworkParams
) -> Iterator[Damage]:
    """Report an entry of the dropped bodies that is none."""
    key, value = entry
    if len(key) != len(layout.DROPPED) + layout.ID_BYTES or len(value) != 8:
        yield _astray(None, "table E has an entry that names no record and time")


def _places(record: Record, network: NetworkParams) -> list[bytes]:
    """Return where a record may stand: on its shelf, or beyond it; or nowhere."""
    shelf = shelf_of(record.header, network)
    if shelf is None:
        return []
    name = shelf_layout.shelf_name(record.header.agent, shelf)
    return [
        shelf_layout.place_key(table, name, record.header.seq, record.id)
        for table in (layout.ON_SHELF, layout.BEYOND)
    ]


def _loaded(record: RecordId, view: Reader) -> Iterator[Record | None]:
    """Yield a record, or None when it is not held; nothing when it is damaged.

    That is said of the record itself.
    """
    try:
        value = view.get(layout.record_key(record))
        yield None if value is None else layout.unpack_record(record, value)[0]
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise


def _astray(record: RecordId | None, message: str) -> Damage:
    return Damage("damaged-index", record, message)
