"""Opening a store on disk, and what files that are not as they were left lead to."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout
from moltp2p.store.base import Damage, Query, Store
from moltp2p.store.engine import Delete, Entry, Hole, Put
from moltp2p.store.leveldb import LevelDb, open_store
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.refusal import code_of

NETWORK = NetworkParams("test-net")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "records"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Leave a store behind, with a table, a log and a manifest that are in use."""
    folder = tmp_path_factory.mktemp("left")
    alice = TestAgent("alice")
    for n in range(400):
        alice.post(f"post {n}: " + f"{n * 7919} " * 20)
    for half in (alice.records[:300], alice.records[300:]):
        store = open_store(folder, NETWORK)  # opening writes the log out as a table
        store.add(half, EPOCH_MS)
        store.close()
    return folder, alice.records


@pytest.fixture
def written(left: tuple[Path, list[Record]], folder: Path) -> list[Record]:
    """Put a copy of that store into the folder."""
    template, records = left
    shutil.copytree(template, folder)
    return records


def refusal(folder: Path, network: NetworkParams = NETWORK) -> LocalError:
    """Return why the store does not open."""
    with pytest.raises(LocalError) as raised:
        open_store(folder, network)
    assert raised.value.hint
    return raised.value


def entries(folder: Path) -> list[Entry | Hole]:
    """Return all that stands in a database."""
    engine = LevelDb(folder)
    with engine.view() as view:
        found = list(view.scan(b""))
    engine.close()
    return found


def test_a_store_begins_in_a_folder_of_its_own(folder: Path) -> None:
    store = open_store(folder, NETWORK)
    store.close()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_was_added_is_there_when_it_is_opened_again(
    folder: Path, written: list[Record]
) -> None:
    store = open_store(folder, NETWORK)

    assert store.count() == len(written)
    assert all(store.has(record.id) for record in written)
    assert store.key_chain(written[0].header.agent) is not None
    assert list(store.verify()) == []
    store.close()


def test_a_second_store_on_the_same_folder_is_refused(folder: Path) -> None:
    store = open_store(folder, NETWORK)

    assert refusal(folder).code == "store-locked"

    store.close()
    open_store(folder, NETWORK).close()


