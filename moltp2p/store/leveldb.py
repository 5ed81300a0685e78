"""A store on LevelDB, the only file that imports plyvel.

What LevelDB and plyvel do otherwise than one would think is contained here; each
but the last has a test in tests/tripwire/test_leveldb.py:

1. After a write that failed (a full disk), LevelDB writes on behind the torn end of
   its log; what it then acknowledges is lost when it is opened again. So after any
   failure the database is opened anew before the next write.
2. Where the file CURRENT is missing, `create_if_missing` begins a new database and
   removes the files of the old one. So it is asked for in empty folders alone.
3. A damaged log is cut at the damage without a word, unless `paranoid_checks`.
4. A `plyvel.Iterator` ends early, without an error, where a file's end cannot be
   read. A `RawIterator` says so, and reads on behind the damage.
5. plyvel calls LevelDB without the interpreter's lock, so closing under a reader in
   another thread is a crash. So closing waits for the readers.

With `paranoid_checks` a damaged block also stops the compaction that would leave it
out, and with it, sooner or later, writing: with `store-damaged`, while all that can
be read still is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import plyvel

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.topics import NetworkParams
from moltp2p.store import failures
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
from moltp2p.store.gate import Gate
from moltp2p.store.migrating import drop_copies, keep_copy
from moltp2p.store.progress import Progress, untold
from moltp2p.store.records import RecordStore
from moltp2p.store.replacing import unfinished

OPTIONS: Final = {
    # Damage stops what would write over it or leave it out, instead of being lost.
    "paranoid_checks": True,
    # Halves the time of `has` for a record that is not held: 5 us among 100,000.
    "bloom_filter_bits": 10,
    # Twice LevelDB's own: of 100,000 records that come in a sync, its compactions then
    # take 66 us each instead of 119, beside what writes them.
    "write_buffer_size": 8 * 2**20,
}
"""The rest is LevelDB's own choice. Measured with 100,000 records: a write buffer of
16 MiB would spare 26 us more, and cost every node of a mesh the memory; a cache of 32
MiB instead of 8 spares nothing that could be told from noise. Without compression a
store is larger by a third."""

_SPARE_BYTES: Final = 2**20
"""For the small files that opening writes, beside what stands in the log."""


def open_store(
    folder: Path,
    network: NetworkParams,
    policy: Policy = KEEP_QUOTAS,
    progress: Progress = untold,
) -> Store:
    """Open the store in `folder`, or begin one there; blocks.

    A store of an older schema is migrated, which takes a minute for a million records.
    The old files are kept beside until the new ones are whole; a migration that is cut
    off goes on when the store is opened again.

    Args:
        folder: made with mode 0700 when it is missing.
        network: whose records are kept.
        policy: what the operator chose to keep.
        progress: is told how far a migration is.

    Raises:
        LocalError: `store-locked`, `store-damaged`, `newer-schema`,
            `other-network`, `disk-full`, `store-failed`; no record is lost.
    """
    return RecordStore(LevelDb(folder), network, policy, progress)


class LevelDb:
    """An engine: one LevelDB in one folder, held by this process alone.

    Args:
        folder: where it is, or is to be.
        options: of LevelDB's, in place of `OPTIONS`.
    """

    def __init__(self, folder: Path, **options: int) -> None:
        self._folder = folder
        self._options = OPTIONS | options
        self._gate = Gate()
        self._is_closed = False
        self._is_suspect = False
        self._kept: set[_Kept] = set()
        self._db = _open(folder, self._options)

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        with self._gate:
            return _View(self._opened()).get(key)

    @contextmanager
    def view(self) -> Iterator[Reader]:
        """Open a snapshot."""
        with self._gate, self._opened().snapshot() as snapshot:
            yield _View(snapshot)

    @contextmanager
    def keep(self) -> Iterator[Snapshot]:
        """Take a snapshot for whom neither `mend` nor `close` waits."""
        with self._gate:
            kept = _Kept(self._gate, self._opened().snapshot())
            self._kept.add(kept)
        try:
            yield kept
        finally:
            with self._gate:
                self._kept.discard(kept)
                kept.end()

    def apply(self, changes: Sequence[Change]) -> None:
        """Make all changes in one synced batch."""
        with self._gate:
            batch = self._opened().write_batch(transaction=True, sync=True)
            try:
                with batch:
                    for change in changes:
                        match change:
                            case Put(key, value):
                                batch.put(key, value)
                            case Delete(key):
                                batch.delete(key)
            except plyvel.Error as error:
                self._is_suspect = True
                raise failures.of_use(_text(error)) from None

    def mend(self) -> bool:
        """Open the database anew, if a change failed and there is room to.

        Until there is room the old handle stays, and reads what it read before.
        """
        if not self._is_suspect:
            return False
        _check_room(self._folder)
        with self._gate.alone():
            self._end_kept()
            self._db.close()
            self._db = _open(self._folder, self._options)
        self._is_suspect = False
        return True

    def keep_copy(self, schema: int) -> None:
        """Copy the files to a folder beside this one, and open them again."""
        with self._gate.alone():
            self._db.close()
            keep_copy(self._folder, schema)
            self._db = _open(self._folder, self._options)

    def drop_copies(self, schemas: range) -> None:
        """Remove those folders."""
        drop_copies(self._folder, schemas)

    def close(self) -> None:
        """Close the database, once nobody reads."""
        with self._gate.alone():
            self._is_closed = True
            self._end_kept()
            self._db.close()

    def _end_kept(self) -> None:
        for kept in self._kept:
            kept.end()

    def _opened(self) -> plyvel.DB:
        if self._is_closed:
            raise UsageError("store-closed", "the store was closed before")
        if self._db.closed:
            raise LocalError(
                "store-failed",
                f"{self._folder} could not be opened again after a write that failed",
                "it is tried again at the next write; make room on the disk",
            )
        return self._db


class _Kept:
    """A snapshot that is read behind the gate, a piece at a time, until it ends."""

    def __init__(self, gate: Gate, snapshot: plyvel.Snapshot) -> None:
        self._gate = gate
        self._snapshot: plyvel.Snapshot | None = snapshot

    def read(self, work: Callable[[Reader], Result]) -> Result:
        with self._gate:
            if self._snapshot is None:
                raise LocalError(
                    "store-failed",
                    "the store was closed, or opened anew, while it was copied",
                    "begin again",
                )
            return work(_View(self._snapshot))

    def end(self) -> None:
        """Let go of it; to be called behind the gate."""
        if self._snapshot is not None:
            self._snapshot.close()
        self._snapshot = None


class _View:
    """A reader of a database or of a snapshot."""

    def __init__(self, source: plyvel.DB) -> None:
        self._source = source

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._source.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise failures.of_use(_text(error)) from None
        return value

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry | Hole]:
        with self._source.raw_iterator(verify_checksums=True) as iterator:
            walk = _Walk(iterator)
            if reverse:
                walk.seek_before(after or prefix_end(prefix))
            else:
                walk.seek_behind(prefix, after)
            step = iterator.prev if reverse else iterator.next
            is_whole = True
            while True:
                if is_whole and walk.hole is not None:
                    is_whole = False
                    yield walk.hole
                if not iterator.valid():
                    return
                entry: Entry = iterator.item()
                if not entry[0].startswith(prefix):
                    return
                yield entry
                try:
                    step()
                except plyvel.Error as error:
                    walk.note(error)

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        with self._source.raw_iterator(verify_checksums=True) as iterator:
            for prefix in prefixes:
                walk = _Walk(iterator)
                walk.do(iterator.seek, prefix)
                found: list[Entry | Hole] = []
                while iterator.valid():
                    entry: Entry = iterator.item()
                    if not entry[0].startswith(prefix):
                        break
                    found.append(entry)
                    walk.do(iterator.next)
                yield found if walk.hole is None else [walk.hole, *found]


class _Walk:
    """Steps of an iterator that goes on behind what it cannot read.

    Attributes:
        hole: the first of that; LevelDB repeats its complaint at every step after.
    """

    def __init__(self, iterator: plyvel.RawIterator) -> None:
        self.hole: Hole | None = None
        self._iterator = iterator

    def do(self, step: Callable[..., None], *target: bytes) -> None:
        """Take a step. LevelDB takes it even when it complains."""
        try:
            step(*target)
        except plyvel.Error as error:
            self.note(error)

    def note(self, error: plyvel.Error) -> None:
        """Note a complaint about damage; another one ends the walk."""
        if not failures.is_damage(_text(error)):
            raise failures.of_use(_text(error)) from None
        self.hole = self.hole or Hole(_text(error))

    def seek_behind(self, prefix: bytes, after: bytes | None) -> None:
        """Go to the first key with `prefix`, or to the one behind `after`."""
        self.do(self._iterator.seek, after or prefix)
        if after and self._iterator.valid() and self._iterator.key() == after:
            self.do(self._iterator.next)

    def seek_before(self, end: bytes | None) -> None:
        """Go to the last key before `end`, or to the last of all."""
        if end is not None:
            self.do(self._iterator.seek, end)
            if self._iterator.valid():
                self.do(self._iterator.prev)
                return
        self.do(self._iterator.seek_to_last)


def _open(folder: Path, options: Mapping[str, object]) -> plyvel.DB:
    """Open what is in `folder`, or begin a database when there is nothing."""
    is_new = _prepare(folder)
    try:
        return plyvel.DB(os.fsencode(folder), create_if_missing=is_new, **options)
    except plyvel.Error as error:
        raise failures.of_opening(folder, _text(error)) from None


def open_damaged(folder: Path) -> LevelDb:
    """Open, for reading what can be read, a copy of a folder that does not open.

    A log is read past what is damaged in it. Where that does not do, LevelDB's own
    repair gathers what its tables and logs hold, without knowing which are current.

    Raises:
        LocalError: `store-damaged` when nothing can be read, `store-failed`.
    """
    try:
        return LevelDb(folder, paranoid_checks=False)
    except LocalError as error:
        if error.code != "store-damaged":
            raise
    try:
        plyvel.repair_db(os.fsencode(folder))
    except plyvel.Error as error:
        raise failures.of_opening(folder, _text(error)) from None
    return LevelDb(folder, paranoid_checks=False)


def _prepare(folder: Path) -> bool:
    """Make the folder; tell whether a database is to begin in it."""
    try:
        if not folder.exists():
            if error := unfinished(folder):
                raise error
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = [path.name for path in folder.iterdir()]
    except OSError as failure:
        raise failures.of_system(folder, failure) from None
    if "CURRENT" in names:
        return False
    if any(name.endswith((".ldb", ".sst", ".log")) for name in names):
        raise failures.unopenable(folder, "the file CURRENT is missing")
    return True


def _check_room(folder: Path) -> None:
    """Refuse to open again where the logs could not be written out as tables.

    Raises:
        LocalError: `disk-full`, `store-failed`.
    """
    try:
        logs = sum(path.stat().st_size for path in folder.glob("*.log"))
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.posix_fallocate(probe.fileno(), 0, logs + _SPARE_BYTES)
    except OSError as error:
        raise failures.of_system(folder, error) from None


def _text(error: plyvel.Error) -> str:
    """Return LevelDB's message, which plyvel leaves in bytes."""
    return b"".join(error.args[:1]).decode(errors="replace")
