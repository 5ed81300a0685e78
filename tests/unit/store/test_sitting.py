"""A batch that is judged and kept by what was read of it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.facts import Overlay
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.store import layout
from moltp2p.store.engine import Entry, Hole, Reader
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NETWORK = NetworkParams("test-net")
BENCH = Bench(NETWORK, EPOCH_MS + 10**8, Road.SYNC)


class Counted(Memory):
    """Memory that counts how often each key is read, and how often a scan begins.

    Attributes:
        gets: by key.
        scans: how many.
        unreadable: a key that cannot be read; none at first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gets: Counter[bytes] = Counter()
        self.scans = 0
        self.unreadable = b""

    def get(self, key: bytes) -> bytes | None:
        with self.view() as view:
            return view.get(key)

    @contextmanager
    def view(self) -> Iterator[Reader]:
        with super().view() as table:
            yield CountedReader(table, self)


class CountedReader:
    def __init__(self, table: Reader, engine: Counted) -> None:
        self._table = table
        self._engine = engine

    def get(self, key: bytes) -> bytes | None:
        self._engine.gets[key] += 1
        if key == self._engine.unreadable:
            raise LocalError("store-damaged", "a bad block")
        return self._table.get(key)

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry | Hole]:
        self._engine.scans += 1
        return self._table.scan(prefix, after, reverse=reverse)

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        self._engine.scans += 1
        return self._table.scan_each(prefixes)


@pytest.fixture
def alice() -> TestAgent:
    alice = TestAgent("alice")
    alice.incept()
    return alice


def test_judging_and_keeping_read_each_entry_once(alice: TestAgent) -> None:
    engine = Counted()
    store = RecordStore(engine, NETWORK)
    for agent in (alice, TestAgent("bob")):
        posts = [agent.post(f"{number}") for number in range(40)]
        store.add(agent.records[:1], EPOCH_MS)
        engine.gets.clear()
        engine.scans = 0

        sitting = store.sit()
        sitting.look_ahead(posts)
        facts = Overlay(sitting.held)
        kept = [judge(each.wire(), BENCH, facts).keep for each in posts]
        added = sitting.keep([each for each in kept if each], EPOCH_MS)

        assert added.is_new == [True] * 40
        assert engine.gets.most_common(1)[0][1] == 1
        assert sum(engine.gets.values()) < 60
        assert engine.scans < 10


def test_what_others_wrote_since_a_sitting_began_counts(alice: TestAgent) -> None:
    store = RecordStore(Memory(), NETWORK)
    post = alice.post()
    sitting = store.sit()
    sitting.look_ahead(alice.records)

    store.drop(post.id, EPOCH_MS)
    sitting.keep(alice.records, EPOCH_MS)

    stored = store.get(post.id)
    assert stored is not None
    assert stored.dropped
    assert stored.record.body is None


def test_what_is_damaged_is_met_by_who_asks_for_it(alice: TestAgent) -> None:
    engine = Counted()
    store = RecordStore(engine, NETWORK)
    post = alice.post()
    store.add(alice.records, EPOCH_MS)
    engine.unreadable = layout.record_key(post.id)
    sitting = store.sit()

    sitting.look_ahead(alice.records)

    assert not sitting.held.has(post.id)
    assert sitting.held.has(alice.records[0].id)
    assert sitting.keep([post], EPOCH_MS).is_taken == [False]
    assert store.count() == 2  # it was counted before


def test_the_second_at_a_place_finds_it_taken(store: RecordStore) -> None:
    left, right = TestAgent("alice"), TestAgent("alice", time_ms=EPOCH_MS + 1)
    first = left.incept()
    right.records = [first]
    yes, no = left.post("yes"), right.post("no")
    late, on = right.post("late"), left.post("on")

    together = store.sit().keep([first, yes, no, late], EPOCH_MS)
    later = store.sit().keep([on, yes], EPOCH_MS)

    assert together.is_new == [True] * 4
    assert together.is_taken == [False, False, True, False]
    assert later.is_new == [True, False]
    assert later.is_taken == [True, False]


def test_a_place_that_a_rotation_swept_is_free(store: RecordStore) -> None:
    owner, thief = TestAgent("alice"), TestAgent("alice", time_ms=EPOCH_MS + 1)
    first = owner.incept()
    thief.records = [first]
    theft, rotation = thief.post("stolen"), owner.rotate()
    store.add([first, theft], EPOCH_MS)

    added = store.sit().keep([rotation], EPOCH_MS)

    assert added.is_new == [True]
    assert added.is_taken == [False]
    assert not store.has(theft.id)
