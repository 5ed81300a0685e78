"""IHAVE to those outside the mesh, and to those who are spared a message."""

from __future__ import annotations

from itertools import chain

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    Judged,
    Overflowed,
    Publish,
    Send,
)
from moltp2p.proto.gossip.rpc import Rpc
from tests.lone_router import (
    BOB,
    NO_MESH,
    LoneRouter,
    announced_to,
    ids,
    ihave,
    meshed,
    message,
    pushed_to,
    rpcs_to,
)
from tests.swarm import TOPIC, id_of


def test_ids_are_announced_to_peers_outside_the_mesh_for_three_heartbeats() -> None:
    lone = LoneRouter(BOB, settings=NO_MESH)
    lone.beat()
    lone.tell(Publish(TOPIC, b"0"))

    actions = lone.beat(6)

    assert actions == [Send(BOB, ihave(*ids(1)))] * 3


def told(count: int, heartbeats: int) -> list[list[PeerId]]:
    """Return who of so many peers is told of a message at each heartbeat."""
    names = [PeerId(f"p{number:03}") for number in range(count)]
    lone = LoneRouter(*names, settings=NO_MESH)
    lone.beat()
    lone.tell(Publish(TOPIC, b"0"))
    beats = [lone.beat() for _ in range(heartbeats)]
    return [[a.peer for a in beat if isinstance(a, Send)] for beat in beats]


def test_everybody_outside_the_mesh_is_told_once_in_three_heartbeats() -> None:
    turns = told(100, heartbeats=3)

    assert sorted(map(len, turns)) > [20, 20, 20]
    assert sorted(chain.from_iterable(turns)) == [
        PeerId(f"p{number:03}") for number in range(100)
    ]


def test_at_least_six_are_told_at_each_heartbeat() -> None:
    assert [len(turn) for turn in told(3, heartbeats=3)] == [3, 3, 3]
    assert all(6 <= len(turn) <= 12 for turn in told(20, heartbeats=3))


def settled(count: int) -> LoneRouter:
    """Return a router with so many peers in its mesh, none of them owed gossip."""
    lone = meshed(count)
    lone.beat()
    return lone


@pytest.mark.parametrize(("copies", "pushes"), [(1, 4), (2, 3), (3, 2), (5, 2)])
def test_of_a_large_mesh_few_are_pushed_to_and_the_others_told(
    copies: int, pushes: int
) -> None:
    lone = settled(10)
    senders = list(lone.router.mesh(TOPIC))[:copies]
    for peer in senders:
        lone.hear(peer, message(b"0"))

    got = pushed_to(lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT)))
    told_of = announced_to(lone.beat())
    later = announced_to(lone.beat(2))

    assert len(got) == pushes
    assert got | told_of | {*senders} == set(lone.router.mesh(TOPIC))
    assert not got & told_of
    assert later == set()


def test_who_shows_that_it_has_a_message_is_not_told_of_it() -> None:
    lone = settled(10)
    sender, *others = lone.router.mesh(TOPIC)
    lone.hear(sender, message(b"0"))
    got = pushed_to(lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT)))
    spared = [peer for peer in others if peer not in got]

    lone.hear(spared[0], message(b"0"))

    assert announced_to(lone.beat()) == {*spared[1:]}


def test_who_is_pushed_to_changes_from_message_to_message() -> None:
    lone = settled(10)
    sender = lone.router.mesh(TOPIC)[0]
    chosen = set()
    for number in range(40):
        lone.hear(sender, message(b"%d" % number))
        got = pushed_to(lone.tell(Judged(id_of(b"%d" % number), Verdict.ACCEPT)))
        chosen.add(frozenset(got))

    assert len(chosen) > 4
    assert frozenset.union(*chosen) == set(lone.router.mesh(TOPIC)) - {sender}


def test_who_had_to_ask_for_what_it_was_spared_is_spared_nothing_for_a_minute() -> None:
    lone = settled(10)
    sender, *others = lone.router.mesh(TOPIC)
    lone.hear(sender, message(b"0"))
    got = pushed_to(lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT)))
    needy = next(peer for peer in others if peer not in got)
    lone.hear(needy, Rpc(iwant=ids(1)))

    def is_spared(number: int) -> bool:
        data = b"later %d" % number
        lone.hear(sender, message(data))
        return needy not in pushed_to(lone.tell(Judged(id_of(data), Verdict.ACCEPT)))

    soon = [is_spared(number) for number in range(50)]
    lone.beat(60)
    late = [is_spared(number) for number in range(50, 100)]

    assert not any(soon)
    assert any(late)


def test_what_is_spared_to_one_peer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.peer.MAX_SPARED", 5)
    lone = settled(10)
    sender = lone.router.mesh(TOPIC)[0]
    for number in range(100):
        lone.hear(sender, message(b"%d" % number))
        lone.tell(Judged(id_of(b"%d" % number), Verdict.ACCEPT))

    rpcs = [a.rpc for a in lone.beat() if isinstance(a, Send)]

    assert {len(rpc.ihave[0].ids) for rpc in rpcs} == {5}


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
