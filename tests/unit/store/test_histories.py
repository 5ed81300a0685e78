"""Whatever is added, in whatever order: both engines hold what a simple model says.

And what a store ends up with does not depend on the order in which it came.
"""

from __future__ import annotations

import copy
import dataclasses
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from moltp2p.core.ids import RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.proto.reconcile import INFINITY_MS, SetSum
from moltp2p.store import memory
from moltp2p.store.base import Order, Query, Store, Stored
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.unit.store.model import Model

NETWORK = NetworkParams("test-net")
TOPICS = range(NETWORK.shards + 1)
NAMES = ("alice", "bob")
COMMUNITIES = ("general", "science")
STEPS = ("post", "post", "reply", "delete", "rotate", "steal")

seeds = st.integers(0, 2**16)
steps = st.tuples(st.sampled_from(STEPS), seeds)


@dataclass
class History:
    """Agents, thieves with copies of their keys, and all that these have signed."""

    pens: list[TestAgent] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in NAMES:
            pen = TestAgent(name)
            self.pens.append(pen)
            self.records.append(pen.incept())

    def step(self, name: str, seed: int) -> None:
        """Sign one more record, or steal a key."""
        dice = random.Random(seed)
        pen = dice.choice(self.pens)
        target = dice.choice(self.records)
        match name:
            case "post":
                self.records.append(pen.post(f"{seed}", dice.choice(COMMUNITIES)))
            case "reply" if target.header.kind == Kind.POST:
                self.records.append(pen.reply(target))
            case "delete":
                self.records.append(pen.delete(target))
            case "rotate" if pen in self.pens[: len(NAMES)]:
                self.records.append(pen.rotate())
            case "steal":
                self.pens.append(copy.deepcopy(pen))
            case _:
                pass  # nobody replies to a deletion, and no thief can rotate


QUERIES = [
    Query(deleted=True),
    Query(order=Order.OLDEST_FIRST),
    *(Query(community=name) for name in COMMUNITIES),
    *(Query(agent=TestAgent(name).id, deleted=True) for name in NAMES),
    Query(kinds=frozenset({Kind.DELETE, Kind.ROTATE})),
]


def sums(model: Model) -> list[SetSum]:
    """Return the sum of each topic's set, by looking at all records."""
    held: list[list[RecordId]] = [[] for _ in TOPICS]
    for record in model.held:
        held[topic_number(NETWORK, record.header.community)].append(record.id)
    return list(map(SetSum.of, held))


def walk(store: Store, query: Query) -> Iterator[Stored]:
    """Read all pages, three records to each."""
    cursor, more = None, True
    while more:
        page = store.page(dataclasses.replace(query, limit=3, cursor=cursor))
        assert not page.damaged
        yield from page.records
        cursor, more = page.cursor, page.more


class Histories(RuleBasedStateMachine):
    """LevelDB and memory against the model."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._leveldb = open_store(Path(self._folder.name), NETWORK)
        self._memory = memory.open_store(NETWORK)
        self._model = Model()
        self._history = History()

    @initialize(past=st.lists(steps, max_size=20))
    def begin(self, past: list[tuple[str, int]]) -> None:
        for step in past:
            self._history.step(*step)

    @rule(step=steps)
    def sign(self, step: tuple[str, int]) -> None:
        self._history.step(*step)

    @rule(seed=seeds)
    def add(self, seed: int) -> None:
        dice = random.Random(seed)
        size = dice.randint(1, len(self._history.records))
        batch = [
            record.without_body() if dice.random() < 0.2 else record
            for record in dice.choices(self._history.records, k=size)
        ]

        expected = self._model.add(batch)

        assert self._memory.add(batch, 0) == expected
        assert self._leveldb.add(batch, 0) == expected

    @rule()
    def open_again(self) -> None:
        self._leveldb.close()
        self._leveldb = open_store(Path(self._folder.name), NETWORK)

    @invariant()
    def both_hold_what_the_model_holds(self) -> None:
        for store in (self._memory, self._leveldb):
            assert store.count() == len(self._model.held)
            assert store.sums(TOPICS, 0, INFINITY_MS) == sums(self._model)
            for query in QUERIES:
                assert list(walk(store, query)) == self._model.page(query)
            for name in NAMES:
                agent = TestAgent(name).id
                assert store.head(agent) == self._model.head(agent)
                assert store.key_chain(agent) == self._model.chains.get(agent)
            for record in self._history.records:
                assert store.has(record.id) == bool(self._model.find(record.id))
            assert list(store.verify()) == []

    def teardown(self) -> None:
        self._leveldb.close()
        self._folder.cleanup()


Histories.TestCase.settings = settings(
    max_examples=settings().max_examples // 4, stateful_step_count=15
)
test_both_engines_hold_what_the_model_holds = pytest.mark.slow(Histories.TestCase)


@dataclass(frozen=True)
class Seen:
    """What can be seen of a store, arrival times aside."""

    records: frozenset[tuple[RecordId, bytes | None, bool]]
    chains: tuple[KeyChain | None, ...]
    count: int


def see(store: Store) -> Seen:
    records = store.page(Query(deleted=True, limit=1000)).records
    return Seen(
        frozenset(
            (stored.record.id, stored.record.body, stored.deleted) for stored in records
        ),
        tuple(store.key_chain(TestAgent(name).id) for name in NAMES),
        store.count(),
    )


def offer_until_settled(store: Store, records: Sequence[Record]) -> None:
    """Offer all records, again and again, as peers do, until nothing is new."""
    bench = Bench(NETWORK, EPOCH_MS + 10**9, Road.SYNC)
    is_settled = False
    while not is_settled:
        is_settled = True
        for record in records:
            keep = judge(record.wire(), bench, store).keep
            if keep is not None and store.add([keep], EPOCH_MS) == [True]:
                is_settled = False


@given(past=st.lists(steps, max_size=30), one=seeds, other=seeds)
def test_the_order_of_arrival_does_not_matter(
    past: list[tuple[str, int]], one: int, other: int
) -> None:
    history = History()
    for step in past:
        history.step(*step)
    found = []
    for seed in (one, other):
        store = memory.open_store(NETWORK)
        records = list(history.records)
        random.Random(seed).shuffle(records)
        offer_until_settled(store, records)
        assert list(store.verify()) == []
        found.append(see(store))

    assert found[0] == found[1]
