"""Why store/leveldb.py does not use LevelDB and plyvel as their documents say.

Each test shows how they lose data without a word, and fails on the day that is
mended.
"""

from __future__ import annotations

import resource
from pathlib import Path

import plyvel
import pytest

KIB = 1024


def mended(what: str, number: int) -> None:
    """Fail, because upstream mended a defect that we still work around."""
    pytest.fail(f"mended: {what}; delete point {number} of store/leveldb.py, and this")


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")


def fill(db: plyvel.DB, keys: range) -> None:
    """Write synced transactions, as the store does."""
    for number in keys:
        with db.write_batch(transaction=True, sync=True) as batch:
            batch.put(key(number), bytes(8 * KIB))


def held(folder: Path, **options: bool) -> set[bytes]:
    """Return the keys that are there when the database is opened again."""
    db = plyvel.DB(str(folder), **options)
    found = set(db.iterator(include_value=False))
    db.close()
    return found


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)


def test_what_is_written_after_a_failed_write_is_lost(tmp_path: Path) -> None:
    db = plyvel.DB(str(tmp_path), create_if_missing=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100 * KIB, hard))
    try:
        with pytest.raises(plyvel.IOError):
            fill(db, range(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    after = range(100, 103)
    fill(db, after)
    db.close()

    if held(tmp_path) >= set(map(key, after)):
        mended("a write after a failed one is kept", 1)


def test_without_current_the_database_is_wiped(tmp_path: Path) -> None:
    db = plyvel.DB(str(tmp_path), create_if_missing=True)
    fill(db, range(10))
    db.close()
    assert len(held(tmp_path)) == 10
    (tmp_path / "CURRENT").unlink()

    found = held(tmp_path, create_if_missing=True)

    if found:
        mended("a database without CURRENT is not begun anew", 2)
    assert not list(tmp_path.glob("*.ldb"))


def test_a_damaged_log_is_cut_without_a_word(tmp_path: Path) -> None:
    db = plyvel.DB(str(tmp_path), create_if_missing=True)
    fill(db, range(10))
    db.close()
    (log,) = tmp_path.glob("*.log")
    flip(log, 20 * KIB)

    with pytest.raises(plyvel.CorruptionError):
        plyvel.DB(str(tmp_path), paranoid_checks=True)
    try:
        found = held(tmp_path)
    except plyvel.CorruptionError:
        mended("a damaged log is an error", 3)
    else:
        assert len(found) < 10


def test_an_iterator_ends_early_where_the_end_cannot_be_read(tmp_path: Path) -> None:
    db = plyvel.DB(str(tmp_path), create_if_missing=True, compression=None)
    fill(db, range(10))
    db.close()
    plyvel.DB(str(tmp_path), compression=None).close()  # writes the log out as a table
    (table,) = tmp_path.glob("*.ldb")
    flip(table, 9 * 8 * KIB + 4 * KIB)  # in the block of the last entry
    db = plyvel.DB(str(tmp_path))

    try:
        found = list(db.iterator(include_value=False, verify_checksums=True))
    except plyvel.CorruptionError:
        mended("an iterator says that it could not read the end", 4)
    else:
        assert 0 < len(found) < 10
    db.close()
