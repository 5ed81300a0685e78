"""A store where there is no room: refused, nothing half-written, and on it goes.

A limit on the size of files stands for a full disk wherever it will do: it needs no
rights, and LevelDB fails by it in the same places. One test fills a real one.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.store import leveldb
from moltp2p.store.base import Query, Store
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.full_disk import no_file_larger_than

NETWORK = NetworkParams("test-net")
MIB = 2**20


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Return an agent's records, the large ones that fill a disk in a few steps."""
    alice, rng = TestAgent("alice"), random.Random(1)
    for community in ("general", "science") * 200:  # within her quota for each
        alice.post(rng.randbytes(19_000).hex(), community)
    return alice.records


def fill(store: Store, records: Sequence[Record]) -> list[Record]:
    """Add one record after the other until there is no room; return those added."""
    for place, record in enumerate(records):
        error = failure(store, record)
        if error is not None:
            assert error.code == "disk-full"
            assert error.hint
            return list(records[:place])
    pytest.fail("the disk is never full")


def failure(store: Store, record: Record) -> LocalError | None:
    """Add a record; return why it could not be added, if so."""
    try:
        assert store.add([record], EPOCH_MS) == [True]
    except LocalError as error:
        return error
    return None


def assert_holds(store: Store, records: Sequence[Record]) -> None:
    """Hold the store to these records and no others."""
    assert store.count() == len(records)
    for record in records:
        stored = store.get(record.id)
        assert stored is not None
        assert stored.record == record


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "records", NETWORK)) as store:
        yield store


def test_what_did_not_fit_is_refused_and_the_rest_is_read(
    store: Store, records: list[Record]
) -> None:
    with no_file_larger_than(MIB):
        added = fill(store, records)
        for _ in range(3):
            with pytest.raises(LocalError, match="disk-full"):
                store.add(records[len(added) :], EPOCH_MS)

            assert_holds(store, added)
            assert len(store.page(Query(limit=1000)).records) == len(added)
            assert not store.has(records[len(added)].id)


def test_writing_goes_on_when_there_is_room_and_nothing_is_lost_by_it(
    tmp_path: Path, records: list[Record]
) -> None:
    with closing(open_store(tmp_path / "records", NETWORK)) as store:
        with no_file_larger_than(MIB):
            added = fill(store, records)
        rest = records[len(added) : len(added) + 50]
        assert store.add(rest, EPOCH_MS) == [True] * 50

    with closing(open_store(tmp_path / "records", NETWORK)) as store:
        assert_holds(store, [*added, *rest])
        assert list(store.verify()) == []


def test_the_key_chain_is_what_the_disk_says_after_a_write_that_failed(
    store: Store, records: list[Record]
) -> None:
    alice = TestAgent("alice", records=records[:1])
    rotation = alice.rotate()
    with no_file_larger_than(MIB):
        fill(store, records)
        with pytest.raises(LocalError, match="disk-full"):
            store.add([rotation], EPOCH_MS)
        chain = store.key_chain(alice.id)
        assert chain is not None
        assert len(chain.links) == 1

    assert store.add([rotation], EPOCH_MS) == [True]

    chain = store.key_chain(alice.id)
    assert chain is not None
    assert len(chain.links) == 2
    assert store.count() == 2, "the thief's posts are gone"


def test_a_store_that_cannot_be_opened_again_says_so_until_it_can(
    store: Store, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    # There was room when it was looked for; then somebody else took it.
    monkeypatch.setattr(leveldb, "_check_room", lambda folder: None)
    with no_file_larger_than(MIB):
        added = fill(store, records)
        with (
            no_file_larger_than(10),
            pytest.raises(LocalError, match="disk-full"),
        ):
            store.add(records, EPOCH_MS)
        for call in (store.count, lambda: store.get(records[0].id)):
            with pytest.raises(LocalError, match="store-failed"):
                call()

    assert all(store.add(records[len(added) :], EPOCH_MS))

    assert_holds(store, records)


def test_readers_are_not_disturbed_while_the_store_is_opened_again(
    store: Store, records: list[Record]
) -> None:
    is_done = threading.Event()

    def read() -> int:
        rounds = 0
        while not is_done.is_set():
            assert not store.page(Query(limit=5)).damaged
            store.has(records[0].id)
            rounds += 1
        return rounds

    added = 0
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(5):
            with no_file_larger_than(MIB):
                added += len(fill(store, records[added:]))
        is_done.set()

    assert all(reader.result() > 0 for reader in readers)
    assert store.count() == added


def test_a_store_does_not_begin_where_there_is_no_room(tmp_path: Path) -> None:
    with no_file_larger_than(10), pytest.raises(LocalError) as raised:
        open_store(tmp_path / "records", NETWORK)

    assert raised.value.code == "disk-full"
    open_store(tmp_path / "records", NETWORK).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 40 MiB."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount the small file system that is to be filled")
    options = ["-t", "tmpfs", "-o", "size=40m", "tmpfs"]
    mounted = subprocess.run(
        [mount, *options, mount_point], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    yield mount_point
    subprocess.run([umount, "--lazy", mount_point], check=True)


@pytest.mark.slow
def test_a_real_file_system_runs_full_and_gets_room_again(
    small_disk: Path, records: list[Record]
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(32 * MIB))
    with closing(open_store(small_disk / "records", NETWORK)) as store:
        added = fill(store, records)
        rest = records[len(added) :]
        for _ in range(3):
            with pytest.raises(LocalError, match="disk-full"):
                store.add(rest, EPOCH_MS)
        assert_holds(store, added)

        ballast.unlink()
        assert all(store.add(rest, EPOCH_MS))

    with closing(open_store(small_disk / "records", NETWORK)) as store:
        assert_holds(store, records)
        assert list(store.verify()) == []


@pytest.mark.slow
def test_a_store_left_on_a_full_file_system_opens_when_there_is_room(
    small_disk: Path, records: list[Record]
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(32 * MIB))
    with closing(open_store(small_disk / "records", NETWORK)) as store:
        added = fill(store, records)

    for _ in range(2):
        with pytest.raises(LocalError, match="disk-full"):
            open_store(small_disk / "records", NETWORK)

    ballast.unlink()
    with closing(open_store(small_disk / "records", NETWORK)) as store:
        assert_holds(store, added)
        assert list(store.verify()) == []
