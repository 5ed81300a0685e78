"""Messages through whole networks: go-libp2p-pubsub's topologies, with scores on."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.events import PeerJoined
from moltp2p.proto.gossip.rpc import Prune
from moltp2p.proto.gossip.settings import MESHSUB_1_1, MESHSUB_1_2
from tests.lone_router import LoneRouter
from tests.swarm import OTHER_TOPIC, TOPIC, Swarm


def reaches_all(swarm: Swarm, times: int = 20) -> bool:
    """Let nodes publish in turn; return whether everybody got everything."""
    names = swarm.names
    datas = {b"message %d" % n: names[n % len(names)] for n in range(times)}
    for data, name in datas.items():
        swarm.publish(name, data)
    swarm.beat(4)
    return not any(swarm.missing(data, but=name) for data, name in datas.items())


def blames(swarm: Swarm) -> set[float]:
    """Return the blame that anybody lays on anybody."""
    return {
        peer.score.blame
        for node in swarm.nodes.values()
        for peer in node.router.stats().peers
    }


@pytest.mark.parametrize("each", [3, 10], ids=["sparse", "dense"])
@pytest.mark.parametrize("seed", range(3))
def test_everybody_hears_everybody_and_nobody_is_blamed(each: int, seed: int) -> None:
    swarm = Swarm(20, seed)
    swarm.connect_some(each)
    swarm.join()
    swarm.beat(3)

    assert reaches_all(swarm)
    assert blames(swarm) == {0}


@pytest.mark.slow
def test_those_with_many_connections_keep_a_mesh_within_its_bounds() -> None:
    swarm = Swarm(40)
    swarm.connect_all()
    swarm.join()
    swarm.beat(70)  # past a backoff, and an opportunistic graft

    assert min(swarm.mesh_sizes()) >= 6
    assert max(swarm.mesh_sizes()) <= 15
    assert reaches_all(swarm)
    assert blames(swarm) == {0}


def test_peers_of_the_old_and_the_new_protocol_hear_each_other() -> None:
    swarm = Swarm(20)
    names = swarm.names
    for number, name in enumerate(names):
        for step in (1, 2, 5):
            other = names[(number + step) % 20]
            swarm.nodes[name].peers[other] = swarm.nodes[other].peers[name] = None
            for here, there, outbound in ((name, other, True), (other, name, False)):
                old = names.index(there) % 2
                protocol = MESHSUB_1_1 if old else MESHSUB_1_2
                swarm.tell(here, PeerJoined(there, protocol, outbound))
    swarm.join()
    swarm.beat(3)
    swarm.publish(names[0], b"." * 2000)
    swarm.beat(2)

    assert swarm.missing(b"." * 2000, but=names[0]) == []
    assert not any(
        rpc.idontwant
        for node in swarm.nodes.values()
        for number, peer in enumerate(names)
        for rpc in node.sent_to(peer)
        if number % 2
    )


def test_half_the_nodes_leave_and_the_rest_hear_everything() -> None:
    swarm = Swarm(20)
    swarm.connect_some(6)
    swarm.join()
    swarm.beat(3)
    leavers = swarm.names[::2]
    for name in leavers:
        for peer in list(swarm.nodes[name].peers):
            swarm.disconnect(name, peer)
        del swarm.nodes[name]
    for number, name in enumerate(swarm.names):
        swarm.connect(name, swarm.names[number - 1])
    swarm.beat(3)

    assert reaches_all(swarm)
    assert blames(swarm) == {0}


def test_a_peer_that_grafts_on_two_topics_is_in_both_meshes() -> None:
    swarm = Swarm(2)
    one, two = swarm.names
    swarm.connect(one, two)
    swarm.join(TOPIC)
    swarm.join(OTHER_TOPIC)
    swarm.settle()

    assert swarm.nodes[two].router.mesh(TOPIC) == [one]
    assert swarm.nodes[two].router.mesh(OTHER_TOPIC) == [one]


def test_no_prune_of_ours_offers_peers() -> None:
    swarm = Swarm(30)
    for name in swarm.names[1:]:
        swarm.connect(name, swarm.names[0])  # a star, with peer exchange off
    swarm.join()
    swarm.beat(3)

    prunes = [
        prune
        for peer in swarm.names[1:]
        for rpc in swarm.nodes[swarm.names[0]].sent_to(peer)
        for prune in rpc.prune
    ]
    assert prunes
    assert set(prunes) == {Prune(TOPIC, 60)}


def test_there_are_enough_peers_once_they_have_subscribed() -> None:
    names = [PeerId(f"p{number}") for number in range(6)]

    alone, among = LoneRouter(), LoneRouter(*names)

    assert alone.router.publish_targets(TOPIC, alone.now) == []
    assert among.router.publish_targets(TOPIC, among.now) == names
