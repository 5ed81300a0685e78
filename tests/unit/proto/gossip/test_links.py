"""GRAFT, PRUNE, backoffs, and the size of the mesh."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.events import (
    Heartbeat,
    Join,
    Leave,
    PeerJoined,
    PeerLeft,
    Send,
)
from moltp2p.proto.gossip.mesh import Backoffs
from moltp2p.proto.gossip.rpc import Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_1, Degrees, GossipSettings
from tests.lone_router import (
    BOB,
    CAROL,
    SUBSCRIBE,
    UNSUBSCRIBE,
    LoneRouter,
    peers,
    rpcs_to,
)
from tests.swarm import OTHER_TOPIC, TOPIC, Swarm

GRAFT = Rpc(graft=(TOPIC,))
NO_MESH = GossipSettings(Degrees(0, 0, 12, 0), Degrees(0, 0, 12, 0))
"""Grafts nobody by itself."""


def test_a_new_peer_is_told_our_topics() -> None:
    lone = LoneRouter()
    lone.tell(Join(OTHER_TOPIC))

    actions = lone.tell(PeerJoined(BOB, MESHSUB_1_1, outbound=True))

    told = (Subscription(TOPIC, True), Subscription(OTHER_TOPIC, True))
    assert actions == [Send(BOB, Rpc(subscriptions=told))]


def test_a_new_subscriber_is_grafted_at_once_while_the_mesh_is_small() -> None:
    lone = LoneRouter()
    lone.tell(PeerJoined(BOB, MESHSUB_1_1, outbound=False))

    actions = lone.hear(BOB, SUBSCRIBE)

    assert actions == [Send(BOB, GRAFT)]
    assert lone.router.mesh(TOPIC) == [BOB]


def test_joining_grafts_up_to_d_subscribers() -> None:
    lone = LoneRouter()
    lone.tell(Leave(TOPIC))
    for peer in peers(25):
        lone.connect(peer)

    actions = lone.tell(Join(TOPIC))

    grafted = [a.peer for a in actions if isinstance(a, Send) and a.rpc.graft]
    assert len(grafted) == GossipSettings().degrees.wanted
    assert set(grafted) == set(lone.router.mesh(TOPIC))
    told = [a.peer for a in actions if isinstance(a, Send) and a.rpc.subscriptions]
    assert set(told) == set(peers(25))


def test_a_graft_is_accepted_in_silence() -> None:
    lone = LoneRouter(BOB, settings=NO_MESH)

    assert lone.hear(BOB, GRAFT) == []
    assert lone.router.mesh(TOPIC) == [BOB]
    assert lone.hear(BOB, GRAFT) == []


def test_a_graft_of_an_unknown_topic_is_ignored() -> None:
    lone = LoneRouter(BOB)

    assert lone.hear(BOB, Rpc(graft=(OTHER_TOPIC,))) == []
    assert lone.drops() == {"graft-not-joined": 1}


def test_a_graft_is_refused_where_no_mesh_is_wanted_at_all() -> None:
    none = Degrees(0, 0, 0, 0, 0)
    lone = LoneRouter(BOB, settings=GossipSettings(none, none))

    lone.hear(BOB, GRAFT)

    assert lone.router.mesh(TOPIC) == []
    assert lone.drops() == {"graft-mesh-full": 1}


def test_a_graft_without_a_subscription_is_ignored() -> None:
    lone = LoneRouter()
    lone.tell(PeerJoined(BOB, MESHSUB_1_1, outbound=False))

    assert lone.hear(BOB, GRAFT) == []
    assert lone.drops() == {"graft-not-subscribed": 1}


def test_subscribing_and_grafting_in_one_rpc_is_enough() -> None:
    lone = LoneRouter(settings=NO_MESH)
    lone.tell(PeerJoined(BOB, MESHSUB_1_1, outbound=False))

    lone.hear(BOB, Rpc(SUBSCRIBE.subscriptions, graft=(TOPIC,)))

    assert lone.router.mesh(TOPIC) == [BOB]


def test_a_graft_in_backoff_is_pruned_and_the_backoff_begins_anew() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, Rpc(prune=(Prune(TOPIC, 60),)))

    lone.now += 50
    early = lone.hear(BOB, GRAFT)
    lone.now += 59.9
    still_early = lone.hear(BOB, GRAFT)
    lone.now += 60
    in_time = lone.hear(BOB, GRAFT)

    assert rpcs_to(BOB, early) == [Rpc(prune=(Prune(TOPIC, 60),))]
    assert rpcs_to(BOB, still_early) == [Rpc(prune=(Prune(TOPIC, 60),))]
    assert in_time == []
    assert lone.router.mesh(TOPIC) == [BOB]
    assert lone.drops() == {"graft-in-backoff": 2}


def test_reconnecting_is_no_way_around_a_backoff() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, Rpc(prune=(Prune(TOPIC, 60),)))

    lone.tell(PeerLeft(BOB))
    lone.connect(BOB)
    actions = lone.hear(BOB, GRAFT)

    assert rpcs_to(BOB, actions) == [Rpc(prune=(Prune(TOPIC, 60),))]


@pytest.mark.parametrize(
    ("asked_s", "waits_s"),
    [(61, 61), (None, 60), (0, 60), (7, 7), (10**9, 600)],
    ids=["as asked", "not stated", "zero", "short", "too long"],
)
def test_we_graft_again_once_the_backoff_and_two_heartbeats_have_passed(
    asked_s: int | None, waits_s: int
) -> None:
    lone = LoneRouter(BOB)
    lone.now = 1000.9
    lone.hear(BOB, Rpc(prune=(Prune(TOPIC, asked_s),)))
    assert lone.router.mesh(TOPIC) == []

    lone.now = 1000.9 + waits_s + 1.99
    too_early = lone.tell(Heartbeat())
    lone.now = 1000.9 + waits_s + 2
    in_time = lone.tell(Heartbeat())

    assert too_early == []
    assert in_time == [Send(BOB, GRAFT)]


def test_a_peer_in_backoff_is_not_grafted_when_it_subscribes() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, Rpc(prune=(Prune(TOPIC, 60),)))
    lone.hear(BOB, UNSUBSCRIBE)

    assert lone.hear(BOB, SUBSCRIBE) == []


def test_leaving_prunes_the_mesh_for_ten_seconds() -> None:
    lone = LoneRouter(BOB, CAROL)

    actions = lone.tell(Leave(TOPIC))

    left = Rpc(UNSUBSCRIBE.subscriptions, prune=(Prune(TOPIC, 10),))
    assert actions == [Send(BOB, left), Send(CAROL, left)]
    assert lone.router.topics == []


def test_rejoining_waits_for_the_unsubscribe_backoff() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Leave(TOPIC))

    actions = lone.tell(Join(TOPIC))
    waiting = lone.beat(11)
    grafting = lone.beat(2)

    assert actions == [Send(BOB, SUBSCRIBE)]
    assert waiting == []
    assert grafting == [Send(BOB, GRAFT)]


def test_a_peer_that_unsubscribes_leaves_the_mesh_without_a_word() -> None:
    lone = LoneRouter(BOB)

    assert lone.hear(BOB, UNSUBSCRIBE) == []
    assert lone.router.mesh(TOPIC) == []
    assert lone.router.subscribers(TOPIC) == []


def test_a_peer_that_leaves_is_out_of_everything() -> None:
    lone = LoneRouter(BOB)

    assert lone.tell(PeerLeft(BOB)) == []
    assert lone.router.mesh(TOPIC) == []
    assert lone.router.subscribers(TOPIC) == []
    assert lone.router.topics_of(BOB) == []
    assert lone.tell(PeerLeft(BOB)) == []


def test_a_peer_that_joins_twice_begins_anew() -> None:
    lone = LoneRouter(BOB)

    lone.tell(PeerJoined(BOB, MESHSUB_1_1, outbound=True))

    assert lone.router.mesh(TOPIC) == []
    assert lone.router.topics_of(BOB) == []


def test_a_full_mesh_takes_only_peers_that_we_dialled() -> None:
    lone = LoneRouter(*peers(12), settings=NO_MESH)
    for peer in peers(12):
        lone.hear(peer, GRAFT)
    lone.connect(BOB)
    lone.connect(CAROL, outbound=True)

    inbound, outbound = lone.hear(BOB, GRAFT), lone.hear(CAROL, GRAFT)

    assert rpcs_to(BOB, inbound) == [Rpc(prune=(Prune(TOPIC, 60),))]
    assert outbound == []
    assert CAROL in lone.router.mesh(TOPIC)
    assert lone.drops() == {"graft-mesh-full": 1}


def test_a_mesh_that_is_too_large_goes_back_to_d_and_keeps_dialled_peers() -> None:
    settings = GossipSettings(Degrees(4, 3, 6, 2), Degrees(4, 3, 6, 2))
    lone = LoneRouter(*peers(6), settings=settings)
    dialled = [PeerId("dialled-1"), PeerId("dialled-2")]
    for peer in dialled:
        lone.connect(peer, outbound=True)
    for peer in [*peers(6), *dialled]:
        lone.hear(peer, GRAFT)
    assert len(lone.router.mesh(TOPIC)) == 8

    actions = lone.beat()

    pruned = [a.peer for a in actions if isinstance(a, Send) and a.rpc.prune]
    assert len(pruned) == 4
    assert len(lone.router.mesh(TOPIC)) == 4
    assert set(dialled) <= set(lone.router.mesh(TOPIC))


def test_a_mesh_with_too_few_dialled_peers_grafts_some() -> None:
    settings = GossipSettings(Degrees(4, 3, 6, 2), Degrees(4, 3, 6, 2))
    lone = LoneRouter(*peers(5), settings=settings)
    for peer in peers(5):
        lone.hear(peer, GRAFT)
    for peer in (BOB, CAROL):
        lone.connect(peer, outbound=True)

    lone.beat()

    assert {BOB, CAROL} <= set(lone.router.mesh(TOPIC))


def test_a_small_network_has_small_meshes() -> None:
    assert GossipSettings().degrees_for(19) == Degrees(6, 5, 12, 3, 4)
    assert GossipSettings().degrees_for(20) == Degrees(8, 6, 12, 3)


def test_a_pruned_peer_is_not_grafted_back_by_the_next_heartbeats() -> None:
    swarm = Swarm(30)
    swarm.connect_all()
    swarm.join()
    swarm.beat(5)
    name = swarm.names[0]
    pruned = swarm.nodes[name].router.mesh(TOPIC)[0]
    swarm.send(pruned, name, Rpc(prune=(Prune(TOPIC, 60),)))
    swarm.settle()

    for _ in range(60):
        swarm.beat()
        assert pruned not in swarm.nodes[name].router.mesh(TOPIC)


def test_a_backoff_is_only_ever_extended() -> None:
    backoffs = Backoffs()
    backoffs.extend(TOPIC, BOB, until=100.0)
    backoffs.extend(TOPIC, BOB, until=50.0)

    assert backoffs.forbids(TOPIC, BOB, now=99.9)
    assert not backoffs.forbids(TOPIC, BOB, now=100.0)
    assert backoffs.forbids_us(TOPIC, BOB, now=101.9)
    assert not backoffs.forbids_us(TOPIC, BOB, now=102.0)


def test_backoffs_are_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.mesh.MAX_BACKOFFS", 3)
    backoffs = Backoffs()
    for number, peer in enumerate(peers(5)):
        backoffs.extend(TOPIC, peer, until=100.0 + number)

    assert len(backoffs) == 3
    assert not backoffs.forbids(TOPIC, peers(5)[0], now=0.0)

    backoffs.forget(now=105.9)
    assert len(backoffs) == 1
    backoffs.forget(now=106.0)
    assert len(backoffs) == 0
