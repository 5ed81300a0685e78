"""A backup is of one moment, says whether it is whole, and gives the same store."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout, memory
from moltp2p.store.backup import BackupReader, broken_off
from moltp2p.store.engine import Put
from moltp2p.store.leveldb import LevelDb, open_store
from moltp2p.store.repairing import restore
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.crash.story import NETWORK
from tests.unit.store.copies import everything, make_store

NOW_MS = EPOCH_MS


def backup_of(folder: Path) -> bytes:
    with closing(open_store(folder, NETWORK)) as store:
        return b"".join(store.backup(NOW_MS))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "records"
    make_store(folder, seed=1)
    return folder


@pytest.fixture(scope="module")
def backup(source: Path) -> bytes:
    return backup_of(source)


def test_what_is_put_back_is_the_same_entry_by_entry(
    source: Path, backup: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "records"

    done = restore(io.BytesIO(backup), folder, NETWORK, is_newest=True)

    assert everything(folder) == everything(source)
    assert done.records == int.from_bytes(everything(source)[layout.COUNT_KEY], "big")
    assert backup_of(folder) == backup


def test_a_backup_says_of_what_it_is(backup: bytes) -> None:
    manifest = BackupReader(io.BytesIO(backup)).manifest

    assert (manifest.network, manifest.created_ms) == (NETWORK.id, NOW_MS)
    assert manifest.schema == layout.SCHEMA


@pytest.mark.slow
def test_a_backup_is_of_the_moment_at_which_it_began(tmp_path: Path) -> None:
    alice = TestAgent("alice")
    for number in range(600):
        alice.post(f"{number} {'.' * 900}")
    before, after = alice.records[:500], alice.records[500:]
    with closing(open_store(tmp_path / "records", NETWORK)) as store:
        store.add(before, NOW_MS)
        pieces = store.backup(NOW_MS)
        begun = next(pieces) + next(pieces)
        store.add(after, NOW_MS)
        backup = begun + b"".join(pieces)

    entries = list(BackupReader(io.BytesIO(backup)).entries())

    assert {key for key, _ in entries} == {layout.record_key(r.id) for r in before}


@pytest.mark.slow
def test_a_store_is_closed_under_whoever_reads_a_backup(tmp_path: Path) -> None:
    make_store(tmp_path / "records", seed=2, steps=100)
    store = open_store(tmp_path / "records", NETWORK)
    pieces = store.backup(NOW_MS)
    next(pieces)
    next(pieces)

    store.close()

    with pytest.raises(LocalError, match="store-failed"):
        list(pieces)


def test_a_store_in_memory_is_backed_up_too(tmp_path: Path) -> None:
    alice = TestAgent("alice")
    alice.post()
    store = memory.open_store(NETWORK)
    store.add(alice.records, NOW_MS)

    done = restore(
        io.BytesIO(b"".join(store.backup(NOW_MS))), tmp_path / "records", NETWORK
    )

    assert done.records == 2


def spoilt(backup: bytes, dice: random.Random) -> Iterator[bytes]:
    """Yield backups that are not whole."""
    for size in (0, 5, 17, 100, len(backup) - 1, dice.randrange(len(backup))):
        yield backup[:size]
    yield backup + b"x"
    for _ in range(12):
        rotten = bytearray(backup)
        rotten[dice.randrange(len(backup))] ^= 1 << dice.randrange(8)
        yield bytes(rotten)
    yield b"another file altogether\n" * 50


@pytest.mark.slow
def test_what_is_not_whole_leaves_no_store_behind(
    backup: bytes, tmp_path: Path, rng: random.Random
) -> None:
    for number, bad in enumerate(spoilt(backup, rng)):
        folder = tmp_path / str(number) / "records"
        with pytest.raises(LocalError, match=r"bad-backup|other-network"):
            restore(io.BytesIO(bad), folder, NETWORK)
        assert not folder.exists()
        with pytest.raises(LocalError, match=r"bad-backup|other-network"):
            restore(io.BytesIO(bad), folder, NETWORK)

        assert restore(io.BytesIO(backup), folder, NETWORK).records > 0


def test_a_backup_that_was_broken_off_says_why(backup: bytes, tmp_path: Path) -> None:
    problem = {"code": "store-failed", "message": "a bad disk", "hint": "mend it"}
    head = backup[: backup.index(b"}\n") + 2]

    with pytest.raises(LocalError, match="store-failed: a bad disk"):
        restore(io.BytesIO(head + broken_off(problem)), tmp_path / "records", NETWORK)


def test_a_forged_record_is_not_let_in(source: Path, tmp_path: Path) -> None:
    alice = TestAgent("alice")
    post = alice.post()
    with closing(LevelDb(tmp_path / "forged")) as engine:
        mine = post.wire()
        forged = mine.replace(post.sign1[-64:], bytes(64))
        assert forged != mine
        rest = layout.number(NOW_MS) + forged
        value = layout._checksum(post.id, rest) + rest
        engine.apply([Put(layout.record_key(post.id), value)])
        engine.apply([Put(layout.SCHEMA_KEY, layout.number(layout.SCHEMA))])
        engine.apply([Put(layout.NETWORK_KEY, NETWORK.id.encode())])

    with pytest.raises(LocalError, match="damaged-record"):
        restore(
            io.BytesIO(backup_of(tmp_path / "forged")), tmp_path / "records", NETWORK
        )
    assert not (tmp_path / "records").exists()


def test_another_networks_backup_is_refused(backup: bytes, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="other-network"):
        restore(io.BytesIO(backup), tmp_path / "records", NetworkParams("other"))


def test_a_store_is_never_written_over(
    source: Path, backup: bytes, tmp_path: Path
) -> None:
    make_store(tmp_path / "records", seed=3, steps=5)
    before = everything(tmp_path / "records")

    with pytest.raises(UsageError, match="store-exists"):
        restore(io.BytesIO(backup), tmp_path / "records", NETWORK)

    assert everything(tmp_path / "records") == before


def test_a_damaged_store_gives_no_backup(tmp_path: Path) -> None:
    records = make_store(tmp_path / "records", seed=4, steps=10)
    with closing(LevelDb(tmp_path / "records")) as engine:
        engine.apply([Put(layout.record_key(records[5].id), b"rotten")])

    with pytest.raises(LocalError, match="damaged-record"):
        backup_of(tmp_path / "records")


def test_whoever_was_put_back_is_behind_until_told_otherwise(
    backup: bytes, tmp_path: Path
) -> None:
    restore(io.BytesIO(backup), tmp_path / "records", NETWORK)
    with closing(open_store(tmp_path / "records", NETWORK)) as store:
        assert store.is_behind()
        store.caught_up()

    with closing(open_store(tmp_path / "records", NETWORK)) as store:
        assert not store.is_behind()
        assert list(store.verify()) == []
