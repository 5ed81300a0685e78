"""Messages reach everybody, whatever the shape of the network."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    Judged,
    Overflowed,
    Publish,
    Push,
    Validate,
)
from moltp2p.proto.gossip.rpc import Rpc
from moltp2p.proto.gossip.settings import Degrees, GossipSettings
from tests.swarm import OTHER_TOPIC, TOPIC, Swarm, id_of

SMALL_MESH = GossipSettings(
    degrees=Degrees(3, 2, 4, 1), small_degrees=Degrees(3, 2, 4, 1), flood_publish=False
)


def line(count: int) -> list[tuple[int, int]]:
    return [(number, number + 1) for number in range(count - 1)]


def star(count: int) -> list[tuple[int, int]]:
    return [(number, 0) for number in range(1, count)]


def tree(count: int) -> list[tuple[int, int]]:
    return [(number, (number - 1) // 2) for number in range(1, count)]


@pytest.mark.parametrize("each", [2, 8], ids=["sparse", "dense"])
@pytest.mark.parametrize("flood", [True, False], ids=["flood", "mesh-only"])
def test_everybody_in_a_random_network_gets_every_message_once(
    each: int, flood: bool
) -> None:
    swarm = Swarm(25, settings=GossipSettings(flood_publish=flood))
    swarm.connect_some(each)
    swarm.join()
    swarm.beat(3)

    for number in range(50):
        data = b"message %d" % number
        swarm.publish(swarm.names[number % 25], data)
        swarm.beat()  # whom nobody chose to push it to has been told of it

        assert swarm.missing(data, but=swarm.names[number % 25]) == []
    assert {n for node in swarm.nodes.values() for n in node.judged.values()} == {1}


@pytest.mark.parametrize(
    "edges", [line(15), star(15), tree(15)], ids=["line", "star", "tree"]
)
def test_messages_pass_many_hops(edges: list[tuple[int, int]]) -> None:
    swarm = Swarm(15)
    swarm.connect_edges(edges)
    swarm.join()
    swarm.beat(2)

    for name in swarm.names:
        swarm.publish(name, name.encode())
    swarm.beat(2)  # the middle of the star has two peers outside its mesh

    assert all(swarm.missing(name.encode(), but=name) == [] for name in swarm.names)


def test_the_mesh_settles_within_its_bounds() -> None:
    swarm = Swarm(30)
    swarm.connect_all()
    swarm.join()

    swarm.beat(5)

    degrees = GossipSettings().degrees
    assert min(swarm.mesh_sizes()) >= degrees.low
    assert max(swarm.mesh_sizes()) <= degrees.high


def test_mesh_links_are_mutual() -> None:
    swarm = Swarm(30)
    swarm.connect_all()
    swarm.join()
    swarm.beat(5)

    links = {(n, p) for n in swarm.names for p in swarm.nodes[n].router.mesh(TOPIC)}

    assert links == {(there, here) for here, there in links}


def test_a_late_joiner_gets_what_is_published_then() -> None:
    swarm = Swarm(10)
    swarm.connect_all()
    swarm.join()
    swarm.beat(2)

    late = PeerId("late")
    swarm.add(late)
    swarm.connect(late, swarm.names[0])
    swarm.join(names=[late])
    swarm.publish(swarm.names[5], b"now")
    swarm.beat()
    swarm.publish(swarm.names[6], b"then")

    assert swarm.has(late, b"now")
    assert swarm.has(late, b"then")


def test_a_late_joiner_is_told_what_was_published_just_before() -> None:
    swarm = Swarm(2)
    swarm.connect_all()
    swarm.join()
    swarm.publish(swarm.names[0], b"a moment ago")

    late = PeerId("late")
    swarm.add(late)
    swarm.join(names=[late])
    swarm.connect(late, swarm.names[0])
    swarm.beat()

    assert swarm.has(late, b"a moment ago")
    assert late in swarm.nodes[swarm.names[0]].router.mesh(TOPIC)


def test_who_has_not_joined_a_topic_gets_none_of_it() -> None:
    swarm = Swarm(3)
    swarm.connect_all()
    swarm.join(names=swarm.names[:2])

    swarm.publish(swarm.names[0], b"not for all")

    assert swarm.has(swarm.names[1], b"not for all")
    assert not swarm.has(swarm.names[2], b"not for all")


def test_flood_publishing_reaches_peers_outside_the_mesh() -> None:
    swarm = Swarm(25)
    swarm.connect_all()
    swarm.join()
    swarm.beat(2)
    name = swarm.names[0]

    swarm.publish(name, b"ours")

    assert set(swarm.nodes[name].pushes_of(b"ours")) == set(swarm.names[1:])
    assert len(swarm.nodes[name].router.mesh(TOPIC)) < 24


def test_who_publishes_without_joining_uses_a_fan_out_and_keeps_it() -> None:
    swarm = Swarm(10, settings=SMALL_MESH)
    swarm.connect_all()
    name = swarm.names[0]
    swarm.join(names=swarm.names[1:])
    swarm.beat()

    swarm.publish(name, b"one")
    swarm.beat()
    swarm.publish(name, b"two")

    pushes = swarm.nodes[name].pushes_of
    assert len(pushes(b"one")) == 3
    assert pushes(b"one") == pushes(b"two")
    assert swarm.missing(b"two", but=name) == []


def test_a_fan_out_replaces_who_left_and_is_forgotten_when_unused() -> None:
    swarm = Swarm(10, settings=SMALL_MESH)
    swarm.connect_all()
    name = swarm.names[0]
    swarm.join(names=swarm.names[1:])
    swarm.publish(name, b"one")
    first = swarm.nodes[name].pushes_of(b"one")

    swarm.disconnect(name, first[0])
    swarm.publish(name, b"two")
    second = swarm.nodes[name].pushes_of(b"two")
    swarm.beat(61)
    router = swarm.nodes[name].router

    assert len(second) == 3
    assert first[0] not in second
    assert list(router._links._fanouts) == []


def test_joining_turns_the_fan_out_into_the_mesh() -> None:
    swarm = Swarm(10, settings=SMALL_MESH)
    swarm.connect_all()
    name = swarm.names[0]
    swarm.join(names=swarm.names[1:])
    swarm.publish(name, b"one")
    fanout = swarm.nodes[name].pushes_of(b"one")

    swarm.join(names=[name])
    swarm.settle()

    assert set(fanout) <= set(swarm.nodes[name].router.mesh(TOPIC))


def test_ihave_recovers_a_push_that_was_lost() -> None:
    swarm = Swarm(30)
    swarm.connect_all()
    swarm.join()
    swarm.beat(3)
    unlucky = swarm.names[7]
    swarm.loses = lambda _, to, rpc: to == unlucky and bool(rpc.messages)
    swarm.publish(swarm.names[0], b"lost")
    assert not swarm.has(unlucky, b"lost")

    swarm.loses = lambda *_: False
    swarm.beat(3)

    assert swarm.has(unlucky, b"lost")


def test_a_message_dropped_for_want_of_room_is_announced_within_a_full_mesh() -> None:
    swarm = Swarm(2)
    swarm.connect_all()
    swarm.join()
    alice, bob = swarm.names
    swarm.loses = lambda _, to, rpc: to == bob and bool(rpc.messages)
    swarm.publish(alice, b"dropped")
    swarm.loses = lambda *_: False
    assert swarm.nodes[alice].router.mesh(TOPIC) == [bob]

    swarm.tell(alice, Overflowed(bob, TOPIC))
    swarm.beat()

    assert swarm.has(bob, b"dropped")


def test_losing_a_third_of_all_pushes_loses_no_message() -> None:
    swarm = Swarm(20)
    swarm.connect_some(6)
    swarm.join()
    swarm.beat(3)
    swarm.loses = lambda *way: bool(way[2].messages) and swarm.rng.random() < 1 / 3

    for number in range(30):
        swarm.publish(swarm.names[number % 20], b"%d" % number)
        swarm.beat()
    swarm.beat(10)

    lost = [n for n in range(30) if swarm.missing(b"%d" % n, but=swarm.names[n % 20])]
    assert lost == []


def test_a_message_goes_back_to_nobody_who_sent_it() -> None:
    swarm = Swarm(4)
    swarm.connect_all()
    swarm.join()
    alice, bob, carol, dave = swarm.names
    swarm.nodes[dave].judge = lambda _: None  # dave's judge takes its time
    swarm.publish(alice, b"hello")
    swarm.settle()

    actions = swarm.tell(dave, Judged(id_of(b"hello"), Verdict.ACCEPT))

    assert swarm.nodes[dave].heard_from[id_of(b"hello")] == {alice, bob, carol}
    assert actions == []


@pytest.mark.parametrize("verdict", [Verdict.IGNORE, Verdict.REJECT])
def test_what_is_not_accepted_is_neither_forwarded_nor_judged_again(
    verdict: Verdict,
) -> None:
    swarm = Swarm(3)
    swarm.connect_edges(line(3))
    swarm.join()
    swarm.settle()
    alice, bob, carol = swarm.names
    swarm.nodes[bob].judge = lambda _: verdict

    swarm.publish(alice, b"doubtful")
    swarm.publish(carol, b"doubtful")

    assert swarm.nodes[bob].judged == {b"doubtful": 1}
    assert swarm.nodes[bob].pushes_of(b"doubtful") == []


def test_everybody_who_sent_a_rejected_message_is_blamed_for_it() -> None:
    swarm = Swarm(3)
    swarm.connect_all()
    swarm.join()
    alice, bob, carol = swarm.names
    swarm.nodes[carol].judge = lambda _: None
    swarm.publish(alice, b"bad")

    swarm.tell(carol, Judged(id_of(b"bad"), Verdict.REJECT))

    peers = swarm.nodes[carol].router.stats().peers
    assert {each.peer: each.rejected for each in peers} == {alice: 1, bob: 1}


def test_a_message_is_not_judged_again_while_it_is_pending() -> None:
    swarm = Swarm(5)
    swarm.connect_all()
    swarm.join()
    last = swarm.names[-1]
    swarm.nodes[last].judge = lambda _: None

    swarm.publish(swarm.names[0], b"slowly")
    swarm.beat(3)

    assert swarm.nodes[last].judged == {b"slowly": 1}
    assert swarm.nodes[last].router.stats().pending == 1
    assert not [rpc for _, rpc in swarm.nodes[last].sent if rpc.iwant]


def test_a_verdict_that_never_comes_is_not_waited_for_for_ever() -> None:
    swarm = Swarm(2)
    swarm.connect_all()
    swarm.join()
    bob = swarm.names[1]
    swarm.nodes[bob].judge = lambda _: None
    swarm.publish(swarm.names[0], b"forgotten")

    swarm.beat(121)
    stats = swarm.nodes[bob].router.stats()
    late = swarm.tell(bob, Judged(id_of(b"forgotten"), Verdict.ACCEPT))

    assert (stats.pending, stats.drops["pending-expired"]) == (0, 1)
    assert late == []


def test_our_own_message_is_neither_judged_nor_published_twice() -> None:
    swarm = Swarm(2)
    swarm.connect_all()
    swarm.join()
    alice, bob = swarm.names
    swarm.publish(alice, b"hello")

    again = swarm.tell(alice, Publish(TOPIC, b"hello"))
    swarm.publish(bob, b"hello")

    assert again == []
    assert swarm.nodes[alice].judged == {}


def test_the_seen_window_ends() -> None:
    swarm = Swarm(2)
    swarm.connect_all()
    swarm.join()
    alice, bob = swarm.names
    swarm.publish(alice, b"hello")
    swarm.beat(121)

    swarm.publish(alice, b"hello")

    assert swarm.nodes[bob].judged == {b"hello": 2}


def test_topics_do_not_mix() -> None:
    swarm = Swarm(3)
    swarm.connect_all()
    swarm.join(TOPIC)
    swarm.join(OTHER_TOPIC)
    swarm.settle()

    actions = swarm.tell(swarm.names[0], Publish(OTHER_TOPIC, b"elsewhere"))

    assert [type(action) for action in actions] == [Push]
    assert [a.topic for a in actions if isinstance(a, Push)] == [OTHER_TOPIC]


def test_nodes_that_stop_and_rejoin_still_get_everything() -> None:
    swarm = Swarm(12)
    swarm.connect_some(4)
    swarm.join()
    swarm.beat(3)
    for name in swarm.names[:4]:
        swarm.leave(name)
    swarm.beat(2)

    swarm.join(names=swarm.names[:4])
    swarm.beat(15)
    swarm.publish(swarm.names[6], b"welcome back")

    assert swarm.missing(b"welcome back", but=swarm.names[6]) == []
    assert min(swarm.mesh_sizes()) >= 3


def test_the_same_seed_gives_the_same_actions() -> None:
    def run() -> list[tuple[PeerId, Rpc]]:
        swarm = Swarm(25, seed=7)
        swarm.connect_some(10)
        swarm.join()
        swarm.beat(3)
        swarm.publish(swarm.names[3], b"hello")
        swarm.beat(3)
        return [each for node in swarm.nodes.values() for each in node.sent]

    assert run() == run()


def test_only_validate_hands_out_a_message() -> None:
    swarm = Swarm(2)
    swarm.connect_all()
    swarm.join()
    bob = swarm.names[1]
    handed: list[Validate] = []

    def judge(validate: Validate) -> Verdict:
        handed.append(validate)
        return Verdict.ACCEPT

    swarm.nodes[bob].judge = judge
    swarm.publish(swarm.names[0], b"hello")

    assert handed == [Validate(swarm.names[0], TOPIC, id_of(b"hello"), b"hello")]
