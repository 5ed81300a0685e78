"""Whatever is damaged: repair leaves a whole store, and says what it lacks."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.store import layout
from moltp2p.store.base import Damage
from moltp2p.store.engine import Change, Delete, Put
from moltp2p.store.leveldb import LevelDb, open_store
from moltp2p.store.repairing import Repair, repair
from moltp2p.testing.factories import TestAgent
from tests.crash.story import NETWORK
from tests.unit.store.copies import everything, make_store

DERIVED = b"TACPDKS"
"""Tables that can be lost as a whole without losing anything."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def records(folder: Path, rng: random.Random) -> list[Record]:
    return make_store(folder, rng.randrange(100))


def mended(folder: Path) -> Repair:
    """Repair a store, and hold it to being whole."""
    found: list[Damage] = []
    done = repair(folder, NETWORK, found.append)
    assert len(found) == done.found.total()
    with closing(open_store(folder, NETWORK)) as store:
        assert list(store.verify()) == []
        assert store.count() == done.records
        assert sum(1 for _ in store.missing()) == done.missing
    assert sorted(path.name for path in folder.parent.glob("*.part")) == []
    return done


def change(folder: Path, *changes: Change) -> None:
    with closing(LevelDb(folder)) as engine:
        engine.apply(changes)


def spoil(folder: Path, *records: Record) -> None:
    change(folder, *(Put(layout.record_key(each.id), b"rotten") for each in records))


def test_a_whole_store_is_left_alone(folder: Path, records: list[Record]) -> None:
    before = everything(folder)

    done = mended(folder)

    assert (done.found.total(), done.aside, done.records) == (0, None, len(records))
    assert everything(folder) == before


@pytest.mark.parametrize("letter", [bytes((letter,)) for letter in DERIVED])
def test_a_table_that_follows_from_the_records_is_computed_again(
    folder: Path, records: list[Record], letter: bytes
) -> None:
    before = everything(folder)
    change(folder, *(Delete(key) for key in before if key.startswith(letter)))

    done = mended(folder)

    assert everything(folder) == before
    assert (done.missing, done.is_behind) == (0, False)
    assert everything(done.aside or folder) != before, "it is kept as it was"


def test_entries_that_are_wrong_or_too_many_are_computed_again(
    folder: Path, records: list[Record], rng: random.Random
) -> None:
    before = everything(folder)
    keys = [key for key in before if key[:1] in DERIVED or key == layout.COUNT_KEY]
    for key in rng.sample(keys, 40):
        value = bytearray(before[key] or b"\0")
        value[rng.randrange(len(value))] ^= 0x10
        change(folder, Put(key, bytes(value)))
    change(folder, Put(b"Z of no table", b""), Put(layout.BY_TIME + bytes(40), b""))

    mended(folder)

    assert everything(folder) == before


def test_a_lost_record_is_missed_until_it_comes_again(
    folder: Path, records: list[Record], rng: random.Random
) -> None:
    before = everything(folder)
    lost = rng.sample(records, 10)
    spoil(folder, *lost)

    done = mended(folder)

    assert set(done.found) == {"damaged-record"}
    assert done.missing == 10
    with closing(open_store(folder, NETWORK)) as store:
        assert set(store.missing()) == {each.id for each in lost}
        assert not any(store.has(each.id) for each in lost)
        held = {RecordId(key[-32:]) for key in everything_under(before, b"S")}
        offered = sum(each.count for each in store.sums(range(17), 0, 2**63))
        assert offered == len(held) - 10, "it stands in no set, and is asked for"
        store.add(lost, 1)
        assert list(store.missing()) == []
        assert list(store.verify()) == []
    after = everything(folder)
    assert {key for key in after if key[:1] != b"R"} == {
        key for key in before if key[:1] != b"R"
    }


def everything_under(entries: dict[bytes, bytes], letter: bytes) -> list[bytes]:
    return [key for key, value in entries.items() if key[:1] == letter and not value]


