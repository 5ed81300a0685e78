"""IHAVE, IWANT, IDONTWANT: asking once, serving thrice, and no flood."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    GossipAction,
    Heartbeat,
    Judged,
    PeerLeft,
    Publish,
    Push,
    Send,
)
from moltp2p.proto.gossip.rpc import Rpc
from tests.lone_router import (
    BOB,
    CAROL,
    DAVE,
    LoneRouter,
    ids,
    ihave,
    message,
    rpcs_to,
)
from tests.swarm import OTHER_TOPIC, TOPIC, id_of

ERIN = PeerId("erin")
FRED = PeerId("fred")


def asked_of(peer: PeerId, actions: list[GossipAction]) -> list[MessageId]:
    return [key for rpc in rpcs_to(peer, actions) for key in rpc.iwant]


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

    asked = [lone.beat() for _ in range(3)]
    drops = lone.drops()
    lone.beat(2)

    assert asked == [
        [Send(CAROL, Rpc(iwant=ids(1)))],
        [Send(DAVE, Rpc(iwant=ids(1)))],
        [],
    ]
    assert drops == {"broken-promise": 1}
    assert lone.drops() == {"broken-promise": 3}
    assert lone.router.stats().promises == 0


def test_a_busy_holder_is_given_three_seconds_before_another_is_asked() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(BOB, ihave(*ids(1)))
    lone.hear(CAROL, ihave(*ids(1)))

    asked = []
    for number in range(3):
        lone.hear(BOB, message(b"busy %d" % number))
        asked.append(lone.beat())

    assert asked == [[], [], [Send(CAROL, Rpc(iwant=ids(1)))]]
    assert lone.drops() == {"broken-promise": 1}


def test_the_better_of_two_holders_is_asked_first() -> None:
    lone = LoneRouter(BOB, CAROL, DAVE)
    lone.hear(DAVE, message(b"dave has brought something before"))
    lone.tell(Judged(id_of(b"dave has brought something before"), Verdict.ACCEPT))
    lone.beat()
    for peer in (BOB, CAROL, DAVE):
        lone.hear(peer, ihave(*ids(1)))

    asked = [a.peer for a in lone.beat(3) if isinstance(a, Send) and a.rpc.iwant]

    assert asked == [DAVE, CAROL]


def test_a_better_holder_takes_the_place_of_a_worse_one() -> None:
    liars = [PeerId(f"liar-{number}") for number in range(6)]
    lone = LoneRouter(*liars, DAVE)
    lone.hear(DAVE, message(b"dave has brought something before"))
    lone.tell(Judged(id_of(b"dave has brought something before"), Verdict.ACCEPT))
    lone.beat()
    for peer in (*liars, DAVE):
        lone.hear(peer, ihave(*ids(1)))

    asked = [a.peer for a in lone.beat() if isinstance(a, Send) and a.rpc.iwant]

    assert asked == [DAVE]


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
    monkeypatch.setattr("moltp2p.proto.gossip.promises.MAX_PROMISES", 10)
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
