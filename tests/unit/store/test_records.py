"""What is held after records were added, on every engine."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from moltp2p.core.author import Author, Draft, Head
from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.record import Header, Record, seal
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout
from moltp2p.store.base import Query, Stored
from moltp2p.store.engine import Engine, Put
from moltp2p.store.memory import open_store
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from moltp2p.testing.proofs import known_agent

NOW_MS = EPOCH_MS + 60_000
NOBODY = RecordId(bytes(32))


def test_a_new_store_is_empty(store: RecordStore) -> None:
    alice = TestAgent("alice")

    assert store.count() == 0
    assert store.get(NOBODY) is None
    assert not store.has(NOBODY)
    assert store.head(alice.id) is None
    assert store.key_chain(alice.id) is None
    assert store.page(Query()).records == []
    assert list(store.verify()) == []


def test_a_record_reads_back_as_it_came(store: RecordStore) -> None:
    alice = known_agent("alice")
    post = alice.post("hello")

    assert store.add(alice.records, NOW_MS) == [True, True]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)
    assert store.has(post.id)
    assert store.count() == 2


def test_a_record_added_again_changes_nothing(store: RecordStore) -> None:
    alice = known_agent("alice")
    post = alice.post()
    store.add(alice.records, NOW_MS)

    assert store.add([post], NOW_MS + 1) == [False]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)
    assert store.count() == 2


def test_a_record_twice_in_a_batch_is_new_once(store: RecordStore) -> None:
    alice = known_agent("alice")
    post = alice.post()

    assert store.add([*alice.records, post, post], NOW_MS) == [True, True, False, False]

    assert store.count() == 2


def test_a_record_without_a_body_is_filled_in_when_the_body_comes(
    store: RecordStore,
) -> None:
    post = known_agent("alice").post()
    store.add([post.without_body()], NOW_MS)

    assert store.add([post], NOW_MS + 1) == [False]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)


def test_a_body_is_not_lost_to_a_copy_that_has_none(store: RecordStore) -> None:
    post = known_agent("alice").post()
    store.add([post], NOW_MS)

    assert store.add([post.without_body()], NOW_MS) == [False]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)


def test_an_unknown_kind_is_held_and_read_as_any_other(store: RecordStore) -> None:
    alice = known_agent("alice")
    kinds = [2**63 - 1, 77]
    strange = [
        alice.write(Draft(kind, Post("?"), "general", {"parent": NOBODY}))
        for kind in kinds
    ]

    store.add(alice.records, NOW_MS)

    found = store.page(Query(parent=NOBODY, kinds=frozenset(kinds))).records
    assert [stored.record for stored in found] == strange[::-1]


def test_the_head_is_the_highest_seq_whatever_came_last(store: RecordStore) -> None:
    alice, bob = known_agent("alice"), known_agent("bob")
    alice.post()
    newest = alice.post()

    store.add([newest, *bob.records], NOW_MS)
    store.add(alice.records, NOW_MS)

    assert store.head(alice.id) == Head(2, newest.id)
    assert store.head(bob.id) == Head(0, bob.records[0].id)


def test_a_fork_keeps_both_branches(store: RecordStore) -> None:
    alice = known_agent("alice")
    twin = copy.deepcopy(alice)
    one, other = alice.post("one"), twin.post("other")
    store.add([*alice.records, other], NOW_MS)

    found = store.page(Query(agent=alice.id)).records

    assert {stored.record for stored in found} == {alice.records[0], one, other}
    head = store.head(alice.id)
    assert head == Head(1, max(one.id, other.id))


def test_a_damaged_record_counts_as_not_held_and_adding_it_again_heals_it(
    store: RecordStore, engine: Engine
) -> None:
    alice = known_agent("alice")
    post = alice.post()
    store.add(alice.records, NOW_MS)
    for record in alice.records:
        key = layout.record_key(record.id)
        value = engine.get(key) or b""
        engine.apply([Put(key, value[:-1] + bytes((value[-1] ^ 1,)))])
    with pytest.raises(LocalError, match="damaged-record"):
        store.get(post.id)
    assert not store.has(post.id)

    assert store.add(alice.records, NOW_MS + 1) == [True, True]

    assert store.get(post.id) == Stored(post, NOW_MS + 1, deleted=False)
    assert store.count() == 2
    assert list(store.verify()) == []


def test_a_closed_store_says_so(store: RecordStore) -> None:
    store.close()

    for call in (store.count, lambda: store.get(NOBODY), lambda: store.page(Query())):
        with pytest.raises(UsageError, match="store-closed"):
            call()
    with pytest.raises(UsageError, match="store-closed"):
        store.add([known_agent("alice").post()], NOW_MS)
    store.close()


def test_readers_and_a_writer_share_a_store(store: RecordStore) -> None:
    alice = known_agent("alice")
    for n in range(60):
        alice.post(f"post {n}")
    is_done = threading.Event()

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(_read_until, is_done, store) for _ in range(3)]
        for record in alice.records:
            store.add([record], NOW_MS)
        is_done.set()

    assert all(reader.result() > 0 for reader in readers)
    assert store.count() == 61


def _read_until(is_done: threading.Event, store: RecordStore) -> int:
    """Read in every way; return how often."""
    rounds = 0
    while not is_done.is_set() or not rounds:
        page = store.page(Query(limit=20))
        assert not page.damaged
        for stored in page.records:
            assert store.get(stored.record.id) == stored
            assert store.has(stored.record.id)
            assert store.head(stored.record.header.agent) is not None
        rounds += 1
    return rounds


def test_a_store_in_memory_opens_for_a_network() -> None:
    store = open_store(NetworkParams("test-net"))
    store.add([known_agent("alice").records[0]], NOW_MS)

    assert store.count() == 1


def _profile(author: Author, seq: int) -> Record:
    """Return a record that no factory would write, at any place."""
    header = Header(
        network="test-net", agent=author.agent, kind=Kind.PROFILE, seq=seq, time_ms=0,
        prev=NOBODY,
    )  # fmt: skip
    return seal(header, b"\xa1dnameax", author.signer)


def test_the_largest_numbers_are_held(store: RecordStore) -> None:
    author = Author(AgentId(signer("alice").public), "test-net", signer("alice"))
    record = _profile(author, 2**63 - 1)

    store.add([record], 2**63 - 1)

    assert store.head(author.agent) == Head(2**63 - 1, record.id)
    assert store.get(record.id) == Stored(record, 2**63 - 1, deleted=False)


def test_a_profile_is_found_by_its_agent(store: RecordStore) -> None:
    alice = known_agent("alice")
    profile = alice.write(Draft(Kind.PROFILE, Profile("Alice")))
    store.add(alice.records, NOW_MS)

    page = store.page(Query(agent=alice.id, kinds=frozenset({Kind.PROFILE})))

    assert [stored.record for stored in page.records] == [profile]
