"""Stores with something of everything in them, and all that is in one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from moltp2p.core.record import Record, parse
from moltp2p.store.base import Query
from moltp2p.store.engine import Hole
from moltp2p.store.leveldb import LevelDb, open_store
from moltp2p.store.records import RecordStore
from tests.crash.story import NETWORK, tell


def make_store(folder: Path, seed: int, steps: int = 60) -> list[Record]:
    """Fill a store with what strangers wrote: rotations, deletions, replies."""
    records: dict[bytes, Record] = {}
    with closing(open_store(folder, NETWORK)) as store:
        for step in tell(seed, steps):
            received = [parse(wire) for wire in step.wires]
            store.add(received, step.time_ms)
            records |= {each.id: each for each in received}
        assert store.count() == len(records)
        assert list(store.verify()) == []
    return list(records.values())


def everything(folder: Path) -> dict[bytes, bytes]:
    """Return all entries of a store."""
    with closing(LevelDb(folder)) as engine, engine.view() as view:
        entries = [each for each in view.scan(b"") if not isinstance(each, Hole)]
    return dict(entries)


def shown(store: RecordStore) -> list[Record]:
    """Return all records that are held, oldest first, deleted ones too."""
    page = store.page(Query(deleted=True, limit=1000))
    assert not page.more
    assert not page.damaged
    return [stored.record for stored in reversed(page.records)]
