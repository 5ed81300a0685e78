"""What a peer asks for is read without being parsed, on every engine."""

from __future__ import annotations

from moltp2p.core.ids import RecordId
from moltp2p.store import layout
from moltp2p.store.engine import Engine, Put
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent


def test_records_come_as_they_travel_and_what_is_deleted_comes_bare(
    store: RecordStore,
) -> None:
    alice = TestAgent("alice")
    post, deleted = alice.post(), alice.post("oh")
    alice.delete(deleted)
    store.add(alice.records, EPOCH_MS)

    wires = store.wires([deleted.id, RecordId(bytes(32)), post.id])

    assert wires == [deleted.without_body().wire(), None, post.wire()]


def test_a_damaged_record_is_not_sent(store: RecordStore, engine: Engine) -> None:
    post = TestAgent("alice").post()
    store.add([post], EPOCH_MS)
    key = layout.record_key(post.id)
    engine.apply([Put(key, (engine.get(key) or b"")[:-1])])

    assert store.wires([post.id]) == [None]


def test_a_part_of_a_sequence_is_read_in_order(store: RecordStore) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    for number in range(5):
        alice.post(str(number))
        bob.post(str(number))
    fork = TestAgent("alice", records=alice.records[:3], time_ms=1)
    branch = fork.post("another third")
    store.add([*alice.records, *bob.records, branch], EPOCH_MS)
    third = sorted([branch.id, alice.records[3].id])

    places = store.sequence(alice.id, 2, 4, 10)

    ids = [alice.records[2].id, *third, alice.records[4].id]
    assert places == list(zip([2, 3, 3, 4], ids, strict=True))
    assert store.sequence(alice.id, 2, 4, 2) == places[:2]
    assert store.sequence(alice.id, 0, 0, 10) == [(0, alice.records[0].id)]
    assert store.sequence(alice.id, 6, 9, 10) == []
