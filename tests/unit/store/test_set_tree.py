"""The tree of a set against a sorted list, whatever came and went, and in what order.

Members are made up: a tree knows times and ids, and no records.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.reconcile import END, INFINITY_MS, Bound, Item, MemorySet
from moltp2p.store import layout, set_tree
from moltp2p.store.engine import Delete, Engine, Entry, Hole, Put
from moltp2p.store.leveldb import LevelDb
from moltp2p.store.memory import Memory
from moltp2p.store.set_tree import LEAF_RECORDS, new_sums, set_changes, way
from moltp2p.store.set_view import SetView

TOPIC = 3
END_OF_TIME_MS = 2**63 - 1

Shape = Callable[[random.Random], Item]


def _id(dice: random.Random, prefix: bytes = b"") -> RecordId:
    return RecordId(prefix + dice.randbytes(32 - len(prefix)))


SHAPES: Mapping[str, Shape] = {
    "live": lambda dice: Item(1_760_000_000_000 + dice.randrange(10**7), _id(dice)),
    "one time": lambda dice: Item(1_760_000_000_000, _id(dice)),
    "a few times": lambda dice: Item(dice.choice([0, 1, 2**40, 2**44]), _id(dice)),
    "near ids": lambda dice: Item(0, _id(dice, bytes(dice.randrange(32)))),
    "the far end": lambda dice: Item(END_OF_TIME_MS - dice.randrange(9), _id(dice)),
    "any time": lambda dice: Item(dice.randrange(END_OF_TIME_MS), _id(dice)),
}


def member(item: Item, topic: int = TOPIC) -> bytes:
    """Return the key of a member."""
    return layout.members_prefix(topic) + layout.number(item.time_ms) + item.id


class Tree:
    """A topic's set on an engine, and what it should be."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.items: set[Item] = set()

    def change(self, comes: set[Item], leaves: set[Item]) -> None:
        """Change the set in one batch."""
        members = {member(item): True for item in comes - self.items}
        members |= {member(item): False for item in leaves & self.items}
        with self.engine.view() as view:
            changes = set_changes(members, new_sums(members, view, {}))
        self.engine.apply(changes)
        self.items = (self.items | comes) - leaves

    def entries(self) -> list[Entry | Hole]:
        """Return all that stands on disk."""
        with self.engine.view() as view:
            return list(view.scan(b""))

    @contextmanager
    def view(self, since_ms: int = 0, until_ms: int = INFINITY_MS) -> Iterator[SetView]:
        with self.engine.view() as view:
            yield SetView(TOPIC, since_ms, until_ms, view)


def check(tree: Tree, dice: random.Random) -> None:
    """Compare all that a set answers with what a list says."""
    times = sorted({item.time_ms for item in tree.items} | {0, END_OF_TIME_MS})
    since_ms, until_ms = sorted(dice.choices([*times, INFINITY_MS], k=2))
    for window in ((0, INFINITY_MS), (since_ms, until_ms)):
        wanted = MemorySet(
            item for item in tree.items if window[0] <= item.time_ms < window[1]
        )
        with tree.view(*window) as found:
            assert found.size() == wanted.size()
            begin, end = sorted(dice.choices(range(wanted.size() + 1), k=2))
            assert found.fingerprint(begin, end) == wanted.fingerprint(begin, end)
            assert found.sum() == wanted.sum(0, wanted.size())
            assert list(found.items(begin, end)) == list(wanted.items(begin, end))
            for _ in range(min(3, wanted.size())):
                place = dice.randrange(wanted.size())
                item = wanted.item(place)
                assert found.item(place) == item
                for cut in (0, dice.randrange(33), 32):
                    bound = Bound(item.time_ms, item.id[:cut])
                    assert found.rank(bound) == wanted.rank(bound)
            assert found.rank(END) == wanted.size()


steps = st.tuples(
    st.sampled_from(list(SHAPES)),
    st.sampled_from([1, 3, LEAF_RECORDS, 300]),
    st.sampled_from([0.0, 0.1, 0.9, 1.0]),
)


def live(tree: Tree, past: list[tuple[str, int, float]], dice: random.Random) -> None:
    for shape, size, leaving in past:
        comes = {SHAPES[shape](dice) for _ in range(size)}
        leaves = {
            item for item in sorted(tree.items | comes) if dice.random() < leaving
        }
        tree.change(comes - leaves, leaves)
        check(tree, dice)


