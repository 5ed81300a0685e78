"""Whatever a peer says, the router stays within its bounds and counts it."""

from __future__ import annotations

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import Join, Judged, Publish, RpcReceived, Validate
from moltp2p.proto.gossip.message_cache import MessageCache
from moltp2p.proto.gossip.peer import Roster
from moltp2p.proto.gossip.rpc import (
    MAX_MESSAGE_BYTES,
    MAX_RPC_IDS,
    MAX_RPC_MESSAGES,
    IHave,
    Message,
    Prune,
    Rpc,
    Subscription,
)
from moltp2p.proto.gossip.seen_window import SeenWindow
from tests.lone_router import BOB, CAROL, LoneRouter
from tests.swarm import OTHER_TOPIC, TOPIC, id_of


def messages(count: int) -> tuple[Message, ...]:
    return tuple(Message(TOPIC, b"%d" % number) for number in range(count))


@pytest.mark.parametrize(
    "rpc",
    [
        Rpc(messages=messages(65)),
        Rpc(subscriptions=(Subscription(TOPIC, subscribed=True),) * 1025),
        Rpc(graft=(TOPIC,) * 1025),
        Rpc(prune=(Prune(TOPIC, 1),) * 1025),
        Rpc(ihave=(IHave(TOPIC, ()),) * 1025),
        Rpc(iwant=(MessageId(b""),) * 8193),
        Rpc(
            ihave=(IHave(TOPIC, (MessageId(b""),) * 4096),),
            idontwant=(MessageId(b""),) * 4097,
        ),
    ],
    ids=["messages", "subscriptions", "graft", "prune", "ihave", "iwant", "ids"],
)
def test_an_rpc_over_a_limit_is_dropped_whole(rpc: Rpc) -> None:
    lone = LoneRouter(BOB)

    assert lone.hear(BOB, rpc) == []
    assert lone.drops() == {"rpc-limits": 1}
    assert lone.router.stats().tally.received == 0


def test_an_rpc_at_its_limits_is_read() -> None:
    lone = LoneRouter(BOB)

    actions = lone.hear(BOB, Rpc(messages=messages(MAX_RPC_MESSAGES)))
    lone.hear(BOB, Rpc(iwant=(id_of(b""),) * MAX_RPC_IDS))

    assert sum(isinstance(action, Validate) for action in actions) == MAX_RPC_MESSAGES
    assert "rpc-limits" not in lone.drops()


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (Message(TOPIC, b"signed", stamped=True), "message-stamped"),
        (Message(OTHER_TOPIC, b"elsewhere"), "message-not-joined"),
        (Message("/no/such/topic", b"nowhere"), "message-not-joined"),
        (Message(TOPIC, b"." * (MAX_MESSAGE_BYTES + 1)), "message-too-large"),
    ],
    ids=["signed", "not-joined", "unknown", "oversized"],
)
def test_a_message_that_may_not_be_is_dropped_and_counted(
    message: Message, cause: str
) -> None:
    lone = LoneRouter(BOB)
    good = Message(TOPIC, b"good")

    actions = lone.hear(BOB, Rpc(messages=(message, good)))

    assert actions == [Validate(BOB, TOPIC, id_of(b"good"), b"good")]
    assert lone.drops() == {cause: 1}
    assert lone.router.stats().peers[0].drops == {cause: 1}


def test_the_largest_message_is_taken() -> None:
    lone = LoneRouter(BOB)

    data = b"." * MAX_MESSAGE_BYTES

    assert lone.hear(BOB, Rpc(messages=(Message(TOPIC, data),))) != []


def test_pending_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.flow.MAX_PENDING", 10)
    lone = LoneRouter(BOB)

    actions = lone.hear(BOB, Rpc(messages=messages(15)))
    lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT))
    retried = lone.hear(BOB, Rpc(messages=messages(15)[-1:]))

    assert len(actions) == 10
    assert lone.drops() == {"pending-full": 5}
    assert len(retried) == 1


def test_subscriptions_to_topics_that_do_not_exist_are_not_kept() -> None:
    lone = LoneRouter(BOB)
    names = [f"/topic/{number}" for number in range(1000)] + ["x" * 10_000]

    lone.hear(BOB, Rpc(tuple(Subscription(name, subscribed=True) for name in names)))

    assert lone.router.topics_of(BOB) == [TOPIC]
    assert lone.drops() == {"topic-not-allowed": 1001}


def test_a_topic_is_measured_in_bytes() -> None:
    roster = Roster(lambda _: True)

    assert roster.is_topic("ü" * 64)
    assert not roster.is_topic("ü" * 64 + "x")


