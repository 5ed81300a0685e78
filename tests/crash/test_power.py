"""When the power goes, what was synced is there; what was not may be anything.

A file system gives back what was synced, and of what was written behind that any
part: cut off anywhere, zeros, garbage, bits that are wrong. The store then opens and
holds all that was acknowledged; or says that its log is damaged, and repair opens it
with all that was acknowledged.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.record import Record
from moltp2p.store.leveldb import open_store
from moltp2p.store.repairing import repair
from moltp2p.testing.factories import TestAgent
from tests.crash.story import NETWORK

BLOCK_BYTES: Final = 32 * 1024
"""LevelDB cuts what spans two blocks of its log into fragments."""
HEADER_BYTES: Final = 7
PAGE_BYTES: Final = 4_096

Tail = Callable[[bytes, random.Random], bytes]
"""What a file system may give back of a tail that was not synced."""

TAILS: Final[dict[str, Tail]] = {
    "cut off": lambda tail, dice: b"",
    "zeros": lambda tail, dice: bytes(len(tail)),
    "zeros to the end of a page": lambda tail, dice: bytes(PAGE_BYTES),
    "garbage": lambda tail, dice: dice.randbytes(len(tail)),
    "a wrong bit": lambda tail, dice: (
        bytes((tail[0] ^ 1 << dice.randrange(8),)) + tail[1:]
    ),
    "a hole before its end": lambda tail, dice: (
        bytes(len(tail) // 2) + tail[len(tail) // 2 :]
    ),
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """A store as it was when the power went, and what had been synced when.

    Attributes:
        folder: a copy of its files, taken while it was open.
        log: the name of its log.
        synced: how long the log was after each batch.
        batches: what each of them wrote.
    """

    folder: Path
    log: str
    synced: list[int]
    batches: list[list[Record]]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Write batches of all sizes; some span two blocks of the log."""
    folder = tmp_path_factory.mktemp("power")
    alice, dice = TestAgent("alice"), random.Random(1)
    alice.incept()
    synced, batches, done = [], [], 0
    with closing(open_store(folder / "records", NETWORK)) as store:
        (log,) = (folder / "records").glob("*.log")
        for number in range(24):
            alice.post(dice.randbytes(dice.choice((10, 100, 2_000, 9_000))).hex())
            if number % 7 == 6:
                alice.rotate()
            if number % 5 == 4:
                alice.delete(alice.records[-2])
            batch, done = alice.records[done:], len(alice.records)
            store.add(batch, number)
            batches.append(batch)
            synced.append(log.stat().st_size)
        shutil.copytree(folder / "records", folder / "left")
    assert synced[-1] > 3 * BLOCK_BYTES
    return Ledger(folder / "left", log.name, synced, batches)


