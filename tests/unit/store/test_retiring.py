"""A horizon in time, and a budget in bytes: the oldest posts go, and stay away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.store import memory
from moltp2p.store.base import Order, Policy, Query, Store
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NETWORK = NetworkParams("test-net")
FOREVER_MS = 2**62


def history() -> list[Record]:
    """Return an inception, a profile and twenty posts, a second apart."""
    alice = TestAgent("alice")
    alice.write(Draft(Kind.PROFILE, Profile("Alice")))
    for number in range(20):
        alice.post(f"{number}")
    return alice.records


def filled(policy: Policy) -> Store:
    store = memory.open_store(NETWORK, policy)
    store.add(history(), EPOCH_MS)
    return store


def times(store: Store) -> list[int]:
    """Return the times of all posts, oldest first."""
    query = Query(kinds=frozenset({Kind.POST}), order=Order.OLDEST_FIRST)
    return [stored.record.header.time_ms for stored in store.page(query).records]


def retire_all(store: Store, before_ms: int, cap_ms: int, step: int) -> int:
    """Take steps until nothing more is to be removed; return how many."""
    steps = 0
    while True:
        steps += 1
        retired = store.retire(before_ms, cap_ms, step)
        assert retired.records <= step
        if not retired.more:
            return steps


@given(step=st.integers(1, 30), seconds=st.integers(0, 30))
def test_posts_before_the_horizon_go_and_nothing_else(step: int, seconds: int) -> None:
    store = filled(Policy(max_age_ms=1))
    before = EPOCH_MS + seconds * 1_000
    expected = [time for time in times(store) if time >= before]

    retire_all(store, before, 0, step)

    assert times(store) == expected
    assert store.count() == 2 + len(expected)
    assert store.horizon_ms() == before
    assert list(store.verify()) == []


@given(step=st.integers(1, 30), budget=st.integers(1, 8_000))
def test_the_oldest_posts_go_until_the_rest_fits(step: int, budget: int) -> None:
    store = filled(Policy(budget_bytes=budget))
    before = times(store)

    retire_all(store, 0, FOREVER_MS, step)

    left = times(store)
    assert left == before[len(before) - len(left) :]
    assert store.bytes_held() <= budget or left == []
    if 0 < len(left) < len(before):
        assert store.horizon_ms() == before[-len(left) - 1] + 1
    assert list(store.verify()) == []


def test_no_more_goes_than_has_to() -> None:
    store = filled(Policy(budget_bytes=4_000))
    retire_all(store, 0, FOREVER_MS, 1)

    post_bytes = 330
    assert 4_000 - post_bytes < store.bytes_held() <= 4_000


def test_what_is_younger_than_the_cap_stays_whatever_the_budget() -> None:
    store = filled(Policy(budget_bytes=1))

    retire_all(store, 0, EPOCH_MS, 512)

    assert len(times(store)) == 20


def test_many_of_one_time_that_stay_do_not_keep_the_rest_from_going() -> None:
    store = memory.open_store(NETWORK, Policy(max_age_ms=1))
    agents = [TestAgent(f"agent {number}") for number in range(30)]
    for agent in agents:
        agent.incept()
    store.add([record for agent in agents for record in agent.records], EPOCH_MS)
    store.add([agents[0].post()], EPOCH_MS)

    steps = retire_all(store, EPOCH_MS + 10**6, 0, 4)

    assert times(store) == []
    assert store.count() == 30
    assert steps > 7


def test_a_step_where_nothing_is_to_be_done_writes_nothing() -> None:
    store = filled(Policy(budget_bytes=10**9))
    retire_all(store, 0, FOREVER_MS, 512)

    assert store.horizon_ms() == 0
    assert len(times(store)) == 20


def test_other_settings_begin_with_no_horizon() -> None:
    engine = memory.Memory()
    store = RecordStore(engine, NETWORK, Policy(budget_bytes=4_000))
    store.add(history(), EPOCH_MS)
    retire_all(store, 0, FOREVER_MS, 512)
    assert store.horizon_ms() > 0

    wider = RecordStore(engine, NETWORK, Policy(budget_bytes=8_000))

    assert wider.horizon_ms() == 0
    wider.add(history(), EPOCH_MS)
    assert len(times(wider)) == 20


@pytest.mark.parametrize("keep_all", [True, False])
def test_bytes_are_counted_as_records_come_shrink_and_go(keep_all: bool) -> None:
    store = memory.open_store(NETWORK, Policy(keep_all=keep_all))
    alice = TestAgent("alice")
    post, other = alice.post("a" * 1_000), alice.post("b")
    store.add(alice.records, EPOCH_MS)
    whole = store.bytes_held()

    store.drop(post.id, EPOCH_MS)
    assert whole - 1_020 < store.bytes_held() < whole - 1_000
    store.add([alice.delete(other)], EPOCH_MS)
    store.retire(FOREVER_MS, 0, 512)
    assert store.count() == 1
    assert store.bytes_held() < 400
