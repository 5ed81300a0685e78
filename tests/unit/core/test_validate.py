"""Beside the vectors of spec 03: what a ruling carries."""

from __future__ import annotations

import pytest

from moltp2p.core import codec
from moltp2p.core.record import parse
from moltp2p.core.topics import NetworkParams, agents_topic, topic_of
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from scripts.vectors import forge
from tests.facts import facts

NETWORK = NetworkParams("test-net")
SYNC = Bench(NETWORK, EPOCH_MS, Road.SYNC)


def test_what_is_accepted_is_kept_whole() -> None:
    post = TestAgent("alice").post()

    ruling = judge(post.wire(), SYNC, facts())

    assert (ruling.verdict, ruling.code) == (Verdict.ACCEPT, "ok")
    assert ruling.keep == ruling.record == post


def test_a_deleted_record_keeps_its_header() -> None:
    alice = TestAgent("alice")
    post = alice.post()

    ruling = judge(post.wire(), SYNC, facts(alice.delete(post)))

    assert (ruling.verdict, ruling.code) == (Verdict.IGNORE, "deleted")
    assert ruling.keep == post.without_body()


@pytest.mark.parametrize("road", Road)
def test_every_refusal_says_something_to_a_person(road: Road) -> None:
    alice = TestAgent("alice")
    post = alice.post()
    bench = Bench(NETWORK, EPOCH_MS, road)
    ahead = Bench(NETWORK, EPOCH_MS - 10**6, road)
    rulings = [
        judge(b"", bench, facts()),
        judge(post.wire()[:-1], bench, facts()),
        judge(post.wire(), ahead, facts()),
        judge(post.wire(), bench, facts(post)),
        judge(alice.rotate().wire(), bench, facts()),
        judge(forge.wire(forge.fields(), by=signer("bob")), bench, facts()),
    ]

    assert all(ruling.verdict is not Verdict.ACCEPT for ruling in rulings)
    assert all(ruling.message for ruling in rulings)


def test_a_topic_is_held_against_a_record_on_gossip_alone() -> None:
    post = TestAgent("alice").post(community="science")
    topic = topic_of(NETWORK, "science")
    rulings = {
        topic: judge(post.wire(), Bench(NETWORK, EPOCH_MS, Road.GOSSIP, topic), facts())
        for topic in (topic, agents_topic(NETWORK))
    }

    assert rulings[topic].code == "ok"
    assert rulings[agents_topic(NETWORK)].code == "wrong-topic"


def test_a_thief_cannot_hide_a_rotation_by_deleting_it() -> None:
    alice = TestAgent("alice")
    alice.post()
    rotation = alice.rotate()
    thief = TestAgent("alice", records=alice.records[:2], time_ms=EPOCH_MS)
    deletion = thief.delete(rotation)

    ruling = judge(rotation.wire(), SYNC, facts(alice.records[0], deletion))

    assert (ruling.code, ruling.keep) == ("ok", rotation)


def test_the_record_is_read_once_it_can_be() -> None:
    post = TestAgent("alice").post()
    unsigned = codec.encode([post.sign1[:-1] + b"\x00", post.body])

    assert judge(unsigned, SYNC, facts()).record == parse(unsigned)
    assert judge(b"\x00", SYNC, facts()).record is None