def test_the_topics_of_one_peer_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.peer.MAX_PEER_TOPICS", 1)
    lone = LoneRouter(BOB)

    lone.hear(BOB, Rpc((Subscription(OTHER_TOPIC, subscribed=True),)))

    assert lone.router.topics_of(BOB) == [TOPIC]
    assert lone.drops() == {"too-many-topics": 1}


def test_subscribing_again_and_leaving_what_was_not_joined_change_nothing() -> None:
    lone = LoneRouter(BOB)

    again = lone.hear(BOB, Rpc((Subscription(TOPIC, subscribed=True),)))
    lone.hear(BOB, Rpc((Subscription(OTHER_TOPIC, subscribed=False),)))
    lone.hear(BOB, Rpc((Subscription("/no/such/topic", subscribed=False),)))

    assert again == []
    assert lone.router.topics_of(BOB) == [TOPIC]
    assert lone.router.mesh(TOPIC) == [BOB]


def test_toggling_a_subscription_costs_no_more_than_a_graft_each_time() -> None:
    lone = LoneRouter(BOB)
    for number in range(500):
        lone.tell(Publish(TOPIC, b"%d" % number))
    toggle = (
        Subscription(TOPIC, subscribed=False),
        Subscription(TOPIC, subscribed=True),
    )

    actions = lone.hear(BOB, Rpc(toggle * 500))
    announced = lone.beat()

    assert len(actions) == 1
    assert len(announced) == 2  # 500 ids, 400 to an RPC


def test_an_rpc_from_somebody_absent_is_dropped() -> None:
    lone = LoneRouter()

    assert lone.tell(RpcReceived(BOB, Rpc(messages=messages(1)))) == []
    assert lone.drops() == {"absent-peer": 1}


def test_prunes_of_other_topics_leave_no_trace() -> None:
    lone = LoneRouter(BOB)

    topics = [f"/topic/{number}" for number in range(100)]
    lone.hear(BOB, Rpc(prune=tuple(Prune(topic, 60) for topic in topics)))

    assert lone.router.stats().backoffs == 0


def test_a_verdict_on_something_unknown_is_nothing() -> None:
    lone = LoneRouter(BOB)

    assert lone.tell(Judged(id_of(b"never seen"), Verdict.ACCEPT)) == []
    assert lone.router.stats().tally.accepted == 0


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Join("/no/such/topic"), "unknown-topic"),
        (Publish("/no/such/topic", b"x"), "unknown-topic"),
        (Publish(TOPIC, b"." * (MAX_MESSAGE_BYTES + 1)), "too-large"),
    ],
)
def test_our_own_node_is_told_what_it_may_not_do(
    event: Join | Publish, code: str
) -> None:
    with pytest.raises(UsageError) as failure:
        LoneRouter().tell(event)

    assert failure.value.code == code


def test_the_seen_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.seen_window.MAX_SEEN", 160)
    seen: SeenWindow[MessageId] = SeenWindow()
    for number in range(1000):
        seen.add(id_of(b"%d" % number), now=float(number))

    assert 150 <= len(seen) <= 160
    assert id_of(b"999") in seen
    assert id_of(b"0") not in seen

    seen.forget(now=999.0 + 120)
    assert len(seen) == 0


def test_the_message_cache_is_bounded_in_bytes() -> None:
    cache = MessageCache()
    for number in range(600):
        data = b"%03d" % number + b"." * 65_000
        cache.put(id_of(data), TOPIC, data)

    assert cache.size_bytes <= 16_777_216
    assert len(cache) > 200
    assert len(cache.recent_ids(TOPIC)) == len(cache)
    assert id_of(b"599" + b"." * 65_000) in cache

    for _ in range(6):
        cache.shift()
    assert (len(cache), cache.size_bytes) == (0, 0)


def test_the_message_cache_is_bounded_in_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.message_cache.MAX_CACHE_MESSAGES", 100)
    cache = MessageCache()
    for number in range(1000):
        cache.put(id_of(b"%d" % number), TOPIC, b"%d" % number)

    assert 80 <= len(cache) <= 100


def test_strangers_do_not_share_their_allowances() -> None:
    lone = LoneRouter(BOB, CAROL)
    ids = tuple(id_of(b"%d" % number) for number in range(5000))
    lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids),)))

    lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids[:10]),)))
    lone.hear(CAROL, Rpc(ihave=(IHave(TOPIC, ids[:10]),)))

    assert lone.drops() == {"ihave-flood": 10}
    assert {peer.peer: peer.drops for peer in lone.router.stats().peers} == {
        BOB: {"ihave-flood": 10},
        CAROL: {},
    }
    assert PeerId("nobody") not in lone.router.mesh(TOPIC)
