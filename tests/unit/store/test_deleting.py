"""Deletions: tombstones, and bodies that go."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from moltp2p.store.base import Query, Stored
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS
from moltp2p.testing.proofs import known_agent

NOW_MS = EPOCH_MS + 60_000


def test_the_target_loses_its_body_and_keeps_its_header(store: RecordStore) -> None:
    alice = known_agent("alice")
    post = alice.post()
    alice.delete(post)

    store.add(alice.records, NOW_MS)

    assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)
    assert store.is_deleted(post.id, alice.id)
    assert store.count() == 3


def test_a_target_that_comes_later_is_stored_without_its_body(
    store: RecordStore,
) -> None:
    alice = known_agent("alice")
    post = alice.post()
    deletion = alice.delete(post)
    store.add([deletion], NOW_MS)

    assert store.add([post], NOW_MS + 1) == [True]

    assert store.get(post.id) == Stored(post.without_body(), NOW_MS + 1, deleted=True)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_in_a_batch_does_not_matter(
    store: RecordStore, order: tuple[int, ...]
) -> None:
    alice = known_agent("alice")
    post = alice.post()
    alice.delete(post)

    store.add([alice.records[place] for place in order], NOW_MS)

    assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)


def test_somebody_else_deletes_nothing(store: RecordStore) -> None:
    alice, mallory = known_agent("alice"), known_agent("mallory")
    post = alice.post()
    mallory.delete(post)

    store.add([*mallory.records, *alice.records], NOW_MS)

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)
    assert store.is_deleted(post.id, mallory.id)
    assert not store.is_deleted(post.id, alice.id)


def test_a_deleted_body_does_not_come_back(store: RecordStore) -> None:
    alice = known_agent("alice")
    post = alice.post()
    alice.delete(post)
    store.add(alice.records, NOW_MS)

    assert store.add([post], NOW_MS) == [False]

    assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)


def test_what_has_no_body_is_not_deleted(store: RecordStore) -> None:
    alice = known_agent("alice")
    inception = alice.records[0]
    deletion = alice.delete(inception)
    alice.delete(deletion)

    store.add(alice.records, NOW_MS)

    for record in (inception, deletion):
        assert store.get(record.id) == Stored(record, NOW_MS, deleted=False)
    assert len(store.page(Query()).records) == 3


def test_pages_show_a_deleted_record_only_when_asked(store: RecordStore) -> None:
    alice = known_agent("alice")
    post = alice.post()
    reply = alice.reply(post)
    alice.delete(reply)
    store.add(alice.records, NOW_MS)

    for query in (
        Query(community="general"),
        Query(agent=alice.id),
        Query(parent=post.id),
        Query(),
    ):
        plain = store.page(query).records
        every = store.page(dataclasses.replace(query, deleted=True)).records
        assert reply.id not in {stored.record.id for stored in plain}
        hidden = [stored for stored in every if stored.deleted]
        assert [stored.record.id for stored in hidden] == [reply.id]
