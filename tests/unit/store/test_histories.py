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

from moltp2p.core.author import Draft
from moltp2p.core.facts import Overlay
from moltp2p.core.ids import RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import CHAIN_KINDS, Kind, Profile
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.proto.quota import SELF, TESTIMONY, Limits
from moltp2p.proto.sync.reconcile import INFINITY_MS, SetSum
from moltp2p.store import memory
from moltp2p.store.base import KEEP_QUOTAS, Order, Policy, Query, Store, Stored
from moltp2p.store.leveldb import open_store
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.unit.store.model import Model

NETWORK = NetworkParams("test-net")
TOPICS = range(NETWORK.shards + 1)
NAMES = ("alice", "bob")
COMMUNITIES = ("general", "science")
STEPS = ("post", "post", "long", "profile", "reply", "delete", "rotate", "steal")

TIGHT = Limits(shard=5, others={TESTIMONY: 2, SELF: 3})
POLICIES = (Policy(limits=TIGHT), Policy(limits=TIGHT, keep_all=True), KEEP_QUOTAS)

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
            case "long":
                self.records.append(pen.post("a" * 2_000, dice.choice(COMMUNITIES)))
            case "profile":
                self.records.append(pen.write(Draft(Kind.PROFILE, Profile(f"{seed}"))))
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
    """Return the sum of each topic's set."""
    return [model.sum(topic) for topic in TOPICS]


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
        self._history = History()

    @initialize(past=st.lists(steps, max_size=20), policy=st.sampled_from(POLICIES))
    def begin(self, past: list[tuple[str, int]], policy: Policy) -> None:
        self._policy = policy
        self._leveldb = open_store(Path(self._folder.name), NETWORK, policy)
        self._memory = memory.open_store(NETWORK, policy)
        self._model = Model(NETWORK, policy)
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
        self._leveldb = open_store(Path(self._folder.name), NETWORK, self._policy)

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
    sums: list[SetSum]


def see(store: Store) -> Seen:
    records = store.page(Query(deleted=True, limit=1000)).records
    return Seen(
        frozenset(
            (stored.record.id, stored.record.body, stored.deleted) for stored in records
        ),
        tuple(store.key_chain(TestAgent(name).id) for name in NAMES),
        store.count(),
        store.sums(TOPICS, 0, INFINITY_MS),
    )


def offer_until_settled(
    store: Store, records: Sequence[Record], policy: Policy, dice: random.Random
) -> None:
    """Offer all records, again and again, as peers do, until nothing is new."""
    bench = Bench(NETWORK, EPOCH_MS + 10**9, Road.SYNC, keep_all=policy.keep_all)
    is_settled = False
    while not is_settled:
        is_settled = True
        left = dice.sample(records, len(records))
        while left:
            size = dice.randint(1, 6)
            facts = Overlay(store)
            rulings = [judge(each.wire(), bench, facts) for each in left[:size]]
            left = left[size:]
            keep = [ruling.keep for ruling in rulings if ruling.keep is not None]
            if keep and any(store.add(keep, EPOCH_MS)):
                is_settled = False


@pytest.mark.parametrize("policy", POLICIES)
@given(past=st.lists(steps, max_size=30), one=seeds, other=seeds)
def test_the_order_of_arrival_does_not_matter(
    policy: Policy, past: list[tuple[str, int]], one: int, other: int
) -> None:
    history = History()
    for step in past:
        history.step(*step)
    found = []
    for seed in (one, other):
        store = memory.open_store(NETWORK, policy)
        offer_until_settled(store, history.records, policy, random.Random(seed))
        assert list(store.verify()) == []
        found.append(see(store))

    assert found[0] == found[1]


@given(past=st.lists(steps, max_size=30), seed=seeds)
def test_who_keeps_all_offers_what_the_others_do(
    past: list[tuple[str, int]], seed: int
) -> None:
    history = History()
    for step in past:
        history.step(*step)
    sums = []
    for policy in POLICIES[:2]:
        store = memory.open_store(NETWORK, policy)
        offer_until_settled(store, history.records, policy, random.Random(seed))
        sums.append(see(store).sums)

    assert sums[0] == sums[1]


@given(past=st.lists(steps, max_size=30), seed=seeds)
def test_two_stores_that_tell_each_other_what_they_keep_agree(
    past: list[tuple[str, int]], seed: int
) -> None:
    """Neither ever sees again what both let go of."""
    history = History()
    for step in past:
        history.step(*step)
    policy, dice = POLICIES[0], random.Random(seed)
    stores = [memory.open_store(NETWORK, policy) for _ in range(2)]
    chains = [each for each in history.records if each.header.kind in CHAIN_KINDS]
    for store in stores:
        part = [each for each in history.records if dice.random() < 0.7]
        offer_until_settled(store, [*chains, *part], policy, dice)

    for store, other in (stores, reversed(stores), stores):
        page = other.page(Query(deleted=True, limit=1000)).records
        records = [stored.record for stored in page]
        offer_until_settled(store, records, policy, dice)

    assert see(stores[0]).sums == see(stores[1]).sums


def test_a_store_that_kept_all_lets_go_of_it_once_it_no_longer_does() -> None:
    engine = memory.Memory()
    keeping, plain = POLICIES[1], POLICIES[0]
    alice = TestAgent("alice")
    for _ in range(20):
        alice.post()
    store = RecordStore(engine, NETWORK, keeping)
    store.add(alice.records, EPOCH_MS)
    assert store.count() == 21

    store = RecordStore(engine, NETWORK, plain)
    store.add([TestAgent("bob").post()], EPOCH_MS)

    assert store.count() == 1 + 5 + 1
    assert list(store.verify()) == []
