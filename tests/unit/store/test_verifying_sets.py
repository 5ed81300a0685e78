"""A set or its tree that is off is named, and one that is right is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Engine, Hole, Put
from moltp2p.store.records import RecordStore
from moltp2p.store.set_tree import LEAF_RECORDS
from moltp2p.testing.factories import EPOCH_MS, TestAgent

TOPIC = topic_number(NetworkParams("test-net"), "general")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Return more posts than a leaf holds, two minutes apart."""
    alice = TestAgent("alice")
    for n in range(LEAF_RECORDS + 20):
        alice.time_ms += 120_000
        alice.post(f"{n}")
    return alice.records


@pytest.fixture
def filled(store: RecordStore, records: list[Record]) -> RecordStore:
    store.add(records, EPOCH_MS)
    assert list(store.verify()) == []
    return store


def nodes(engine: Engine) -> dict[str, SetSum]:
    """Return the tree by its nodes' digits."""
    with engine.view() as view:
        found = list(view.scan(layout.SET + TOPIC.to_bytes(2)))
    return {
        digits: layout.unpack_sum(entry[1])
        for entry in found
        if not isinstance(entry, Hole)
        and (digits := layout.node_of(entry[0])[1]) is not None
    }


def leaf(engine: Engine) -> str:
    return max(nodes(engine), key=len)


def missing_root(engine: Engine) -> Change:
    return Delete(layout.sum_key(TOPIC, ""))


def missing_leaf(engine: Engine) -> Change:
    return Delete(layout.sum_key(TOPIC, leaf(engine)))


def wrong_count(engine: Engine) -> Change:
    digits = leaf(engine)
    wrong = nodes(engine)[digits] + SetSum(1, 0)
    return Put(layout.sum_key(TOPIC, digits), layout.pack_sum(wrong))


def wrong_total(engine: Engine) -> Change:
    wrong = nodes(engine)[""] + SetSum(0, 1)
    return Put(layout.sum_key(TOPIC, ""), layout.pack_sum(wrong))


def no_sum(engine: Engine) -> Change:
    return Put(layout.sum_key(TOPIC, leaf(engine)), b"junk")


def child_of_a_leaf(engine: Engine) -> Change:
    digits = leaf(engine) + "0"
    return Put(layout.sum_key(TOPIC, digits), layout.pack_sum(SetSum(0, 0)))


def node_without_parent(engine: Engine) -> Change:
    return Put(layout.sum_key(TOPIC, "1234567"), layout.pack_sum(SetSum(0, 0)))


def key_of_no_set(engine: Engine) -> Change:
    return Put(layout.SET + b"\0\0\x04wxyz", b"")


def short_key(engine: Engine) -> Change:
    return Put(layout.SET + b"\0", b"")


FAULTS: dict[Callable[[Engine], Change], str] = {
    missing_root: "hangs on nothing",
    missing_leaf: "not the sum",
    wrong_count: "not the sum",
    wrong_total: "not the sum",
    no_sum: "no sum",
    child_of_a_leaf: "leaf that has children",
    node_without_parent: "hangs on nothing",
    key_of_no_set: "a key of no set",
    short_key: "a key of no set",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_tree_that_is_off_is_named(
    filled: RecordStore, engine: Engine, fault: Callable[[Engine], Change]
) -> None:
    engine.apply([fault(engine)])

    found = list(filled.verify())

    assert found
    assert any(FAULTS[fault] in damage.message for damage in found)
    assert {damage.code for damage in found} <= {"damaged-index", "store-damaged"}


def test_a_small_set_without_its_sum_is_named(
    store: RecordStore, engine: Engine
) -> None:
    store.add([TestAgent("alice").incept()], EPOCH_MS)
    engine.apply([Delete(layout.sum_key(0, ""))])

    (damage,) = store.verify()

    assert "members and no sum" in damage.message


def test_a_record_that_its_set_lacks_is_named(
    filled: RecordStore, engine: Engine, records: list[Record]
) -> None:
    record = records[50]
    engine.apply([Delete(layout.member_key(TOPIC, record.id, record.header.time_ms))])

    first, second = filled.verify()

    assert first.record == record.id
    assert "not the sum" in second.message


def test_a_record_in_another_topics_set_is_named(
    filled: RecordStore, engine: Engine, records: list[Record]
) -> None:
    record = records[50]
    engine.apply(
        [Put(layout.member_key(TOPIC + 1, record.id, record.header.time_ms), b"")]
    )

    messages = [damage.message for damage in filled.verify()]

    assert any("does not belong" in message for message in messages)
    assert any("members and no sum" in message for message in messages)


def test_a_set_read_through_a_record_that_is_gone_names_it(
    filled: RecordStore, engine: Engine, records: list[Record]
) -> None:
    engine.apply([Delete(layout.record_key(records[50].id))])

    named = [damage for damage in filled.verify() if "table S" in damage.message]

    assert [damage.record for damage in named] == [records[50].id]