def test_an_agent_goes_on_behind_a_newest_record_that_is_lost(folder: Path) -> None:
    alice = TestAgent("alice")
    for number in range(5):
        alice.post(str(number))
    with closing(open_store(folder, NETWORK)) as store:
        store.add(alice.records, 1)
        head = store.head(alice.id)
    spoil(folder, alice.records[-1])

    mended(folder)

    with closing(open_store(folder, NETWORK)) as store:
        assert store.head(alice.id) == head


def test_a_key_chain_outlives_its_records(folder: Path) -> None:
    alice = TestAgent("alice")
    alice.post("first")
    alice.rotate()
    alice.post("second")
    alice.rotate()
    alice.post("third")
    with closing(open_store(folder, NETWORK)) as store:
        store.add(alice.records, 1)
        chain = store.key_chain(alice.id)
    links = [each for each in alice.records if each.header.kind == Kind.ROTATE]
    spoil(folder, links[0], alice.records[0])

    done = mended(folder)

    assert done.missing == 2
    with closing(open_store(folder, NETWORK)) as store:
        assert store.key_chain(alice.id) == chain
        assert store.add([links[0], alice.records[0]], 1) == [True, True]
        assert list(store.verify()) == []


def test_repairing_again_changes_nothing(
    folder: Path, records: list[Record], rng: random.Random
) -> None:
    spoil(folder, *rng.sample(records, 5))
    first = mended(folder)
    after = everything(folder)

    second = mended(folder)

    assert (second.found.total(), second.aside) == (0, None)
    assert second.missing == first.missing == 5
    assert everything(folder) == after


class Cut(BaseException):
    """The process ends here."""


def cut_off_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End what is done before its how manyth rename."""
    rename = Path.rename
    renames = 0

    def cut(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == number:
            raise Cut
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", cut)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_repair_cut_off_anywhere_is_gone_on_with(
    folder: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = everything(folder)
    change(folder, *(Delete(key) for key in before if key.startswith(b"T")))
    with monkeypatch.context() as patch:
        cut_off_at(at, patch)
        with pytest.raises(Cut):
            repair(folder, NETWORK, lambda _: None)
    if not folder.exists():
        with pytest.raises(LocalError, match="repair-unfinished"):
            open_store(folder, NETWORK)

    done = mended(folder)

    assert done.finished == (at == 3)
    assert everything(folder) == before


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)


def test_a_damaged_log_is_read_past_the_damage(
    folder: Path, records: list[Record]
) -> None:
    (log,) = folder.glob("*.log")
    flip(log, log.stat().st_size // 2)
    with pytest.raises(LocalError, match="store-damaged") as raised:
        open_store(folder, NETWORK)
    assert "--repair" in raised.value.hint

    done = mended(folder)

    assert 0 < done.records <= len(records)
    assert done.is_behind, "nobody can tell what the log lost"


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*"])
def test_a_store_without_its_table_of_contents_is_gathered_again(
    folder: Path, records: list[Record], name: str
) -> None:
    before = everything(folder)  # and the log became a table
    for path in folder.glob(name):
        path.unlink()
    with pytest.raises(LocalError, match="store-damaged"):
        open_store(folder, NETWORK)

    done = mended(folder)

    assert done.records == len(records)
    assert everything(folder) == before | {layout.BEHIND_KEY: b""}


def test_a_damaged_block_costs_what_stands_in_it(
    folder: Path, records: list[Record]
) -> None:
    everything(folder)  # the log becomes a table
    (table,) = folder.glob("*.ldb")
    flip(table, table.stat().st_size // 2)

    done = mended(folder)

    assert len(records) // 2 < done.records < len(records)
    assert done.is_behind
    with closing(open_store(folder, NETWORK)) as store:
        store.add(records, 1)
        assert store.count() == len(records)
        assert list(store.verify()) == []


def test_where_nothing_can_be_read_nothing_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    make_store(folder, seed=1, steps=5)
    for path in folder.glob("*"):
        path.write_bytes(b"rotten")
    before = sorted(folder.iterdir())

    with pytest.raises(LocalError, match="store-damaged"):
        repair(folder, NETWORK, lambda _: None)

    assert set(before) <= {folder / "LOG.old", *folder.iterdir()}
    assert [path.read_bytes() for path in before if path.name != "LOG"] == [
        b"rotten" for path in before if path.name != "LOG"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records"]
