"""Making a store whole: a new one from what can be read, put in the old one's place.

Repair changes nothing in what it repairs, but for what LevelDB does to any folder that
it opens. What follows from the records is computed
again; what was held and cannot be read is noted as lost, stands in no set any more,
and so is asked for again. Where nobody can tell what is missing, the store counts as
behind (`Store.is_behind`).
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from moltp2p.core.errors import LocalError
from moltp2p.core.topics import NetworkParams
from moltp2p.store import failures, layout
from moltp2p.store.backup import BackupReader
from moltp2p.store.base import KEEP_ALL, Damage, Store
from moltp2p.store.engine import Engine, Put
from moltp2p.store.filling import Filling
from moltp2p.store.leveldb import LevelDb, open_damaged, open_store
from moltp2p.store.progress import Progress, untold
from moltp2p.store.reading_out import ReadingOut
from moltp2p.store.records import RecordStore
from moltp2p.store.replacing import Replacing


@dataclass(slots=True)
class Repair:
    """What was found and done.

    Attributes:
        found: how many damages, by code.
        finished: whether a repair before this one was cut off, and is finished now.
        records: how many the store holds now.
        missing: how many were held, are lost, and will be asked for.
        left_out: records that a key chain does not let pass.
        is_behind: whether there may be more missing than one can tell.
        aside: where the store as it was is kept; None when nothing was changed.
    """

    found: Counter[str] = field(default_factory=Counter)
    finished: bool = False
    records: int = 0
    missing: int = 0
    left_out: int = 0
    is_behind: bool = False
    aside: Path | None = None


def repair(
    folder: Path,
    network: NetworkParams,
    tell: Callable[[Damage], object],
    progress: Progress = untold,
    verifying: Progress = untold,
) -> Repair:
    """Make the store in `folder` whole; blocks. Nobody else may have it open.

    It can be called again whenever it is cut off, and does nothing to a whole store.

    Args:
        folder: the store's.
        network: whose records they are.
        tell: is told of each damage.
        progress: is told how many records are copied, and of how many.
        verifying: is told before that how many entries were looked at.

    Raises:
        LocalError: `store-locked`, `newer-schema`, `other-network`, `disk-full`,
            `store-failed`; `store-damaged` when nothing can be read. The store is
            as it was.
    """
    places = Replacing(folder)
    done = Repair(finished=places.finish())
    opens = _try_look(folder, network, done, tell, verifying)
    if opens and not done.found:
        return done
    part = places.begin()
    with _readable(folder, opens=opens) as engine:
        done.is_behind |= not opens
        _copy(engine, part, network, done, progress)
    if not opens and not done.records:
        shutil.rmtree(part, ignore_errors=True)
        raise failures.unopenable(folder, "nothing in it can be read")
    done.aside = places.swap()
    return done


def look(
    folder: Path,
    network: NetworkParams,
    tell: Callable[[Damage], object],
    progress: Progress = untold,
    verifying: Progress = untold,
) -> Repair:
    """Find what `repair` would make whole, and change nothing; blocks.

    But a store of an older schema is migrated first, of which `progress` is told;
    then `verifying` is told how many entries were looked at.

    Raises:
        LocalError: as `repair`; and as whoever opens the store, when that cannot be.
    """
    done = Repair()
    with closing(open_store(folder, network, KEEP_ALL, progress)) as store:
        _verify(store, done, tell, verifying)
    return done


def restore(
    file: BinaryIO,
    folder: Path,
    network: NetworkParams,
    *,
    is_newest: bool = False,
    progress: Progress = untold,
) -> Repair:
    """Put a backup where there is no store; blocks.

    Args:
        file: the backup.
        folder: where the store is to be.
        network: whose records they must be.
        is_newest: whether this node's agent wrote nothing since; else the store
            counts as behind.
        progress: is told how many bytes are read; of how many, it does not know.

    Raises:
        UsageError: `store-exists`.
        LocalError: `bad-backup`, `other-network`, `damaged-record`, `disk-full`,
            `store-failed`; there is no store then, as before.
    """
    places = Replacing(folder)
    places.check_free()
    reader = BackupReader(file)
    if reader.manifest.network != network.id:
        raise LocalError(
            "other-network",
            f"a backup of network {reader.manifest.network!r}, not {network.id!r}",
            f"write network = {json.dumps(reader.manifest.network)} into this home's "
            "config.toml, or use a home of that network",
        )
    done = Repair(is_behind=not is_newest)
    with closing(RecordStore(LevelDb(places.begin()), network, KEEP_ALL)) as store:
        filling = Filling(store)
        for entry in reader.entries():
            filling.put(entry)
            progress(reader.bytes_read, 0)
        _finish(filling, store, done)
    places.install()
    return done


def _try_look(
    folder: Path,
    network: NetworkParams,
    done: Repair,
    tell: Callable[[Damage], object],
    verifying: Progress,
) -> bool:
    """Note all damage; tell whether the store can be opened at all."""
    try:
        with closing(RecordStore(LevelDb(folder), network, KEEP_ALL)) as store:
            _verify(store, done, tell, verifying)
    except LocalError as error:
        if error.code != "store-damaged":
            raise
        done.found[error.code] += 1
        tell(Damage(error.code, None, error.message))
        return False
    return True


def _verify(
    store: Store,
    done: Repair,
    tell: Callable[[Damage], object],
    verifying: Progress,
) -> None:
    for damage in store.verify(verifying):
        done.found[damage.code] += 1
        tell(damage)
    done.records = store.count()
    done.missing = sum(1 for _ in store.missing())
    done.is_behind = store.is_behind()


@contextmanager
def _readable(folder: Path, *, opens: bool) -> Iterator[Engine]:
    """Open a damaged store for reading: itself, or a copy where it does not open."""
    if opens:
        with closing(LevelDb(folder)) as engine:
            yield engine
        return
    copy = folder.with_name(f"{folder.name}.copy")
    try:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        with closing(open_damaged(copy)) as engine:
            yield engine
    except OSError as error:
        raise failures.of_system(folder, error) from None
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _copy(
    engine: Engine, part: Path, network: NetworkParams, done: Repair, progress: Progress
) -> None:
    """Write what can be read of a store into a new one."""
    with (
        closing(RecordStore(LevelDb(part), network, KEEP_ALL)) as store,
        engine.keep() as kept,
    ):
        reading = ReadingOut(kept, salvages=True)
        filling, total = Filling(store, trusts=True), done.records
        for number, entry in enumerate(reading.entries()):
            filling.put(entry)
            progress(min(number + 1, total), total)
        was_behind = kept.read(lambda view: view.get(layout.BEHIND_KEY)) is not None
        done.is_behind |= was_behind or reading.has_holes
        _finish(filling, store, done)


def _finish(filling: Filling, store: RecordStore, done: Repair) -> None:
    filling.flush()
    if done.is_behind:
        store.put_raw([Put(layout.BEHIND_KEY, b"")])
    done.left_out = filling.left_out
    done.records = store.count()
    done.missing = sum(1 for _ in store.missing())
