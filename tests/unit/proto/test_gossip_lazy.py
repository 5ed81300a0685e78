"""IHAVE, IWANT, IDONTWANT: asking once, serving thrice, and no flood."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip_events import (
    GossipAction,
    Heartbeat,
    Judged,
    Overflowed,
    PeerLeft,
    Publish,
    Push,
    Send,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip_settings import MESHSUB_1_1, Degrees, GossipSettings
from moltp2p.proto.rpc import IHave, Message, Rpc
from tests.lone_router import BOB, CAROL, LoneRouter, rpcs_to
from tests.swarm import OTHER_TOPIC, TOPIC, id_of

DAVE = PeerId("dave")
ERIN = PeerId("erin")
FRED = PeerId("fred")

NO_MESH = GossipSettings(
    Degrees(0, 0, 12, 0), Degrees(0, 0, 12, 0), flood_publish=False
)


def ids(count: int, start: int = 0) -> tuple[MessageId, ...]:
    return tuple(id_of(b"%d" % number) for number in range(start, start + count))


def ihave(*announced: MessageId, topic: str = TOPIC) -> Rpc:
    return Rpc(ihave=(IHave(topic, announced),))


def asked_of(peer: PeerId, actions: list[GossipAction]) -> list[MessageId]:
    return [key for rpc in rpcs_to(peer, actions) for key in rpc.iwant]


def message(data: bytes) -> Rpc:
    return Rpc(messages=(Message(TOPIC, data),))


def learn_small(lone: LoneRouter, peer: PeerId) -> None:
    """Let a peer send enough small messages to be trusted with large answers."""
    for number in range(60):
        lone.hear(peer, message(b"small %d" % number))
        lone.tell(Judged(id_of(b"small %d" % number), Verdict.IGNORE))


# Asking.


def test_an_announced_message_is_asked_for_once() -> None:
    lone = LoneRouter(BOB, CAROL)

    first = lone.hear(BOB, ihave(*ids(2)))
    again = lone.hear(BOB, ihave(*ids(2)))
    other = lone.hear(CAROL, ihave(*ids(2)))

    assert first == [Send(BOB, Rpc(iwant=ids(2)))]
    assert again == other == []


def test_what_was_seen_or_is_pending_is_not_asked_for() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(BOB, message(b"0"))
    lone.hear(BOB, message(b"1"))
    lone.tell(Judged(id_of(b"1"), Verdict.IGNORE))
    lone.tell(Publish(TOPIC, b"2"))

    assert asked_of(CAROL, lone.hear(CAROL, ihave(*ids(4)))) == [id_of(b"3")]


def test_a_broken_promise_is_counted_and_the_next_holder_asked() -> None:
    lone = LoneRouter(BOB, CAROL, DAVE)
    lone.hear(BOB, ihave(*ids(1)))
    lone.hear(CAROL, ihave(*ids(1)))
    lone.hear(DAVE, ihave(*ids(1)))

    waiting = lone.beat(2)
    asking = lone.beat()
    again = lone.beat(3)

    assert waiting == []
    assert asking == [Send(CAROL, Rpc(iwant=ids(1)))]
    assert again == [Send(DAVE, Rpc(iwant=ids(1)))]
    assert lone.drops() == {"broken-promise": 2}


def test_the_next_holder_is_one_who_is_still_there() -> None:
    lone = LoneRouter(BOB, CAROL, DAVE)
    for peer in (BOB, CAROL, DAVE):
        lone.hear(peer, ihave(*ids(1)))
    lone.tell(PeerLeft(BOB))
    lone.tell(PeerLeft(CAROL))

    assert lone.beat(3) == [Send(DAVE, Rpc(iwant=ids(1)))]
    assert lone.beat(3) == []
    assert lone.router.stats().promises == 0


def test_a_message_that_comes_keeps_the_promise_whoever_sent_it() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(BOB, ihave(id_of(b"0")))
    lone.hear(CAROL, message(b"0"))
    lone.tell(Judged(id_of(b"0"), Verdict.IGNORE))

    lone.beat(5)

    assert lone.drops() == {}
    assert lone.router.stats().promises == 0


def test_only_four_holders_of_a_message_are_remembered() -> None:
    everybody = (BOB, CAROL, DAVE, ERIN, FRED)
    lone = LoneRouter(*everybody)
    for peer in everybody:
        lone.hear(peer, ihave(*ids(1)))

    actions = lone.beat(20)

    assert [a.peer for a in actions if isinstance(a, Send)] == [CAROL, DAVE, ERIN]


def test_an_iwant_to_a_stranger_asks_for_no_more_than_fits_a_frame() -> None:
    lone = LoneRouter(BOB)

    actions = lone.hear(BOB, ihave(*ids(100)))

    rpcs = rpcs_to(BOB, actions)
    assert [len(rpc.iwant) for rpc in rpcs] == [3] * 10


def test_an_iwant_to_a_peer_of_small_messages_asks_for_64_at_once() -> None:
    lone = LoneRouter(BOB)
    learn_small(lone, BOB)

    actions = lone.hear(BOB, ihave(*ids(1000)))

    assert [len(rpc.iwant) for rpc in rpcs_to(BOB, actions)] == [64] * 10


def test_one_large_message_makes_us_careful_again() -> None:
    lone = LoneRouter(BOB)
    learn_small(lone, BOB)
    lone.hear(BOB, message(b"." * 32_000))

    actions = lone.hear(BOB, ihave(*ids(1000)))

    assert [len(rpc.iwant) for rpc in rpcs_to(BOB, actions)] == [4] * 10


def test_what_could_not_be_asked_for_at_once_is_asked_for_later() -> None:
    lone = LoneRouter(BOB)
    learn_small(lone, BOB)
    lone.hear(BOB, ihave(*ids(1000)))

    too_soon = lone.beat()
    later = lone.beat()

    assert asked_of(BOB, too_soon) == []
    assert asked_of(BOB, later) == list(ids(360, start=640))


def test_nobody_is_asked_more_than_ten_times_in_any_heartbeat_of_its_own() -> None:
    lone = LoneRouter(BOB)
    asked_at = []
    for step in range(100):
        actions = lone.hear(BOB, ihave(*ids(5, start=5 * step)))
        if step % 10 == 0:
            actions += lone.tell(Heartbeat())
        asked_at += [lone.now for rpc in rpcs_to(BOB, actions) if rpc.iwant]
        lone.now += 0.1

    busiest = max(sum(at <= t < at + 1 for t in asked_at) for at in asked_at)
    assert busiest <= 10
    assert len(asked_at) > 20


def test_promises_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moltp2p.proto.promises.MAX_PROMISES", 10)
    lone = LoneRouter(BOB)

    lone.hear(BOB, ihave(*ids(25)))

    assert lone.router.stats().promises == 10
    assert lone.drops() == {"promises-full": 15}


def test_an_ihave_flood_is_cut_off() -> None:
    lone = LoneRouter(BOB)

    lone.hear(BOB, ihave(*ids(4999)))
    lone.hear(BOB, ihave(*ids(10, start=4999)))
    for number in range(10):
        lone.hear(BOB, ihave(*ids(1, start=6000 + number)))

    assert lone.drops() == {"ihave-flood": 19}
    assert lone.router.stats().promises == 5000


def test_ten_rpcs_with_ihave_are_read_in_a_heartbeat_and_then_ten_more() -> None:
    lone = LoneRouter(BOB)

    for number in range(12):
        lone.hear(BOB, ihave(*ids(1, start=number)))
    lone.beat()
    lone.hear(BOB, ihave(*ids(1, start=12)))

    assert lone.drops() == {"ihave-flood": 2}
    assert lone.router.stats().promises == 11


def test_ihave_of_other_topics_and_other_ids_is_passed_over() -> None:
    lone = LoneRouter(BOB)

    lone.hear(BOB, ihave(*ids(3), topic=OTHER_TOPIC))
    lone.hear(BOB, ihave(MessageId(b"short"), MessageId(b"l" * 33)))

    assert lone.drops() == {"ihave-not-joined": 3, "bad-message-id": 2}
    assert lone.router.stats().promises == 0


# Announcing.


def test_ids_are_announced_to_peers_outside_the_mesh_for_three_heartbeats() -> None:
    lone = LoneRouter(BOB, settings=NO_MESH)
    lone.beat()
    lone.tell(Publish(TOPIC, b"0"))

    actions = lone.beat(6)

    assert actions == [Send(BOB, ihave(*ids(1)))] * 3


def test_a_quarter_of_the_others_is_told_but_at_least_six() -> None:
    def told(count: int) -> int:
        names = [PeerId(f"p{number:03}") for number in range(count)]
        lone = LoneRouter(*names, settings=NO_MESH)
        lone.beat()
        lone.tell(Publish(TOPIC, b"0"))
        return len(lone.beat())

    assert [told(3), told(20), told(100)] == [3, 6, 25]


def test_a_mesh_peer_is_told_only_after_it_subscribed_or_its_queue_overflowed() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Publish(TOPIC, b"0"))

    fresh = lone.beat()
    settled = lone.beat()
    lone.tell(Overflowed(BOB, TOPIC))
    owed = lone.beat()

    assert lone.router.mesh(TOPIC) == [BOB]
    assert fresh == [Send(BOB, ihave(*ids(1)))]
    assert settled == []
    assert owed == [Send(BOB, ihave(*ids(1)))]


def test_no_more_is_announced_than_a_peer_would_read() -> None:
    lone = LoneRouter(BOB, settings=NO_MESH)
    for number in range(4500):
        lone.tell(Publish(TOPIC, b"%d" % number))

    rpcs = rpcs_to(BOB, lone.beat())

    assert [len(rpc.ihave[0].ids) for rpc in rpcs] == [400] * 10
    announced = [key for rpc in rpcs for key in rpc.ihave[0].ids]
    assert len(set(announced)) == 4000


# Serving.


def test_a_message_is_served_three_times_to_a_peer_and_no_more() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.tell(Publish(TOPIC, b"0"))
    served = Push((BOB,), TOPIC, id_of(b"0"), b"0", asked=True)

    answers = [lone.hear(BOB, Rpc(iwant=ids(1))) for _ in range(4)]

    assert answers == [[served], [served], [served], []]
    assert lone.hear(CAROL, Rpc(iwant=ids(1))) != []
    assert lone.drops() == {"iwant-repeated": 1}


def test_an_id_named_many_times_in_one_iwant_is_served_once() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Publish(TOPIC, b"0"))

    assert len(lone.hear(BOB, Rpc(iwant=ids(1) * 1000))) == 1


def test_what_is_no_longer_cached_is_not_served() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Publish(TOPIC, b"0"))
    lone.beat(5)
    assert lone.hear(BOB, Rpc(iwant=ids(1))) != []

    lone.beat()

    assert lone.hear(BOB, Rpc(iwant=ids(1))) == []
    assert lone.drops() == {"iwant-unknown": 1}


def test_an_iwant_flood_is_cut_off() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Publish(TOPIC, b"0"))

    lone.hear(BOB, Rpc(iwant=ids(4999, start=1)))
    last = lone.hear(BOB, Rpc(iwant=ids(1) + ids(3000, start=5000)))

    assert len(last) == 1
    assert lone.drops() == {"iwant-unknown": 4999, "iwant-flood": 3000}


def test_the_data_served_in_a_heartbeat_is_bounded() -> None:
    lone = LoneRouter(BOB)
    data = [b"%02d" % number + b"." * 60_000 for number in range(40)]
    for each in data:
        lone.tell(Publish(TOPIC, each))
    wanted = Rpc(iwant=tuple(map(id_of, data)))

    served = lone.hear(BOB, wanted)
    lone.beat()
    later = lone.hear(BOB, wanted)

    assert len(served) == 2_097_152 // 60_002
    assert len(later) == len(served)


# IDONTWANT.


def test_a_large_message_spares_us_its_duplicates() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.connect(DAVE, MESHSUB_1_1)
    large = b"." * 1024

    actions = lone.hear(BOB, message(large))

    assert actions == [
        Send(CAROL, Rpc(idontwant=(id_of(large),))),
        Validate(BOB, TOPIC, id_of(large), large),
    ]
    assert DAVE in lone.router.mesh(TOPIC)


def test_a_small_message_is_not_worth_it() -> None:
    lone = LoneRouter(BOB, CAROL)

    assert rpcs_to(CAROL, lone.hear(BOB, message(b"." * 1023))) == []


def test_ten_ids_go_in_one_idontwant() -> None:
    lone = LoneRouter(BOB, CAROL)
    large = tuple(Message(TOPIC, b"%02d" % n + b"." * 1024) for n in range(25))

    actions = lone.hear(BOB, Rpc(messages=large))

    assert [len(rpc.idontwant) for rpc in rpcs_to(CAROL, actions)] == [10, 10, 5]


def test_what_a_peer_does_not_want_is_taken_back_and_not_sent() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(BOB, message(b"0"))

    withdrawn = lone.hear(CAROL, Rpc(idontwant=ids(1)))
    forwarded = lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT))
    served = lone.hear(CAROL, Rpc(iwant=ids(1)))

    assert withdrawn == [Withdraw(CAROL, ids(1))]
    assert forwarded == served == []


def test_an_idontwant_is_forgotten_after_three_heartbeats() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, Rpc(idontwant=ids(1)))
    lone.beat(2)
    assert lone.tell(Publish(TOPIC, b"0")) == []

    lone.beat()

    assert lone.hear(BOB, Rpc(iwant=ids(1))) != []


def test_an_idontwant_flood_is_cut_off() -> None:
    lone = LoneRouter(BOB)

    lone.hear(BOB, Rpc(idontwant=ids(900)))
    lone.hear(BOB, Rpc(idontwant=ids(600, start=900)))
    kept = len(lone.router._roster.peers[BOB].dont_want)

    assert kept == 1000
    assert lone.drops() == {"idontwant-flood": 500}


def test_a_duplicate_is_taken_back_from_who_sent_it() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(BOB, message(b"0"))
    lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT))

    assert lone.hear(CAROL, message(b"0")) == [Withdraw(CAROL, ids(1))]