@given(past=st.lists(steps, max_size=6), seed=st.integers(0, 2**16))
def test_a_tree_answers_as_a_list_does(
    past: list[tuple[str, int, float]], seed: int
) -> None:
    live(Tree(Memory()), past, random.Random(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tree_on_disk_answers_as_a_list_does(shape: str, tmp_path: Path) -> None:
    engine = LevelDb(tmp_path / "records")
    past = [(shape, size, leaving) for leaving in (0.1, 0.9) for size in (64, 300)]
    live(Tree(engine), past, random.Random(4))
    engine.close()


@given(past=st.lists(steps, max_size=5), seed=st.integers(0, 2**16))
def test_a_tree_depends_on_its_set_alone(
    past: list[tuple[str, int, float]], seed: int
) -> None:
    dice = random.Random(seed)
    tree, other = Tree(Memory()), Tree(Memory())
    live(tree, past, dice)

    items = sorted(tree.items)
    dice.shuffle(items)
    for begin in range(0, len(items), 100):
        other.change(set(items[begin : begin + 100]), set())

    assert other.entries() == tree.entries()


def test_what_all_left_leaves_nothing_behind() -> None:
    tree, dice = Tree(Memory()), random.Random(1)
    items = {shape(dice) for shape in SHAPES.values() for _ in range(300)}
    tree.change(items, set())

    tree.change(set(), items)

    assert tree.entries() == []


def test_sets_of_other_topics_are_left_alone() -> None:
    engine, dice = Memory(), random.Random(1)
    items = {SHAPES["live"](dice) for _ in range(300)}
    for topic in (TOPIC - 1, TOPIC, TOPIC + 1):
        members = {member(item, topic): True for item in items}
        with engine.view() as view:
            engine.apply(set_changes(members, new_sums(members, view, {})))
    tree = Tree(engine)
    tree.items = set(items)

    check(tree, dice)
    tree.change(set(), items)

    with engine.view() as view:
        for topic in (TOPIC - 1, TOPIC + 1):
            assert SetView(topic, 0, INFINITY_MS, view).size() == 300


def test_nodes_that_are_known_are_not_read() -> None:
    engine, dice = Memory(), random.Random(1)
    tree = Tree(engine)
    tree.change({SHAPES["live"](dice) for _ in range(1000)}, set())
    members = {member(SHAPES["live"](dice)): True for _ in range(10)}
    with engine.view() as view:
        wanted = new_sums(members, view, {})
        keys = list(wanted)
        known = {key: layout.unpack_sum(view.get(key) or b"") for key in keys}

    with Memory().view() as nothing:
        assert new_sums(members, nothing, known) == wanted


class Counting:
    """Counts what is read of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.entries = 0
        self._engine = engine

    @contextmanager
    def view(self) -> Iterator[Counting]:
        with self._engine.view() as self._view:
            yield self

    def get(self, key: bytes) -> bytes | None:
        self.entries += 1
        return self._view.get(key)

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry | Hole]:
        for entry in self._view.scan(prefix, after, reverse=reverse):
            self.entries += 1
            yield entry

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        return (list(self.scan(prefix)) for prefix in prefixes)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_place_among_many_is_found_by_reading_little(shape: str) -> None:
    dice = random.Random(1)
    tree = Tree(Memory())
    items = sorted({SHAPES[shape](dice) for _ in range(5_000)})
    tree.change(set(items), set())
    counting = Counting(tree.engine)
    item = items[len(items) // 3]

    with counting.view() as view:
        SetView(TOPIC, 0, INFINITY_MS, view).rank(Bound(item.time_ms, item.id))
        ranking = counting.entries
        members = {member(SHAPES[shape](dice)): True}
        new_sums(members, view, {})
    updating = counting.entries - ranking

    limit = 4_000 if shape == "any time" else 900
    assert ranking < limit
    assert updating < 60 + LEAF_RECORDS


def test_a_node_below_zero_is_damage() -> None:
    members = {member(Item(0, RecordId(bytes(32)))): False}
    with Memory().view() as view, pytest.raises(LocalError) as raised:
        new_sums(members, view, {})

    assert raised.value.code == "store-damaged"


def test_a_node_without_its_children_is_damage() -> None:
    tree = Tree(Memory())
    dice = random.Random(1)
    tree.change({SHAPES["live"](dice) for _ in range(300)}, set())
    root = layout.sum_key(TOPIC, "")
    keys = [entry[0] for entry in tree.entries() if not isinstance(entry, Hole)]
    nodes = [key for key in keys if layout.node_of(key)[1] is not None]
    tree.engine.apply([Delete(key) for key in nodes if key != root])

    with tree.view() as found, pytest.raises(LocalError) as raised:
        found.item(0)

    assert raised.value.code == "store-damaged"


def test_a_leaf_without_its_members_is_damage() -> None:
    tree = Tree(Memory())
    item = SHAPES["live"](random.Random(1))
    tree.change({item}, set())
    tree.engine.apply([Delete(member(item))])

    with tree.view() as found, pytest.raises(LocalError) as raised:
        found.item(0)

    assert raised.value.code == "store-damaged"


def test_a_node_that_is_no_sum_is_damage() -> None:
    engine = Memory()
    engine.apply([Put(layout.sum_key(TOPIC, ""), b"junk")])

    with pytest.raises(LocalError) as raised, Tree(engine).view():
        pass

    assert raised.value.code == "store-damaged"


places = st.builds(
    lambda time, rest: layout.number(time) + rest,
    st.integers(0, END_OF_TIME_MS) | st.integers(0, 2**45),
    st.binary(min_size=32, max_size=32),
)


@given(places, places)
def test_ways_are_in_the_order_of_places(one: bytes, other: bytes) -> None:
    assert (way(one) < way(other)) == (one < other)


@given(places, st.integers(1, 76))
def test_a_node_starts_at_or_before_all_that_is_under_it(
    place: bytes, size: int
) -> None:
    digits = way(place)[: 3 + size]
    start = set_tree.start_of(digits).ljust(40, b"\0")

    assert start <= place
    assert way(start).startswith(digits)


@pytest.mark.parametrize("size", [4, 6, 7, 8, 40, 76])
def test_a_parent_has_its_children(size: int) -> None:
    digits = "0" * size

    assert set_tree.length_below(len(set_tree.parent_digits(digits))) == size
