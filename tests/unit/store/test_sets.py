"""The sets that are reconciled: what is in them, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.proto.sync.reconcile import INFINITY_MS, Bound, Item, MemorySet, SetSum
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NETWORK = NetworkParams("test-net")
TOPICS = range(NETWORK.shards + 1)
ALWAYS = (0, INFINITY_MS)


def expected(records: Sequence[Record], topic: int) -> MemorySet:
    """Return the set of a topic, by looking at each record."""
    return MemorySet(
        Item(record.header.time_ms, record.id)
        for record in records
        if topic_number(NETWORK, record.header.community) == topic
    )


def test_a_new_store_has_empty_sets(store: RecordStore) -> None:
    assert store.sums(TOPICS, *ALWAYS) == [SetSum()] * len(TOPICS)
    with store.open_set(0, *ALWAYS) as found:
        assert found.size() == 0
        assert list(found.items(0, 0)) == []
        assert found.rank(Bound(EPOCH_MS)) == 0
        assert found.fingerprint(0, 0) == SetSum().fingerprint()


def test_each_record_is_in_the_set_of_its_topic(store: RecordStore) -> None:
    alice = TestAgent("alice")
    for community in ("general", "science", "general", "art"):
        alice.post("hello", community)
    store.add(alice.records, EPOCH_MS)

    for topic in TOPICS:
        with store.open_set(topic, *ALWAYS) as found:
            wanted = expected(alice.records, topic)
            assert found.size() == wanted.size()
            items = list(found.items(0, found.size()))
            assert items == list(wanted.items(0, wanted.size()))


def test_a_deleted_record_and_both_branches_of_a_fork_are_in_the_set(
    store: RecordStore,
) -> None:
    alice, twin = TestAgent("alice"), TestAgent("alice")
    post, other = alice.post("one"), twin.post("another")
    alice.delete(post)
    records = {record.id: record for record in [*alice.records, *twin.records]}
    store.add(list(records.values()), EPOCH_MS)

    topic = topic_number(NETWORK, "general")
    with store.open_set(topic, *ALWAYS) as found:
        ids = {item.id for item in found.items(0, found.size())}

    assert {post.id, other.id} <= ids
    assert sum(each.count for each in store.sums(TOPICS, *ALWAYS)) == len(records)


def test_what_a_rotation_sweeps_away_leaves_the_set(store: RecordStore) -> None:
    alice, thief = TestAgent("alice"), TestAgent("alice")
    alice.post("mine")
    thief.incept()
    thief.records = list(alice.records)
    stolen = [thief.post(f"stolen {n}") for n in range(3)]
    rotation = alice.rotate()
    store.add(alice.records[:-1], EPOCH_MS)
    before = store.sums(TOPICS, *ALWAYS)
    store.add(stolen, EPOCH_MS)
    assert store.sums(TOPICS, *ALWAYS) != before

    store.add([rotation], EPOCH_MS)

    rest = store.sums(TOPICS, *ALWAYS)
    assert rest[1:] == before[1:]
    assert rest[0] == before[0] + SetSum.of([rotation.id])


def test_a_window_begins_with_its_first_time_and_ends_before_its_last(
    store: RecordStore,
) -> None:
    alice = TestAgent("alice")
    posts = [alice.post(f"{n}") for n in range(5)]
    store.add(alice.records, EPOCH_MS)
    topic = topic_number(NETWORK, "general")
    since_ms, until_ms = posts[1].header.time_ms, posts[3].header.time_ms

    with store.open_set(topic, since_ms, until_ms) as found:
        assert [item.id for item in found.items(0, found.size())] == [
            posts[1].id,
            posts[2].id,
        ]
        assert found.item(0).id == posts[1].id
        assert found.rank(Bound(0)) == 0
        assert found.rank(Bound(posts[2].header.time_ms)) == 1
        assert found.rank(Bound(INFINITY_MS)) == 2
    wanted = SetSum.of([posts[1].id, posts[2].id])
    assert store.sums([topic], since_ms, until_ms) == [wanted]
    assert store.sums([topic], until_ms, since_ms) == [SetSum()]


def test_a_set_stands_still_while_it_is_open(store: RecordStore) -> None:
    alice = TestAgent("alice")
    alice.post()
    store.add(alice.records, EPOCH_MS)
    topic = topic_number(NETWORK, "general")

    with ThreadPoolExecutor() as pool:
        with store.open_set(topic, *ALWAYS) as found:
            adding = pool.submit(store.add, [alice.post()], EPOCH_MS)

            for _ in range(100):
                assert found.size() == len(list(found.items(0, 1))) == 1
        assert adding.result() == [True]
    assert store.sums([topic], *ALWAYS)[0].count == 2


def test_a_body_that_comes_later_leaves_the_set_as_it_is(store: RecordStore) -> None:
    alice = TestAgent("alice")
    post = alice.post()
    store.add([record.without_body() for record in alice.records], EPOCH_MS)
    before = store.sums(TOPICS, *ALWAYS)

    store.add([post], EPOCH_MS)

    assert store.sums(TOPICS, *ALWAYS) == before


def test_several_records_are_read_at_once(store: RecordStore) -> None:
    alice = TestAgent("alice")
    alice.post()
    store.add(alice.records, EPOCH_MS)
    ids = [record.id for record in reversed(alice.records)]

    found = store.get_many([*ids, RecordId(bytes(32))])

    assert found == [store.get(each) for each in ids] + [None]
