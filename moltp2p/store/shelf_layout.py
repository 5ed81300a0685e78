"""Keys and values of the tables for shelves, deletions, dropped bodies and forks.

The table of all is in `layout`.
"""

from __future__ import annotations

from moltp2p.core.forks import Fork, Forked, place_of
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import Kind, parse_body
from moltp2p.core.record import Record
from moltp2p.store.layout import (
    DELETION,
    DROPPED,
    FORK,
    UNITS,
    number,
    pack_tombstone,
    store_damaged,
)


def shelf_name(agent: AgentId, shelf: int) -> bytes:
    """Return how one shelf is named in the keys of Q, O and U."""
    return agent + shelf.to_bytes(2, "big")


def place_key(table: bytes, name: bytes, seq: int, record: RecordId) -> bytes:
    """Return where a record stands on a shelf, or beyond it."""
    return table + name + number(seq) + record


def units_key(name: bytes) -> bytes:
    """Return where it stands what all on a shelf cost."""
    return UNITS + name


def pack_place(units: int, time_ms: int) -> bytes:
    """Return the value that `unpack_place` reads."""
    return units.to_bytes(2, "big") + number(time_ms)


def unpack_place(value: bytes) -> tuple[int, int]:
    """Return what a record on a shelf costs, and its time.

    Raises:
        LocalError: `store-damaged`.
    """
    if len(value) != 10:
        raise store_damaged("an entry of a shelf has no units")
    return int.from_bytes(value[:2], "big"), int.from_bytes(value[2:], "big")


def pack_units(units: int) -> bytes:
    """Return the value that `unpack_units` reads."""
    return units.to_bytes(4, "big")


def unpack_units(value: bytes | None) -> int:
    """Return what a shelf costs; nothing when there is none."""
    return int.from_bytes(value or b"", "big")


def deletion_prefix(target: RecordId, agent: AgentId) -> bytes:
    """Return how the keys of an agent's deletions of one record begin."""
    return DELETION + target + agent


def deletion_key(deletion: Record) -> bytes:
    """Return where a deletion stands."""
    target = deletion.header.refs["target"]
    return deletion_prefix(target, deletion.header.agent) + pack_tombstone(deletion)


def dropped_key(record: RecordId) -> bytes:
    """Return where it stands that the operator dropped a record's body."""
    return DROPPED + record


def forks_prefix(agent: AgentId) -> bytes:
    """Return how the keys of the proofs that an agent has forked begin."""
    return FORK + agent


def fork_key(place: Forked, record: RecordId) -> bytes:
    """Return where it stands that a record proves a fork."""
    return forks_prefix(place.agent) + number(place.seq) + record


def fork_key_of(record: Record) -> bytes | None:
    """Return where it stands that a record proves a fork, if it does."""
    if record.header.kind != Kind.FORK or record.body is None:
        return None
    fork = parse_body(Kind.FORK, record.body)
    return fork_key(place_of(fork), record.id) if isinstance(fork, Fork) else None
