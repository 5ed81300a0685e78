"""IDONTWANT: large messages come once, and what is not wanted is not sent."""

from __future__ import annotations

from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    Judged,
    Publish,
    Send,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip.rpc import Message, Rpc
from moltp2p.proto.gossip.settings import MESHSUB_1_1
from tests.lone_router import (
    BOB,
    CAROL,
    DAVE,
    LoneRouter,
    ids,
    message,
    rpcs_to,
)
from tests.swarm import TOPIC, id_of


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
