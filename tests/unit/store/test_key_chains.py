"""Key chains, and what a rotation takes from a thief of the key before."""

from __future__ import annotations

import copy
import itertools

import pytest

from moltp2p.core.author import Head
from moltp2p.store import chain_cache
from moltp2p.store.base import Query, Stored
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import known_agent
from tests.unit.store.copies import shown

NOW_MS = EPOCH_MS + 60_000


def test_an_inception_and_rotations_in_any_order_of_one_batch_make_the_chain(
    store: RecordStore,
) -> None:
    alice = known_agent("alice")
    alice.rotate()
    alice.post("by the second key")
    alice.rotate()
    alice.post("by the third key")

    flags = store.add(alice.records[::-1], NOW_MS)

    assert all(flags)
    chain = store.key_chain(alice.id)
    assert chain is not None
    assert [link.since_seq for link in chain.links] == [0, 1, 3]


def test_the_chain_outlives_the_cache(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_cache, "CACHED_CHAINS", 2)
    agents = [known_agent(f"agent {n}") for n in range(5)]
    store.add([someone.records[0] for someone in agents], NOW_MS)
    chains = [store.key_chain(someone.id) for someone in agents]

    again = [store.key_chain(someone.id) for someone in agents]

    assert chains == again
    assert all(chains)
    assert len(store._chains._chains) == 2


def test_an_agent_without_a_chain_gets_one_when_its_inception_comes(
    store: RecordStore,
) -> None:
    alice = known_agent("alice")
    assert store.key_chain(alice.id) is None

    store.add(alice.records, NOW_MS)

    assert store.key_chain(alice.id) is not None


def test_of_two_inceptions_the_first_seen_counts(store: RecordStore) -> None:
    alice = known_agent("alice")
    twin = TestAgent("alice", time_ms=EPOCH_MS + 5)
    other = twin.incept()

    assert store.add([alice.records[0], other], NOW_MS) == [True, False]
    assert store.add([other], NOW_MS) == [False]

    assert not store.has(other.id)


def test_a_rotation_without_its_chain_is_not_kept(store: RecordStore) -> None:
    alice = known_agent("alice")
    rotation = alice.rotate()

    assert store.add([rotation], NOW_MS) == [False]

    assert not store.has(rotation.id)
    assert store.key_chain(alice.id) is None


def test_a_rotation_removes_what_the_thief_signed_since(store: RecordStore) -> None:
    alice = known_agent("alice")
    before = alice.post("mine")
    thief = copy.deepcopy(alice)
    stolen = [thief.post(f"spam {n}", "general") for n in range(3)]
    stolen.append(thief.reply(before))
    store.add([*alice.records, *stolen], NOW_MS)

    rotation = alice.rotate()
    store.add([rotation], NOW_MS)

    assert not any(store.has(record.id) for record in stolen)
    assert shown(store) == alice.records
    assert store.page(Query(parent=before.id)).records == []
    assert store.count() == 3
    assert store.head(alice.id) == Head(2, rotation.id)
    assert list(store.verify()) == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_so_it_is_in_any_order_of_one_batch(
    store: RecordStore, order: tuple[int, ...]
) -> None:
    alice = known_agent("alice")
    thief = copy.deepcopy(alice)
    spam = thief.post("spam")
    alice.rotate()
    after = alice.post("mine again")
    batch = [*alice.records, spam]

    flags = store.add([batch[place] for place in order], NOW_MS)

    assert shown(store) == alice.records
    assert flags == [batch[place] is not spam for place in order]
    assert store.has(after.id)
    assert store.count() == 3


def test_what_was_judged_before_the_rotation_is_not_kept_after_it(
    store: RecordStore,
) -> None:
    alice = known_agent("alice")
    spam = copy.deepcopy(alice).post("spam")
    alice.rotate()
    store.add(alice.records, NOW_MS)

    assert store.add([spam], NOW_MS) == [False]

    assert not store.has(spam.id)


def test_records_of_others_stay(store: RecordStore) -> None:
    alice, bob = known_agent("alice"), known_agent("bob")
    posts = [bob.post(f"post {n}") for n in range(5)]
    store.add([*alice.records, *bob.records], NOW_MS)

    store.add([alice.rotate()], NOW_MS)

    assert all(store.has(post.id) for post in posts)


def test_a_stolen_deletion_is_taken_back_and_its_target_can_come_again(
    store: RecordStore,
) -> None:
    alice = known_agent("alice")
    post = alice.post("precious")
    thief = copy.deepcopy(alice)
    theft = thief.delete(post)
    store.add([*alice.records, theft], NOW_MS)

    rotation = alice.rotate()
    store.add([rotation], NOW_MS)

    assert not store.has(theft.id)
    assert not store.is_deleted(post.id, alice.id)
    assert not store.has(post.id), "a bare header would keep the body away"
    assert store.add([post], NOW_MS + 9) == [True]
    assert store.get(post.id) == Stored(post, NOW_MS + 9, deleted=False)
    assert list(store.verify()) == []


def test_a_stolen_deletion_of_what_is_not_held_is_taken_back(
    store: RecordStore,
) -> None:
    alice, bob = known_agent("alice"), known_agent("bob")
    theirs = bob.post()
    thief = copy.deepcopy(alice)
    store.add([*alice.records, *bob.records], NOW_MS)
    store.add([thief.delete(theirs), thief.delete(copy.deepcopy(bob).post())], 1)

    store.add([alice.rotate()], NOW_MS)

    assert not store.is_deleted(theirs.id, alice.id)
    assert store.has(theirs.id)
    assert list(store.verify()) == []


@pytest.mark.parametrize("owner_first", [False, True])
def test_the_deletion_that_its_author_wrote_stands(
    store: RecordStore, owner_first: bool
) -> None:
    alice = known_agent("alice")
    post = alice.post("mistake")
    thief = copy.deepcopy(alice)
    thief.post("spam")
    theft = thief.delete(post)
    deletion = alice.delete(post)
    pair = [deletion, theft] if owner_first else [theft, deletion]
    store.add([*alice.records[:2], *pair], NOW_MS)

    store.add([alice.rotate()], NOW_MS)

    assert store.is_deleted(post.id, alice.id)
    assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)
    assert list(store.verify()) == []


def test_the_chain_itself_is_never_removed(store: RecordStore) -> None:
    alice = known_agent("alice")
    for _ in range(4):
        alice.rotate()
    for record in alice.records:
        store.add([record], NOW_MS)

    assert shown(store) == alice.records


def test_what_the_new_key_signed_stays_though_it_came_before_the_rotation(
    store: RecordStore,
) -> None:
    alice = known_agent("alice")
    inception, rotation, post = alice.records[0], alice.rotate(), alice.post()
    store.add([post], NOW_MS)

    store.add([inception, rotation], NOW_MS)

    assert store.has(post.id)
    assert store.count() == 3
