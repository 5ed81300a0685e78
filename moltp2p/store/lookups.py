"""What stands in an index, in its order: heads, places, forks, dropped bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import Final

from moltp2p.core.author import Head
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.store import layout, shelf_layout
from moltp2p.store.engine import Engine, Entry, Hole, Reader
from moltp2p.store.policy import Dropped

KEYS_CHUNK: Final = 1_024

Place = tuple[int, RecordId]
"""A `seq`, and the record that stands there."""


def read_head(view: Reader, agent: AgentId) -> Head | None:
    """Return an agent's newest record that was ever held; see `Store.head`.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    prefixes = (layout.agent_prefix(agent), layout.lost_prefix(agent))
    heads = []
    for prefix in prefixes:
        newest = next(view.scan(prefix, reverse=True), None)
        # A head that is not the newest would be written after twice: a fork.
        if isinstance(newest, Hole):
            raise layout.store_damaged(newest.message)
        if newest is not None:
            heads.append(Head(*_place(newest)))
    return max(heads, key=lambda head: (head.seq, head.record), default=None)


def read_sequence(
    view: Reader, agent: AgentId, first: int, last: int, limit: int
) -> list[Place]:
    """Return places of an agent's sequence, in order; see `Store.sequence`."""
    prefix = layout.agent_prefix(agent)
    # Before the first id that a place can have.
    entries = view.scan(prefix, prefix + layout.number(first))
    within = takewhile(lambda place: place[0] <= last, map(_place, _whole(entries)))
    return list(islice(within, limit))


def read_forks(view: Reader, agent: AgentId, limit: int) -> list[Place]:
    """Return where an agent has forked, and the proofs; see `Store.forks`."""
    entries = islice(view.scan(shelf_layout.forks_prefix(agent)), limit)
    return [*map(_place, _whole(entries))]


def read_dropped(view: Reader, after: RecordId | None, limit: int) -> list[Dropped]:
    """Return bodies that were dropped, in order of ids; see `Store.dropped`."""
    place = None if after is None else shelf_layout.dropped_key(after)
    entries = islice(view.scan(layout.DROPPED, place), limit)
    return [
        Dropped(
            layout.indexed_record(key),
            int.from_bytes(value, "big"),
            view.get(layout.record_key(layout.indexed_record(key))) is not None,
        )
        for key, value in _whole(entries)
    ]


def table_keys(engine: Engine, table: bytes) -> Iterator[bytes]:
    """Yield a table's keys, a chunk at a time, so that nobody waits long."""
    after: bytes | None = None
    while True:
        with engine.view() as view:
            chunk = list(islice(view.scan(table, after), KEYS_CHUNK))
        keys = [key for key, _ in _whole(chunk)]
        yield from keys
        if not keys:
            return
        after = keys[-1]


def _whole(entries: Iterable[Entry | Hole]) -> Iterator[Entry]:
    """Pass over what cannot be read."""
    return (entry for entry in entries if not isinstance(entry, Hole))


def _place(entry: Entry) -> Place:
    return layout.indexed_seq(entry[0]), layout.indexed_record(entry[0])
