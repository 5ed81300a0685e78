"""What is held after records were added, on every engine."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from moltp2p.core.author import Author, Draft, Head
from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.record import Header, Record, seal
from moltp2p.store import layout, records
from moltp2p.store.base import Query, Stored
from moltp2p.store.engine import Engine, Put
from moltp2p.store.memory import open_store
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer

NOW_MS = EPOCH_MS + 60_000
NOBODY = RecordId(bytes(32))


def agent(name: str = "alice") -> TestAgent:
    """Return an agent that has written its inception."""
    someone = TestAgent(name)
    someone.incept()
    return someone


def shown(store: RecordStore) -> list[Record]:
    """Return all records that are held, oldest first, deleted ones too."""
    page = store.page(Query(deleted=True, limit=1000))
    assert not page.more
    assert not page.damaged
    return [stored.record for stored in reversed(page.records)]


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
    alice = agent()
    post = alice.post("hello")

    assert store.add(alice.records, NOW_MS) == [True, True]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)
    assert store.has(post.id)
    assert store.count() == 2


def test_a_record_added_again_changes_nothing(store: RecordStore) -> None:
    alice = agent()
    post = alice.post()
    store.add(alice.records, NOW_MS)

    assert store.add([post], NOW_MS + 1) == [False]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)
    assert store.count() == 2


def test_a_record_twice_in_a_batch_is_new_once(store: RecordStore) -> None:
    alice = agent()
    post = alice.post()

    assert store.add([*alice.records, post, post], NOW_MS) == [True, True, False, False]

    assert store.count() == 2


def test_a_record_without_a_body_is_filled_in_when_the_body_comes(
    store: RecordStore,
) -> None:
    post = agent().post()
    store.add([post.without_body()], NOW_MS)

    assert store.add([post], NOW_MS + 1) == [False]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)


def test_a_body_is_not_lost_to_a_copy_that_has_none(store: RecordStore) -> None:
    post = agent().post()
    store.add([post], NOW_MS)

    assert store.add([post.without_body()], NOW_MS) == [False]

    assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)


def test_an_unknown_kind_is_held_and_read_as_any_other(store: RecordStore) -> None:
    alice = agent()
    kinds = [2**63 - 1, 77]
    strange = [
        alice.write(Draft(kind, Post("?"), "general", {"parent": NOBODY}))
        for kind in kinds
    ]

    store.add(alice.records, NOW_MS)

    found = store.page(Query(parent=NOBODY, kinds=frozenset(kinds))).records
    assert [stored.record for stored in found] == strange[::-1]


def test_the_head_is_the_highest_seq_whatever_came_last(store: RecordStore) -> None:
    alice, bob = agent("alice"), agent("bob")
    alice.post()
    newest = alice.post()

    store.add([newest, *bob.records], NOW_MS)
    store.add(alice.records, NOW_MS)

    assert store.head(alice.id) == Head(2, newest.id)
    assert store.head(bob.id) == Head(0, bob.records[0].id)


def test_a_fork_keeps_both_branches(store: RecordStore) -> None:
    alice = agent()
    twin = copy.deepcopy(alice)
    one, other = alice.post("one"), twin.post("other")
    store.add([*alice.records, other], NOW_MS)

    found = store.page(Query(agent=alice.id)).records

    assert {stored.record for stored in found} == {alice.records[0], one, other}
    head = store.head(alice.id)
    assert head == Head(1, max(one.id, other.id))


class TestDeleting:
    def test_the_target_loses_its_body_and_keeps_its_header(
        self, store: RecordStore
    ) -> None:
        alice = agent()
        post = alice.post()
        alice.delete(post)

        store.add(alice.records, NOW_MS)

        assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)
        assert store.is_deleted(post.id, alice.id)
        assert store.count() == 3

    def test_a_target_that_comes_later_is_stored_without_its_body(
        self, store: RecordStore
    ) -> None:
        alice = agent()
        post = alice.post()
        deletion = alice.delete(post)
        store.add([deletion], NOW_MS)

        assert store.add([post], NOW_MS + 1) == [True]

        assert store.get(post.id) == Stored(
            post.without_body(), NOW_MS + 1, deleted=True
        )

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_the_order_in_a_batch_does_not_matter(
        self, store: RecordStore, order: tuple[int, ...]
    ) -> None:
        alice = agent()
        post = alice.post()
        alice.delete(post)

        store.add([alice.records[place] for place in order], NOW_MS)

        assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)

    def test_somebody_else_deletes_nothing(self, store: RecordStore) -> None:
        alice, mallory = agent("alice"), agent("mallory")
        post = alice.post()
        mallory.delete(post)

        store.add([*mallory.records, *alice.records], NOW_MS)

        assert store.get(post.id) == Stored(post, NOW_MS, deleted=False)
        assert store.is_deleted(post.id, mallory.id)
        assert not store.is_deleted(post.id, alice.id)

    def test_a_deleted_body_does_not_come_back(self, store: RecordStore) -> None:
        alice = agent()
        post = alice.post()
        alice.delete(post)
        store.add(alice.records, NOW_MS)

        assert store.add([post], NOW_MS) == [False]

        assert store.get(post.id) == Stored(post.without_body(), NOW_MS, deleted=True)

    def test_what_has_no_body_is_not_deleted(self, store: RecordStore) -> None:
        alice = agent()
        inception = alice.records[0]
        deletion = alice.delete(inception)
        alice.delete(deletion)

        store.add(alice.records, NOW_MS)

        for record in (inception, deletion):
            assert store.get(record.id) == Stored(record, NOW_MS, deleted=False)
        assert len(store.page(Query()).records) == 3

    def test_pages_show_a_deleted_record_only_when_asked(
        self, store: RecordStore
    ) -> None:
        alice = agent()
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


class TestKeyChains:
    def test_an_inception_and_rotations_in_any_order_of_one_batch_make_the_chain(
        self, store: RecordStore
    ) -> None:
        alice = agent()
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
        self, store: RecordStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "CACHED_CHAINS", 2)
        agents = [agent(f"agent {n}") for n in range(5)]
        store.add([someone.records[0] for someone in agents], NOW_MS)
        chains = [store.key_chain(someone.id) for someone in agents]

        again = [store.key_chain(someone.id) for someone in agents]

        assert chains == again
        assert all(chains)
        assert len(store._chains._chains) == 2

    def test_an_agent_without_a_chain_gets_one_when_its_inception_comes(
        self, store: RecordStore
    ) -> None:
        alice = agent()
        assert store.key_chain(alice.id) is None

        store.add(alice.records, NOW_MS)

        assert store.key_chain(alice.id) is not None

    def test_of_two_inceptions_the_first_seen_counts(self, store: RecordStore) -> None:
        alice = agent()
        twin = TestAgent("alice", time_ms=EPOCH_MS + 5)
        other = twin.incept()

        assert store.add([alice.records[0], other], NOW_MS) == [True, False]
        assert store.add([other], NOW_MS) == [False]

        assert not store.has(other.id)

    def test_a_rotation_without_its_chain_is_not_kept(self, store: RecordStore) -> None:
        alice = agent()
        rotation = alice.rotate()

        assert store.add([rotation], NOW_MS) == [False]

        assert not store.has(rotation.id)
        assert store.key_chain(alice.id) is None


class TestAThiefWithTheOldKey:
    def test_a_rotation_removes_what_the_thief_signed_since(
        self, store: RecordStore
    ) -> None:
        alice = agent()
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
        self, store: RecordStore, order: tuple[int, ...]
    ) -> None:
        alice = agent()
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
        self, store: RecordStore
    ) -> None:
        alice = agent()
        spam = copy.deepcopy(alice).post("spam")
        alice.rotate()
        store.add(alice.records, NOW_MS)

        assert store.add([spam], NOW_MS) == [False]

        assert not store.has(spam.id)

    def test_records_of_others_stay(self, store: RecordStore) -> None:
        alice, bob = agent("alice"), agent("bob")
        posts = [bob.post(f"post {n}") for n in range(5)]
        store.add([*alice.records, *bob.records], NOW_MS)

        store.add([alice.rotate()], NOW_MS)

        assert all(store.has(post.id) for post in posts)

    def test_a_stolen_deletion_is_taken_back_and_its_target_can_come_again(
        self, store: RecordStore
    ) -> None:
        alice = agent()
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
        self, store: RecordStore
    ) -> None:
        alice, bob = agent("alice"), agent("bob")
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
        self, store: RecordStore, owner_first: bool
    ) -> None:
        alice = agent()
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

    def test_the_chain_itself_is_never_removed(self, store: RecordStore) -> None:
        alice = agent()
        for _ in range(4):
            alice.rotate()
        for record in alice.records:
            store.add([record], NOW_MS)

        assert shown(store) == alice.records


def test_a_damaged_record_counts_as_not_held_and_adding_it_again_heals_it(
    store: RecordStore, engine: Engine
) -> None:
    alice = agent()
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
        store.add([agent().post()], NOW_MS)
    store.close()


def test_readers_and_a_writer_share_a_store(store: RecordStore) -> None:
    alice = agent()
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
    store = open_store("test-net")
    store.add([agent().records[0]], NOW_MS)

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
    alice = agent()
    profile = alice.write(Draft(Kind.PROFILE, Profile("Alice")))
    store.add(alice.records, NOW_MS)

    page = store.page(Query(agent=alice.id, kinds=frozenset({Kind.PROFILE})))

    assert [stored.record for stored in page.records] == [profile]
