"""A Sybil's router: honest until it attacks, and then what its habits are."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import pytest

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.record import Record
from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.inbox import Incoming
from moltp2p.proto.gossip.events import (
    GossipAction,
    Heartbeat,
    Join,
    PeerJoined,
    PeerLeft,
    Push,
    RpcReceived,
    Send,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_2, GossipSettings
from moltp2p.testing.factories import TestAgent
from moltp2p.testing.sim.behaviours import (
    Censor,
    Dropper,
    GraftFlood,
    IHaveFlood,
    InvalidFlood,
    Replay,
    Silent,
)
from moltp2p.testing.sybils.liar import LyingRouter, is_record

TOPIC = "/moltp2p/1/test-net/shard/0"
BOB, CAROL, FRIEND = PeerId("bob"), PeerId("carol"), PeerId("friend")
ALICE = TestAgent("alice")
POST = ALICE.post()


def liar(*habits: Any) -> LyingRouter:
    """Return one with two peers and a friend, all subscribed."""
    router = Gossip(GossipSettings(), random.Random(1), {TOPIC}.__contains__)
    found = LyingRouter(router, habits, [TOPIC], random.Random(2), ALICE.id)
    found.friends = frozenset({FRIEND})
    found.handle(Join(TOPIC), 0)
    for peer in (BOB, CAROL, FRIEND):
        found.handle(PeerJoined(peer, MESHSUB_1_2, outbound=False), 0)
        subscription = Rpc(subscriptions=(Subscription(TOPIC, subscribed=True),))
        found.handle(RpcReceived(peer, subscription), 0)
    return found


def beat(found: LyingRouter) -> list[GossipAction]:
    return found.handle(Heartbeat(), 1)


def incoming(record: Record) -> Incoming:
    data = record.wire()
    return Incoming(BOB, TOPIC, MessageId(sha256(data).digest()), data)


def test_before_it_attacks_it_is_like_everybody() -> None:
    good = liar(InvalidFlood(), Silent())
    plain = liar()

    assert beat(good) == beat(plain)
    assert good.judge(incoming(POST)) is Verdict.ACCEPT
    assert not +good.counts


def test_what_is_no_record_it_rejects_as_everybody_does() -> None:
    mallory = liar(Silent())
    mallory.is_attacking = True
    forged = Incoming(BOB, TOPIC, MessageId(bytes(32)), b"nonsense")

    assert mallory.judge(forged) is Verdict.REJECT


@pytest.mark.parametrize("habit", [Silent(), Dropper(share=1), Censor()])
def test_what_it_keeps_back_its_router_never_passes_on(habit: Any) -> None:
    mallory = liar(habit)
    mallory.is_attacking = True

    assert mallory.judge(incoming(POST)) is Verdict.IGNORE
    assert mallory.counts["kept-back"] == 1


def test_a_censor_passes_on_what_others_say() -> None:
    mallory = liar(Censor())
    mallory.is_attacking = True

    assert mallory.judge(incoming(TestAgent("bob").post())) is Verdict.ACCEPT


def test_it_says_what_its_habits_want_to_all_but_its_friends() -> None:
    mallory = liar(InvalidFlood(per_beat=3), GraftFlood(per_beat=2), IHaveFlood())
    mallory.is_attacking = True
    mallory.judge(incoming(POST))
    said = beat(mallory)[len(beat(liar())) :]

    pushed = [each for each in said if isinstance(each, Push)]
    control = [each for each in said if isinstance(each, Send)]
    assert sorted(each.peers for each in pushed) == [(BOB,)] * 3 + [(CAROL,)] * 3
    assert len({each.data for each in pushed}) == 6
    assert not any(is_record(each.data) for each in pushed)
    assert {each.peer for each in control} == {BOB, CAROL}
    assert sum(each.rpc.graft == (TOPIC,) for each in control) == 4
    assert sum(bool(each.rpc.ihave) for each in control) == 2
    assert mallory.counts["forged"] == 6


def test_whoever_left_is_said_nothing() -> None:
    mallory = liar(InvalidFlood(per_beat=1))
    mallory.is_attacking = True
    mallory.handle(PeerLeft(BOB), 0)

    assert mallory.peers() == [CAROL]


def test_a_replay_is_what_was_valid_once() -> None:
    mallory = liar(Replay(per_beat=5))
    mallory.is_attacking = True
    mallory.judge(incoming(POST))
    pushed = [each for each in beat(mallory) if isinstance(each, Push)]

    assert {each.data for each in pushed} == {POST.wire()}
    assert mallory.remembered_ids() == [incoming(POST).message_id]


def test_no_forgery_is_valid() -> None:
    mallory = liar()
    garbage = mallory.forge()
    for record in ALICE.records:
        mallory.judge(incoming(record))

    assert not is_record(garbage)
    assert not any(is_record(mallory.forge()) for _ in range(500))
    assert is_record(POST.wire())