@pytest.mark.slow
def test_a_second_process_on_the_same_folder_is_refused(folder: Path) -> None:
    program = (
        "import sys, pathlib; from moltp2p.store.leveldb import open_store\n"
        "from moltp2p.core.topics import NetworkParams\n"
        "store = open_store(pathlib.Path(sys.argv[1]), NetworkParams('test-net'))\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"

        assert refusal(folder).code == "store-locked"

        process.communicate()
    open_store(folder, NETWORK).close()


@pytest.mark.parametrize("name", ["mend", "close"])
def test_the_database_is_not_closed_under_a_reader(folder: Path, name: str) -> None:
    engine = LevelDb(folder)
    engine.apply([Put(b"key", b"value")])
    engine._is_suspect = True
    closing = threading.Thread(target=getattr(engine, name))

    with engine.view() as view:
        closing.start()
        closing.join(0.05)
        assert closing.is_alive()
        assert view.get(b"key") == b"value"
    closing.join()

    engine.close()


class Watched:
    """A database that notes how batches are written."""

    def __init__(self, engine: LevelDb) -> None:
        self.batches: list[dict[str, bool]] = []
        self._db = engine._db
        engine._db = self

    def write_batch(self, **options: bool) -> object:
        self.batches.append(options)
        return self._db.write_batch(**options)

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


def test_each_add_is_one_synced_transaction(folder: Path) -> None:
    engine = LevelDb(folder)
    store = RecordStore(engine, NETWORK)
    watched = Watched(engine)
    alice = TestAgent("alice")
    post = alice.post()
    alice.delete(post)
    alice.rotate()

    store.add(alice.records, EPOCH_MS)
    store.add(alice.records, EPOCH_MS)

    assert watched.batches == [{"transaction": True, "sync": True}]
    store.close()


class TestWhatIsNotOurs:
    def test_a_newer_schema_is_refused_and_left_as_it_is(
        self, folder: Path, written: list[Record]
    ) -> None:
        engine = LevelDb(folder)
        engine.apply([Put(layout.SCHEMA_KEY, layout.number(layout.SCHEMA + 1))])
        engine.close()
        before = entries(folder)

        assert refusal(folder).code == "newer-schema"

        assert entries(folder) == before

    def test_another_network_is_refused_and_left_as_it_is(
        self, folder: Path, written: list[Record]
    ) -> None:
        before = entries(folder)

        error = refusal(folder, NetworkParams("other-net"))

        assert error.code == "other-network"
        assert NETWORK.id in error.message
        assert entries(folder) == before

    @pytest.mark.parametrize("key", [layout.SCHEMA_KEY, layout.NETWORK_KEY])
    def test_a_store_that_does_not_say_what_wrote_it_is_refused(
        self, folder: Path, written: list[Record], key: bytes
    ) -> None:
        engine = LevelDb(folder)
        engine.apply([Delete(key)])
        engine.close()

        assert refusal(folder).code == "store-damaged"

    def test_a_file_in_place_of_the_folder_is_refused(self, folder: Path) -> None:
        folder.parent.mkdir()
        folder.write_text("not a folder")

        assert refusal(folder).code == "store-damaged"
        assert refusal(folder / "deeper").code == "store-damaged"
        assert folder.read_text() == "not a folder"

    @pytest.mark.parametrize("mode", [0o000, 0o500])
    def test_a_folder_that_we_may_not_write_is_refused(
        self, folder: Path, written: list[Record], mode: int
    ) -> None:
        folder.chmod(mode)
        for parent in (folder.parent, folder.parent.parent):
            parent.chmod(0o755)
        try:
            with unprivileged():
                error = refusal(folder)
        finally:
            folder.chmod(0o700)

        assert error.code == "store-damaged"
        assert "Permission denied" in error.message


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while; whoever is not root is held to permissions anyway."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestBeginningThatWasCutShort:
    def test_a_database_that_was_not_there_yet_begins_anew(self, folder: Path) -> None:
        open_store(folder, NETWORK).close()
        for path in folder.iterdir():
            if not path.name.startswith(("MANIFEST", "LOCK", "LOG")):
                path.unlink()

        store = open_store(folder, NETWORK)

        assert store.count() == 0
        store.close()

    def test_an_empty_database_becomes_a_store(self, folder: Path) -> None:
        LevelDb(folder).close()

        open_store(folder, NETWORK).close()

        assert len(entries(folder)) == 5


def only(folder: Path, pattern: str) -> Path:
    """Return the largest file of a sort."""
    return max(folder.glob(pattern), key=lambda path: path.stat().st_size)


def flip(path: Path, place: float) -> None:
    """Damage one byte, that far into the file."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "CURRENT is gone": ("CURRENT", Path.unlink),
    "CURRENT is empty": ("CURRENT", lambda path: path.write_bytes(b"")),
    "CURRENT names no file": ("CURRENT", lambda path: path.write_text("MANIFEST-99\n")),
    "the manifest is gone": ("MANIFEST-*", Path.unlink),
    "the manifest is empty": ("MANIFEST-*", lambda path: path.write_bytes(b"")),
    "the manifest is damaged": ("MANIFEST-*", lambda path: flip(path, 0.5)),
    "a table is gone": ("*.ldb", Path.unlink),
    "a table's end is damaged": ("*.ldb", lambda path: flip(path, 1)),
    "a table is cut": ("*.ldb", lambda path: os.truncate(path, 1000)),
    "the log is damaged": ("*.log", lambda path: flip(path, 0.5)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_and_nothing_is_lost(
    folder: Path, written: list[Record], tmp_path: Path, damage: str
) -> None:
    pattern, do = DAMAGES[damage]
    victim = only(folder, pattern)
    shutil.copy(victim, tmp_path / "backup")
    do(victim)

    for _ in range(2):
        error = refusal(folder)
        assert error.code == "store-damaged"

    shutil.copy(tmp_path / "backup", victim)
    store = open_store(folder, NETWORK)
    assert store.count() == len(written)
    assert list(store.verify()) == []
    store.close()


@pytest.fixture
def tables(folder: Path, written: list[Record]) -> Path:
    """Have everything in tables, and nothing in the log."""
    for _ in range(2):
        open_store(folder, NETWORK).close()
    return folder


PLACES = [n / 20 for n in range(19)]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_vanishes_without_a_word_where_a_table_is_damaged(
    tables: Path, written: list[Record], place: float
) -> None:
    flip(only(tables, "*.ldb"), place)
    refused = code_of(lambda: open_store(tables, NETWORK).close())
    if refused is not None:
        assert refused == "store-damaged", "what says whose store it is"
        return
    store = open_store(tables, NETWORK)

    shown, damaged = read_all(store)
    reported = {damage.record for damage in store.verify()}

    named = {damage.record for damage in damaged}
    lost = {record.id for record in written} - shown
    assert lost <= named or None in named
    assert None in reported, "a block cannot be read"
    for record in written:
        code = code_of_getting(store, record.id)
        assert code in {None, "damaged-record"}
        assert store.has(record.id) == (code is None)
        assert code is None or record.id in reported
    store.close()


def test_writing_stops_where_damage_would_be_written_on_and_reading_goes_on(
    tables: Path, written: list[Record]
) -> None:
    flip(only(tables, "*.ldb"), 0.5)
    engine = LevelDb(tables)
    store = RecordStore(engine, NETWORK)
    lost = {record.id for record in written} - read_all(store)[0]
    engine._db.compact_range(start=b"\x00", stop=b"\xff")

    with pytest.raises(LocalError, match="store-damaged"):
        store.add([TestAgent("bob").post()], EPOCH_MS)

    assert {record.id for record in written} - read_all(store)[0] == lost
    store.close()


def code_of_getting(store: Store, record: RecordId) -> str | None:
    """Return what getting a record fails with, if it does."""
    try:
        assert store.get(record) is not None
    except LocalError as error:
        return error.code
    return None


def read_all(store: Store) -> tuple[set[RecordId], list[Damage]]:
    """Return what pages show, and what they say they cannot."""
    shown: set[RecordId] = set()
    damaged: list[Damage] = []
    page = store.page(Query(limit=100))
    while True:
        shown.update(stored.record.id for stored in page.records)
        damaged += page.damaged
        if not page.more:
            return shown, damaged
        page = store.page(Query(limit=100, cursor=page.cursor))
