"""What a store does where its engine fails: fakes that do so on demand.

Real damage to real files is in test_leveldb.py, a real full disk in
test_full_disk.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout
from moltp2p.store.base import Damage, Query
from moltp2p.store.engine import Change, Entry, Hole, Reader
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent

HOLE = Hole("a bad block")


class BadDisk(Memory):
    """Memory with a hole in every scan, and keys that cannot be read.

    Attributes:
        unreadable: those keys.
        code: what reading them fails with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: set[bytes] = set()
        self.code = "store-damaged"
        self.has_hole = False

    def get(self, key: bytes) -> bytes | None:
        with self.view() as view:
            return view.get(key)

    @contextmanager
    def view(self) -> Iterator[Reader]:
        with super().view() as table:
            yield BadReader(table, self)


class BadReader:
    def __init__(self, table: Reader, disk: BadDisk) -> None:
        self._table = table
        self._disk = disk

    def get(self, key: bytes) -> bytes | None:
        if key in self._disk.unreadable:
            raise LocalError(self._disk.code, "a bad block")
        return self._table.get(key)

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry | Hole]:
        if self._disk.has_hole:
            yield HOLE
        for entry in self._table.scan(prefix, after, reverse=reverse):
            if isinstance(entry, Hole) or entry[0] not in self._disk.unreadable:
                yield entry

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        return (list(self.scan(prefix)) for prefix in prefixes)


@pytest.fixture
def disk() -> BadDisk:
    return BadDisk()


@pytest.fixture
def alice() -> TestAgent:
    alice = TestAgent("alice")
    alice.post("one")
    alice.post("two")
    return alice


@pytest.fixture
def store(disk: BadDisk, alice: TestAgent) -> RecordStore:
    store = RecordStore(disk, NetworkParams("test-net"))
    store.add(alice.records, EPOCH_MS)
    return store


@pytest.fixture
def bad(disk: BadDisk, alice: TestAgent) -> Record:
    """Make a record unreadable."""
    record = alice.records[1]
    disk.unreadable.add(layout.record_key(record.id))
    return record


def test_an_unreadable_record_is_damaged_and_counts_as_not_held(
    store: RecordStore, bad: Record
) -> None:
    with pytest.raises(LocalError) as raised:
        store.get(bad.id)

    assert raised.value.code == "damaged-record"
    assert not store.has(bad.id)


def test_a_page_goes_past_an_unreadable_record(store: RecordStore, bad: Record) -> None:
    page = store.page(Query())

    assert len(page.records) == 2
    assert [(each.code, each.record) for each in page.damaged] == [
        ("damaged-record", bad.id)
    ]


def test_verifying_names_an_unreadable_record_once(
    store: RecordStore, bad: Record
) -> None:
    found = [each for each in store.verify() if each.code == "damaged-record"]

    assert [each.record for each in found] == [bad.id]


def test_adding_an_unreadable_record_heals_it(
    store: RecordStore, disk: BadDisk, bad: Record
) -> None:
    assert store.add([bad], EPOCH_MS) == [True]

    disk.unreadable.clear()  # LevelDB too finds the newer copy first
    assert store.has(bad.id)
    assert store.count() == 3
    assert list(store.verify()) == []


def test_what_fails_for_another_reason_is_not_called_damage(
    store: RecordStore, disk: BadDisk, bad: Record
) -> None:
    disk.code = "store-failed"

    for call in (
        lambda: store.has(bad.id),
        lambda: store.get(bad.id),
        lambda: store.page(Query()),
        lambda: store.add([bad], EPOCH_MS),
        lambda: list(store.verify()),
    ):
        with pytest.raises(LocalError, match="store-failed"):
            call()


def test_a_hole_in_an_index_is_named_and_the_rest_is_read(
    store: RecordStore, disk: BadDisk
) -> None:
    disk.has_hole = True

    page = store.page(Query())

    assert page.damaged == [Damage("damaged-index", None, HOLE.message)]
    assert len(page.records) == 3


def test_a_hole_in_every_scan_is_reported_once(
    store: RecordStore, disk: BadDisk
) -> None:
    disk.has_hole = True

    assert list(store.verify()) == [Damage("store-damaged", None, HOLE.message)]


def test_a_head_behind_a_hole_is_not_guessed(
    store: RecordStore, disk: BadDisk, alice: TestAgent
) -> None:
    disk.has_hole = True

    with pytest.raises(LocalError, match="store-damaged"):
        store.head(alice.id)


def test_a_rotation_that_cannot_see_what_it_overtakes_changes_nothing(
    store: RecordStore, disk: BadDisk, alice: TestAgent
) -> None:
    chain = store.key_chain(alice.id)
    disk.has_hole = True

    with pytest.raises(LocalError, match="store-damaged"):
        store.add([alice.rotate()], EPOCH_MS)

    assert store.key_chain(alice.id) == chain
    assert store.count() == 3


class LyingDisk(Memory):
    """Memory that makes the next change and says that it failed."""

    def __init__(self) -> None:
        super().__init__()
        self.will_lie = False
        self.has_lied = False

    def apply(self, changes: Sequence[Change]) -> None:
        super().apply(changes)
        self.will_lie, self.has_lied = False, self.will_lie
        if self.has_lied:
            raise LocalError("store-failed", "perhaps")

    def mend(self) -> bool:
        return self.has_lied


def test_a_change_that_failed_and_was_made_is_believed_once_the_disk_is_mended(
    alice: TestAgent,
) -> None:
    disk = LyingDisk()
    store = RecordStore(disk, NetworkParams("test-net"))
    store.add(alice.records, EPOCH_MS)
    assert store.key_chain(alice.id) is not None
    rotation = alice.rotate()
    disk.will_lie = True
    with pytest.raises(LocalError, match="store-failed"):
        store.add([rotation], EPOCH_MS)

    assert store.add([rotation], EPOCH_MS) == [False]

    chain = store.key_chain(alice.id)
    assert chain is not None
    assert chain.current.record == rotation.id
    assert store.count() == 4
    assert list(store.verify()) == []
