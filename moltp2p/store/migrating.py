"""A copy of a store's files, made before they are migrated and kept until that is done.

    records.schema-1.part    being made; worth nothing
    records.schema-1         the store as schema 1 left it

LevelDB never changes a table that it wrote: those are linked, at no cost of room; the
few files that it does change are copied. Whoever wants the old store back, because a
migration cannot be finished, puts that folder in the place of the other one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from moltp2p.store import failures

_TABLES: Final = (".ldb", ".sst")
_LEFT_OUT: Final = ("LOCK", "LOG", "LOG.old")


def keep_copy(folder: Path, schema: int) -> None:
    """Copy a store that nobody has open; blocks.

    In place of an earlier copy: after that the migration had not even begun, and the
    version before may have written since.

    Raises:
        LocalError: `disk-full`, `store-failed`; there is no copy then.
    """
    drop_copies(folder, range(schema, schema + 1))
    copy = _copy_of(folder, schema)
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.mkdir(mode=0o700)
        for path in folder.iterdir():
            if path.name not in _LEFT_OUT:
                _keep(path, part / path.name)
        _sync(part)
        part.rename(copy)
        _sync(copy.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise failures.of_system(copy, error) from None


def drop_copies(folder: Path, schemas: range) -> None:
    """Remove the copies of a store of these schemas, as far as the system lets us."""
    for schema in schemas:
        copy = _copy_of(folder, schema)
        for path in (copy, copy.with_name(f"{copy.name}.part")):
            shutil.rmtree(path, ignore_errors=True)


def _copy_of(folder: Path, schema: int) -> Path:
    return folder.with_name(f"{folder.name}.schema-{schema}")


def _keep(path: Path, copy: Path) -> None:
    if path.suffix in _TABLES:
        try:
            os.link(path, copy)
        except OSError:
            pass  # a file system without links: copied, like the rest
        else:
            return
    shutil.copyfile(path, copy)
    _sync(copy)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
