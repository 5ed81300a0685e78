"""A store of the first schema becomes one of ours, whenever that is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.sync.reconcile import INFINITY_MS
from moltp2p.store import layout
from moltp2p.store.base import Query
from moltp2p.store.building import CHUNK_RECORDS
from moltp2p.store.engine import Change, Delete, Entry, Hole, Put
from moltp2p.store.leveldb import LevelDb, open_store
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import TestAgent
from tests.refusal import code_of
from tests.unit.store.schema_1 import RECEIVED_MS, write_store

NETWORK = NetworkParams("test-net")
OTHER_SHARDS = NetworkParams("test-net", shards=3)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Return records of all sorts: enough for three chunks."""
    alice, bob = TestAgent("alice"), TestAgent("bob")
    for n in range(CHUNK_RECORDS):
        alice.post(f"{n}", f"community-{n % 7}")
        bob.reply(alice.records[-1])
    alice.delete(alice.records[5])
    alice.rotate()
    alice.post("by the next key")
    return alice.records + bob.records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "records"


@pytest.fixture
def old(folder: Path, records: list[Record]) -> list[Entry | Hole]:
    """Put a store of schema 1 into the folder; return all that stands in it."""
    write_store(folder, NETWORK.id, records)
    return entries(folder)


def entries(folder: Path) -> list[Entry | Hole]:
    with closing(LevelDb(folder)) as engine, engine.view() as view:
        return list(view.scan(b""))


def made_by_us(
    folder: Path, records: Sequence[Record], network: NetworkParams = NETWORK
) -> list[Entry | Hole]:
    """Return what stands in a store to which the same records were added."""
    with closing(open_store(folder, network)) as store:
        store.add(records, RECEIVED_MS)
    return entries(folder)


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir())


def test_a_migrated_store_is_as_if_it_had_always_been_ours(
    folder: Path, old: list[Entry | Hole], records: list[Record], tmp_path: Path
) -> None:
    with closing(open_store(folder, NETWORK)) as store:
        assert store.count() == len(records)
        assert list(store.verify()) == []

    assert entries(folder) == made_by_us(tmp_path / "ours", records)
    assert beside(folder) == ["records"], "the copy is not needed any more"


def test_a_migrated_store_goes_on(
    folder: Path, old: list[Entry | Hole], records: list[Record]
) -> None:
    with closing(open_store(folder, NETWORK)) as store:
        carol = TestAgent("carol")
        carol.post("new here")
        assert store.add(carol.records, RECEIVED_MS) == [True, True]
        assert list(store.verify()) == []
    with closing(open_store(folder, NETWORK)) as store:
        assert store.count() == len(records) + 2


def test_progress_is_told_up_to_the_end(
    folder: Path, old: list[Entry | Hole], records: list[Record]
) -> None:
    told: list[tuple[int, int]] = []

    open_store(folder, NETWORK, progress=lambda *n: told.append(n)).close()
    open_store(folder, NETWORK, progress=lambda *n: told.append(n)).close()

    assert [done for done, _ in told] == [
        CHUNK_RECORDS,
        2 * CHUNK_RECORDS,
        len(records),
    ]
    assert {total for _, total in told} == {len(records)}


class FillsUp(LevelDb):
    """A disk that is full after so many changes."""

    def __init__(self, folder: Path, changes: int) -> None:
        super().__init__(folder)
        self.left = changes

    def apply(self, changes: Sequence[Change]) -> None:
        if self.left == 0:
            raise LocalError("disk-full", "no room")
        self.left -= 1
        super().apply(changes)


@pytest.mark.parametrize("changes", range(6))
def test_a_migration_that_is_cut_off_loses_nothing_and_goes_on(
    folder: Path,
    old: list[Entry | Hole],
    records: list[Record],
    tmp_path: Path,
    changes: int,
) -> None:
    disk = FillsUp(folder, changes)
    assert code_of(lambda: RecordStore(disk, NETWORK)) == "disk-full"

    assert entries(folder.with_name("records.schema-1")) == old
    told: list[int] = []
    open_store(folder, NETWORK, progress=lambda done, _: told.append(done)).close()

    chunks = max(0, changes - 2)  # before them the number of the schema, and a count
    left = [CHUNK_RECORDS, 2 * CHUNK_RECORDS, len(records)][chunks:]
    assert told == left
    assert entries(folder) == made_by_us(tmp_path / "ours", records)
    assert beside(folder) == ["records"]


def test_the_copy_can_be_put_back(
    folder: Path, old: list[Entry | Hole], records: list[Record]
) -> None:
    copy = folder.with_name("records.schema-1")
    with pytest.raises(LocalError):
        RecordStore(FillsUp(folder, 3), NETWORK)

    folder.rename(folder.with_name("set-aside"))
    copy.rename(folder)

    assert entries(folder) == old
    with closing(open_store(folder, NETWORK)) as store:
        assert store.count() == len(records)


def test_a_copy_cut_off_or_older_is_made_again(
    folder: Path, old: list[Entry | Hole]
) -> None:
    for name in ("records.schema-1", "records.schema-1.part"):
        folder.with_name(name).mkdir()
        (folder.with_name(name) / "CURRENT").write_text("cut off")
    with pytest.raises(LocalError):
        RecordStore(FillsUp(folder, 0), NETWORK)

    assert entries(folder.with_name("records.schema-1")) == old
    assert beside(folder) == ["records", "records.schema-1"]


def test_what_is_not_ours_to_migrate_is_left_as_it_is(
    folder: Path, old: list[Entry | Hole]
) -> None:
    assert (
        code_of(lambda: open_store(folder, NetworkParams("other"))) == "other-network"
    )

    assert entries(folder) == old
    assert beside(folder) == ["records"]


def test_a_damaged_record_stays_out_of_the_sets_and_is_named(
    folder: Path, old: list[Entry | Hole], records: list[Record]
) -> None:
    victim = records[100]
    with closing(LevelDb(folder)) as engine:
        engine.apply([Put(layout.record_key(victim.id), b"junk")])

    with closing(open_store(folder, NETWORK)) as store:
        sums = store.sums(range(NETWORK.shards + 1), 0, INFINITY_MS)
        named = {damage.record for damage in store.verify()}

    assert sum(each.count for each in sums) == len(records) - 1
    assert victim.id in named


def test_another_number_of_shards_builds_the_sets_anew(
    folder: Path, records: list[Record], tmp_path: Path
) -> None:
    made_by_us(folder, records)

    with closing(open_store(folder, OTHER_SHARDS)) as store:
        assert list(store.verify()) == []
        assert len(store.page(Query(limit=1000)).records) == 1000

    assert entries(folder) == made_by_us(tmp_path / "ours", records, OTHER_SHARDS)
    assert beside(folder) == ["records"], "no record was touched: no copy"


def test_shards_that_change_while_sets_are_built_leave_no_mixture(
    folder: Path, records: list[Record], old: list[Entry | Hole], tmp_path: Path
) -> None:
    with pytest.raises(LocalError):
        RecordStore(FillsUp(folder, 4), NETWORK)

    open_store(folder, OTHER_SHARDS).close()

    assert entries(folder) == made_by_us(tmp_path / "ours", records, OTHER_SHARDS)


def test_a_store_that_does_not_know_its_shards_builds_its_sets(
    folder: Path, records: list[Record]
) -> None:
    ours = made_by_us(folder, records)
    with closing(LevelDb(folder)) as engine:
        engine.apply([Delete(layout.SHARDS_KEY)])

    open_store(folder, NETWORK).close()

    assert entries(folder) == ours