def offsets(ledger: Ledger, number: int, dice: random.Random) -> Iterator[int]:
    """Yield places in the batch after the one that was synced last, of each class."""
    begin, end = ledger.synced[number], ledger.synced[number + 1]
    edges = [begin, begin + 1, begin + HEADER_BYTES - 1, begin + HEADER_BYTES]
    edges += [(begin + end) // 2, end - 1, dice.randrange(begin, end)]
    block = -(-begin // BLOCK_BYTES) * BLOCK_BYTES
    edges += [block + step for step in (-HEADER_BYTES, -1, 0, 1, HEADER_BYTES)]
    yield from sorted({edge for edge in edges if begin <= edge < end})


def assert_holds(folder: Path, ledger: Ledger, number: int) -> None:
    """Hold a store to all that was acknowledged up to a batch."""
    with closing(open_store(folder, NETWORK)) as store:
        for batch in ledger.batches[: number + 1]:
            assert all(store.has(record.id) for record in batch)
        assert list(store.verify()) == []


def opens(folder: Path) -> bool:
    """Tell whether a store opens; if not, hold it to saying what is wrong."""
    try:
        open_store(folder, NETWORK).close()
    except LocalError as error:
        damage = error
    else:
        return True
    assert damage.code == "store-damaged"
    assert "checksum mismatch" in damage.message
    assert "verify-store --repair" in damage.hint
    return False


def assert_survives(
    ledger: Ledger, folder: Path, kind: str, number: int, offset: int
) -> None:
    """Hold a store to its batches, whatever follows an offset in the next one."""
    data = (ledger.folder / ledger.log).read_bytes()
    tail = data[offset : ledger.synced[number + 1]]
    dice = random.Random(f"{kind} {offset}")
    shutil.copytree(ledger.folder, folder / "records")
    (folder / "records" / ledger.log).write_bytes(
        data[:offset] + TAILS[kind](tail, dice)
    )
    if not opens(folder / "records"):
        assert kind != "cut off", "a torn log is what every kill leaves"
        assert repair(folder / "records", NETWORK, lambda _: None).is_behind
    assert_holds(folder / "records", ledger, number)
    for path in folder.iterdir():
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TAILS)
def test_what_was_synced_survives_any_tail(
    ledger: Ledger, tmp_path: Path, rng: random.Random, kind: str
) -> None:
    for number in rng.sample(range(len(ledger.batches) - 1), 3):
        places = list(offsets(ledger, number, rng))
        for offset in rng.sample(places, 3):
            assert_survives(ledger, tmp_path, kind, number, offset)


@pytest.mark.long
@pytest.mark.parametrize("kind", TAILS)
def test_so_it_does_at_every_edge_of_every_batch(
    ledger: Ledger, tmp_path: Path, rng: random.Random, kind: str
) -> None:
    for number in range(len(ledger.batches) - 1):
        for offset in offsets(ledger, number, rng):
            assert_survives(ledger, tmp_path, kind, number, offset)


@pytest.mark.long
def test_a_log_cut_off_at_any_byte_of_a_batch_opens(
    ledger: Ledger, tmp_path: Path
) -> None:
    data = (ledger.folder / ledger.log).read_bytes()
    sizes = [b - a for a, b in zip(ledger.synced, ledger.synced[1:], strict=False)]
    number = sizes.index(min(sizes))
    for offset in range(ledger.synced[number], ledger.synced[number + 1]):
        shutil.copytree(ledger.folder, tmp_path / "records")
        (tmp_path / "records" / ledger.log).write_bytes(data[:offset])
        assert_holds(tmp_path / "records", ledger, number)
        shutil.rmtree(tmp_path / "records")


def test_a_batch_is_there_whole_or_not_at_all(ledger: Ledger, tmp_path: Path) -> None:
    data = (ledger.folder / ledger.log).read_bytes()
    number = max(range(len(ledger.batches)), key=lambda n: len(ledger.batches[n]))
    batch = ledger.batches[number]
    assert len(batch) > 1

    for offset in (ledger.synced[number] - 1, ledger.synced[number]):
        shutil.copytree(ledger.folder, tmp_path / "records")
        (tmp_path / "records" / ledger.log).write_bytes(data[:offset])
        with closing(open_store(tmp_path / "records", NETWORK)) as store:
            held = {store.has(record.id) for record in batch}
        assert held == {offset == ledger.synced[number]}
        shutil.rmtree(tmp_path / "records")


@pytest.mark.slow
def test_a_table_that_was_never_synced_is_missed_by_nobody(
    ledger: Ledger, tmp_path: Path, rng: random.Random
) -> None:
    # A recovery was writing it: the list of tables does not name it yet.
    for number in range(4):
        folder = tmp_path / str(number)
        shutil.copytree(ledger.folder, folder)
        sizes = (0, 1, PAGE_BYTES, BLOCK_BYTES)
        (folder / "000005.ldb").write_bytes(rng.randbytes(sizes[number]))
        (folder / "000006.dbtmp").write_bytes(b"MANIFEST-0000")
        assert_holds(folder, ledger, len(ledger.batches) - 1)
