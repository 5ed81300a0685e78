"""What the operator dropped does not come back, by any road, until it is wanted."""

from __future__ import annotations

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.facts import Overlay
from moltp2p.core.forks import prove
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.proto.sync.reconcile import INFINITY_MS
from moltp2p.store.base import Query, Store
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NETWORK = NetworkParams("test-net")
NOW_MS = EPOCH_MS + 60_000


def offer(store: Store, record: Record, road: Road = Road.SYNC) -> str:
    """Offer a record as peers do; return the code of the ruling."""
    ruling = judge(record.wire(), Bench(NETWORK, NOW_MS, road), Overlay(store))
    if ruling.keep is not None:
        store.add([ruling.keep], NOW_MS)
    return ruling.code


def body(store: Store, record: Record) -> bytes | None:
    stored = store.get(record.id)
    assert stored is not None
    return stored.record.body


@pytest.mark.parametrize("road", [Road.GOSSIP, Road.SYNC, Road.IMPORT])
def test_a_dropped_body_comes_back_by_no_road(store: Store, road: Road) -> None:
    post = TestAgent("alice").post()
    offer(store, post)

    assert store.drop(post.id, NOW_MS)

    assert body(store, post) is None
    assert not store.wants_body(post.id)
    assert offer(store, post, road) == "duplicate"
    assert store.add([post], NOW_MS) == [False]
    assert body(store, post) is None
    assert list(store.verify()) == []


def test_a_body_can_be_dropped_before_it_comes(store: Store) -> None:
    post = TestAgent("alice").post()
    assert store.drop(post.id, NOW_MS)
    assert not store.drop(post.id, NOW_MS + 1)

    assert offer(store, post) == "dropped"

    stored = store.get(post.id)
    assert stored is not None
    assert stored.dropped
    assert not stored.deleted
    assert stored.record.body is None
    (dropped,) = store.dropped(None, 10)
    assert (dropped.record, dropped.dropped_at_ms, dropped.held) == (
        post.id,
        NOW_MS,
        True,
    )
    assert list(store.verify()) == []


def test_the_header_is_counted_reconciled_and_listed_when_asked_for(
    store: Store,
) -> None:
    post = TestAgent("alice").post()
    offer(store, post)
    before = store.sums([6], 0, INFINITY_MS)

    store.drop(post.id, NOW_MS)

    assert before[0].count == 1
    assert store.sums([6], 0, INFINITY_MS) == before
    assert store.count() == 1
    assert store.page(Query()).records == []
    (shown,) = store.page(Query(deleted=True)).records
    assert shown.dropped


def test_what_is_wanted_again_is_filled_in_when_it_comes(store: Store) -> None:
    post = TestAgent("alice").post()
    offer(store, post)
    store.drop(post.id, NOW_MS)

    assert store.undrop(post.id)
    assert not store.undrop(post.id)

    assert store.wants_body(post.id)
    assert store.dropped(None, 10) == []
    assert offer(store, post) == "ok"
    assert body(store, post) == post.body
    assert offer(store, post) == "duplicate"
    (shown,) = store.page(Query()).records
    assert not shown.dropped
    assert list(store.verify()) == []


def test_what_its_author_deleted_stays_deleted_when_it_is_undropped(
    store: Store,
) -> None:
    alice = TestAgent("alice")
    post = alice.post()
    store.drop(post.id, NOW_MS)
    offer(store, post)
    offer(store, alice.delete(post))

    store.undrop(post.id)

    assert not store.wants_body(post.id)
    assert offer(store, post) == "duplicate"
    assert body(store, post) is None
    assert list(store.verify()) == []


def test_a_proof_that_is_dropped_proves_nothing_here(store: Store) -> None:
    one, other = TestAgent("alice"), TestAgent("alice", time_ms=EPOCH_MS + 1)
    proof = prove(one.post("yes"), other.post("no"), [])
    record = TestAgent("bob").write(Draft(Kind.FORK, proof))
    offer(store, one.records[1])
    offer(store, record)
    (shown,) = store.page(Query(kinds=frozenset({Kind.POST}))).records
    assert shown.forked
    assert store.forks(one.id, 10) == [(1, record.id)]

    store.drop(record.id, NOW_MS)

    assert store.forks(one.id, 10) == []
    (shown,) = store.page(Query(kinds=frozenset({Kind.POST}))).records
    assert not shown.forked
    store.undrop(record.id)
    assert offer(store, record) == "ok"
    assert store.forks(one.id, 10) == [(1, record.id)]
    assert list(store.verify()) == []


def test_a_false_body_does_not_fill_a_bare_header(store: Store) -> None:
    """A proof is checked again when its body comes later than its header."""
    one, other = TestAgent("alice"), TestAgent("alice", time_ms=EPOCH_MS + 1)
    fork = prove(one.post("yes"), other.post("no"), [])
    assert fork is not None
    false = type(fork)((fork.branches[1], fork.branches[0]))
    record = TestAgent("bob").write(Draft(Kind.FORK, false))
    assert offer(store, record.without_body()) == "ok"

    ruling = judge(record.wire(), Bench(NETWORK, NOW_MS, Road.SYNC), Overlay(store))

    assert (ruling.verdict, ruling.code) == (Verdict.REJECT, "false-fork")
    assert store.forks(one.id, 10) == []
