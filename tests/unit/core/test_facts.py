from __future__ import annotations

from moltp2p.core.facts import Overlay
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.facts import NoFacts, facts

BENCH = Bench(NetworkParams("test-net"), EPOCH_MS + 60_000, Road.SYNC)


def test_records_of_one_batch_depend_on_each_other() -> None:
    alice = TestAgent("alice")
    alice.post()
    alice.rotate()
    alice.post("by the second key")
    overlay = Overlay(NoFacts())

    codes = []
    for record in alice.records:
        ruling = judge(record.wire(), BENCH, overlay)
        codes.append(ruling.code)
        overlay.note(record)

    assert codes == ["ok"] * 4


def test_what_lies_below_is_seen_through_and_left_alone() -> None:
    alice = TestAgent("alice")
    first, post = alice.incept(), alice.post()
    below = facts(first, post)
    rotation, deletion = alice.rotate(), alice.delete(post)

    above = Overlay(below)
    above.note(rotation)
    above.note(deletion)

    assert above.has(first.id)
    assert above.has(rotation.id)
    assert not below.has(rotation.id)
    assert above.is_deleted(post.id, alice.id)
    assert not below.is_deleted(post.id, alice.id)
    held, seen = below.key_chain(alice.id), above.key_chain(alice.id)
    assert held
    assert seen
    assert [len(held.links), len(seen.links)] == [1, 2]


def test_a_deletion_counts_only_for_its_own_author() -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    post = alice.post()

    held = facts(bob.delete(post))

    assert held.is_deleted(post.id, bob.id)
    assert not held.is_deleted(post.id, alice.id)
