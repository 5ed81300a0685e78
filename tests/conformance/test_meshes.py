"""Who stays in a mesh, and who gets in: scores, chance and dialled peers decide."""

from __future__ import annotations

import random

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.events import (
    Faulted,
    GossipAction,
    PeerJoined,
    Send,
)
from moltp2p.proto.gossip.rpc import Prune, Rpc
from moltp2p.proto.gossip.settings import (
    MESHSUB_1_2,
    OPPORTUNISTIC_HEARTBEATS,
)
from tests.lone_router import (
    BOB,
    CAROL,
    DAVE,
    SUBSCRIBE,
    LoneRouter,
    bring,
    meshed,
    peers,
    rpcs_to,
)
from tests.swarm import TOPIC


def test_a_peer_below_zero_is_pruned_at_the_heartbeat() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.tell(Faulted(BOB, 6))

    actions = lone.beat()

    assert rpcs_to(BOB, actions) == [Rpc(prune=(Prune(TOPIC, 60),))]
    assert lone.router.mesh(TOPIC) == [CAROL]


def test_a_peer_below_zero_is_not_grafted_at_the_heartbeat() -> None:
    lone = meshed(12)
    lone.connect(BOB)
    lone.connect(CAROL)
    lone.tell(Faulted(BOB, 9))
    for peer in peers(12):
        lone.hear(peer, Rpc(prune=(Prune(TOPIC, 60),)))

    lone.beat()

    assert lone.router.mesh(TOPIC) == [CAROL]


def test_a_peer_below_zero_is_not_grafted_when_it_subscribes_and_may_not_graft() -> (
    None
):
    lone = LoneRouter()
    lone.tell(PeerJoined(BOB, MESHSUB_1_2, outbound=True))
    lone.tell(Faulted(BOB, 9))

    subscribing = lone.hear(BOB, SUBSCRIBE)
    grafting = lone.hear(BOB, Rpc(graft=(TOPIC,)))

    assert subscribing == []
    assert grafting == [Send(BOB, Rpc(prune=(Prune(TOPIC, 60),)))]
    assert lone.drops() == {"graft-by-score": 1}


def test_a_peer_is_grafted_again_once_its_blame_is_forgotten() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Faulted(BOB, 6))

    lone.beat(61)
    waiting = lone.router.mesh(TOPIC)
    lone.beat(2)

    assert waiting == []
    assert lone.router.mesh(TOPIC) == [BOB]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_stay_when_there_are_too_many(seed: int) -> None:
    everybody = peers(30)
    lone = LoneRouter(*everybody, seed=seed)
    lone.beat()
    best = random.Random(seed).sample(everybody, 6)
    for number, peer in enumerate(best):
        bring(lone, peer, b"%d" % number)
    lone.beat()
    mesh = lone.router._links.meshes[TOPIC]
    mesh.add(everybody[:13])
    mesh.add(best)

    lone.beat()

    kept = lone.router.mesh(TOPIC)
    assert len(kept) == 8
    assert set(best) <= set(kept)


def test_two_of_eight_who_stay_are_drawn_by_chance_so_that_newcomers_can() -> None:
    drawn: set[PeerId] = set()
    for seed in range(20):
        everybody = peers(30)
        lone = LoneRouter(*everybody, seed=seed)
        lone.beat()
        for number, peer in enumerate(everybody[:10]):
            bring(lone, peer, b"%d" % number)
        lone.beat()
        lone.router._links.meshes[TOPIC].add(everybody[:16])
        lone.beat()
        drawn |= set(lone.router.mesh(TOPIC)) & set(everybody[10:])

    assert drawn


def test_dialled_peers_take_the_places_of_worse_ones_and_no_more() -> None:
    lone = LoneRouter(*peers(20))
    dialled = [PeerId(f"d{number}") for number in range(4)]
    for peer in dialled:
        lone.connect(peer, outbound=True)
    lone.beat()
    for number in range(60):
        bring(lone, peers(20)[number % 10], b"%d" % number)
    lone.beat()
    lone.router._links.meshes[TOPIC].add([*peers(20)[:10], *dialled])

    lone.beat()

    kept = lone.router.mesh(TOPIC)
    assert len(kept) == 8
    assert len(set(kept) & set(dialled)) == 3
    assert len(set(kept) & set(peers(20)[:10])) == 5


def grafted(actions: list[GossipAction]) -> set[PeerId]:
    return {each.peer for each in actions if isinstance(each, Send) and each.rpc.graft}


def test_a_mesh_that_brings_little_grafts_two_who_bring_more() -> None:
    lone = meshed(12)
    better = [BOB, CAROL, DAVE]
    for peer in better:
        lone.connect(peer)
    lone.beat(OPPORTUNISTIC_HEARTBEATS - 2)
    for number, peer in enumerate(better * 3):
        bring(lone, peer, b"%d" % number)
    lone.beat()

    actions = lone.beat()

    assert len(grafted(actions)) == 2
    assert grafted(actions) < set(better)


def test_a_mesh_that_brings_enough_is_left_alone() -> None:
    lone = meshed(12)
    lone.connect(BOB)
    lone.beat(OPPORTUNISTIC_HEARTBEATS - 2)
    for number in range(7 * 6):
        bring(lone, peers(12)[number % 7], b"%d" % number)
    for number in range(20):
        bring(lone, BOB, b"bob %d" % number)
    lone.beat()

    assert grafted(lone.beat()) == set()


def test_a_full_mesh_that_brings_little_takes_a_graft_from_who_brings_more() -> None:
    lone = meshed(12)
    for peer in (BOB, CAROL):
        lone.connect(peer)
    bring(lone, BOB, b"0")
    lone.beat()

    from_bob = lone.hear(BOB, Rpc(graft=(TOPIC,)))
    from_carol = lone.hear(CAROL, Rpc(graft=(TOPIC,)))
    lone.beat()

    assert from_bob == []
    assert from_carol == [Send(CAROL, Rpc(prune=(Prune(TOPIC, 60),)))]
    assert BOB in lone.router.mesh(TOPIC)
    assert len(lone.router.mesh(TOPIC)) == 6


def test_peers_no_better_than_the_mesh_are_not_grafted() -> None:
    lone = meshed(12)
    for peer in (BOB, CAROL, DAVE):
        lone.connect(peer)

    assert grafted(lone.beat(10 * OPPORTUNISTIC_HEARTBEATS)) == set()
