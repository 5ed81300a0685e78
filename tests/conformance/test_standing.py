"""What a score lets a peer do: rust-libp2p's scoring cases, and go's."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    Faulted,
    Heartbeat,
    Join,
    Judged,
    PeerLeft,
    Publish,
    Send,
    Validate,
)
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import (
    OPPORTUNISTIC_HEARTBEATS,
    GossipSettings,
)
from moltp2p.proto.ratelimit import Rate
from tests.lone_router import (
    BOB,
    CAROL,
    DAVE,
    UNSUBSCRIBE,
    LoneRouter,
    announced_to,
    bring,
    meshed,
    peers,
    pushed_to,
    rpcs_to,
    to_score,
)
from tests.swarm import OTHER_TOPIC, TOPIC, Swarm, id_of

# Gossip.

NO_FLOOD = GossipSettings(flood_publish=False)


def test_nobody_below_the_gossip_threshold_is_told_what_there_is() -> None:
    lone = meshed(12)
    for peer in (BOB, CAROL):
        lone.connect(peer)
    lone.beat(2)
    to_score(lone, BOB, "no-gossip")
    to_score(lone, CAROL, "kept-out")
    bring(lone, peers(12)[0], b"0")

    told = announced_to(lone.beat(3))

    assert told & {BOB, CAROL} == {CAROL}


def test_an_iwant_from_below_the_gossip_threshold_is_ignored() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.tell(Publish(TOPIC, b"0"))
    to_score(lone, BOB, "no-gossip")
    to_score(lone, CAROL, "kept-out")
    iwant = Rpc(iwant=(id_of(b"0"),))

    assert lone.hear(BOB, iwant) == []
    assert pushed_to(lone.hear(CAROL, iwant)) == {CAROL}
    assert lone.drops()["gossip-by-score"] == 1


def test_an_ihave_from_below_the_gossip_threshold_is_ignored() -> None:
    lone = LoneRouter(BOB, CAROL)
    to_score(lone, BOB, "no-gossip")
    to_score(lone, CAROL, "kept-out")
    ihave = Rpc(ihave=(IHave(TOPIC, (id_of(b"0"),)),))

    assert lone.hear(BOB, ihave) == []
    assert lone.hear(CAROL, ihave) == [Send(CAROL, Rpc(iwant=(id_of(b"0"),)))]


def test_nobody_below_the_gossip_threshold_is_asked_instead_of_another() -> None:
    lone = LoneRouter(BOB, CAROL, DAVE)
    for peer in (BOB, CAROL, DAVE):
        lone.hear(peer, Rpc(ihave=(IHave(TOPIC, (id_of(b"0"),)),)))
    to_score(lone, CAROL, "no-gossip")

    asked = [a.peer for a in lone.beat(4) if isinstance(a, Send) and a.rpc.iwant]

    assert asked == [DAVE]


# Messages.


def test_our_own_messages_are_not_flooded_to_peers_below_the_publish_threshold() -> (
    None
):
    lone = LoneRouter(BOB, CAROL)
    to_score(lone, BOB, "no-messages")
    to_score(lone, CAROL, "no-gossip")

    assert pushed_to(lone.tell(Publish(TOPIC, b"0"))) == {CAROL}


def test_a_fan_out_has_no_peers_below_the_publish_threshold() -> None:
    lone = LoneRouter(settings=NO_FLOOD)
    for peer in (BOB, CAROL):
        lone.connect(peer)
        lone.hear(peer, Rpc((Subscription(OTHER_TOPIC, subscribed=True),)))
    before = pushed_to(lone.tell(Publish(OTHER_TOPIC, b"0")))
    to_score(lone, BOB, "no-messages")

    after = pushed_to(lone.tell(Publish(OTHER_TOPIC, b"1")))

    assert before == {BOB, CAROL}
    assert after == {CAROL}


def test_messages_from_below_the_publish_threshold_are_not_judged() -> None:
    lone = LoneRouter(BOB, CAROL)
    to_score(lone, BOB, "no-messages")
    to_score(lone, CAROL, "no-gossip")
    message = Rpc(messages=(Message(TOPIC, b"0"),))

    assert lone.hear(BOB, message) == []
    assert len(lone.hear(CAROL, message)) == 1
    assert lone.drops()["message-by-score"] == 1


def test_nothing_from_below_the_graylist_threshold_is_read() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Publish(TOPIC, b"0"))
    to_score(lone, BOB, "graylisted")
    everything = Rpc(
        (Subscription(OTHER_TOPIC, subscribed=True),),
        (Message(TOPIC, b"1"),),
        (IHave(TOPIC, (id_of(b"2"),)),),
        (id_of(b"0"),),
        (TOPIC,),
        (Prune(TOPIC, 1),),
        (id_of(b"3"),),
    )
    before = lone.router.stats()

    assert lone.hear(BOB, everything) == []
    after = lone.router.stats()
    assert after.tally == before.tally
    assert (after.backoffs, after.promises) == (before.backoffs, before.promises)
    assert lone.router.topics_of(BOB) == [TOPIC]


def test_a_graylisted_peer_may_still_say_that_it_leaves() -> None:
    lone = LoneRouter(BOB)
    to_score(lone, BOB, "graylisted")

    lone.hear(BOB, UNSUBSCRIBE)

    assert lone.router.topics_of(BOB) == []


def test_a_graylisted_peer_is_heard_again_once_its_blame_has_faded() -> None:
    lone = LoneRouter(BOB)
    to_score(lone, BOB, "graylisted")

    lone.beat(120)

    assert not lone.router.is_graylisted(BOB)


# Verdicts.


def test_valid_messages_cost_nothing() -> None:
    lone = LoneRouter(BOB)

    bring(lone, BOB, b"0")
    lone.beat()

    assert lone.router.score(BOB) > 0.4


def test_ignored_messages_cost_nothing_and_earn_nothing() -> None:
    lone = LoneRouter(BOB)
    for number in range(100):
        bring(lone, BOB, b"%d" % number, Verdict.IGNORE)
    lone.beat()

    explained = lone.router.explain(BOB)
    assert explained
    assert explained.blame == 0
    assert explained.credit < 0.001


def test_needless_messages_cost_a_little() -> None:
    lone = LoneRouter(BOB)
    for number in range(7):
        data = b"%d" % number
        lone.hear(BOB, Rpc(messages=(Message(TOPIC, data),)))
        lone.tell(Judged(id_of(data), Verdict.IGNORE, needless=True))

    assert lone.router.score(BOB) == -40


def test_all_who_send_an_invalid_message_are_to_blame() -> None:
    lone = LoneRouter(BOB, CAROL, DAVE)
    message = Rpc(messages=(Message(TOPIC, b"0"),))
    lone.hear(BOB, message)
    lone.hear(CAROL, message)
    lone.tell(Judged(id_of(b"0"), Verdict.REJECT))
    lone.hear(DAVE, message)

    assert [lone.router.score(p) for p in (BOB, CAROL, DAVE)] == [-1000] * 3


def test_three_invalid_messages_cost_nine_times_one() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, Rpc(messages=tuple(Message(TOPIC, b"%d" % n) for n in range(3))))
    for number in range(3):
        lone.tell(Judged(id_of(b"%d" % number), Verdict.REJECT))

    assert lone.router.score(BOB) == -9000


def test_our_own_message_coming_back_costs_nothing() -> None:
    lone = LoneRouter(BOB)
    lone.tell(Publish(TOPIC, b"0"))

    bring(lone, BOB, b"0", Verdict.REJECT)

    assert lone.router.score(BOB) == 0


def test_only_the_first_to_bring_a_message_earns_by_it() -> None:
    lone = LoneRouter(BOB, CAROL)
    message = Rpc(messages=(Message(TOPIC, b"0"),))
    lone.hear(BOB, message)
    lone.hear(CAROL, message)
    lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT))
    lone.hear(CAROL, message)
    lone.beat()

    assert lone.router.score(BOB) > 0.4
    assert lone.router.score(CAROL) < 0.001


# A record on the wrong topic.


def test_a_message_refused_on_one_topic_is_taken_on_another() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.tell(Join(OTHER_TOPIC))
    lone.hear(BOB, Rpc(messages=(Message(OTHER_TOPIC, b"0"),)))
    lone.tell(Judged(id_of(b"0"), Verdict.REJECT))

    bring(lone, CAROL, b"0")

    assert lone.router.score(BOB) == -1000
    assert lone.router.score(CAROL) == 0
    assert lone.router.stats().tally.accepted == 1


def test_a_message_at_the_judge_for_a_wrong_topic_is_judged_for_the_right_one() -> None:
    lone = LoneRouter(BOB, CAROL, DAVE)
    lone.tell(Join(OTHER_TOPIC))
    lone.hear(BOB, Rpc(messages=(Message(OTHER_TOPIC, b"0"),)))
    lone.hear(CAROL, Rpc(messages=(Message(TOPIC, b"0"),)))

    again = lone.tell(Judged(id_of(b"0"), Verdict.REJECT))
    pushed = lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT))

    assert again == [Validate(CAROL, TOPIC, id_of(b"0"), b"0")]
    assert pushed_to(pushed) == {DAVE}
    assert [lone.router.score(p) for p in (BOB, CAROL)] == [-1000, 0]


# Rates.


def test_what_a_peer_brings_beyond_its_rate_is_announced_and_not_pushed() -> None:
    slow = GossipSettings(peer_rate=Rate(per_s=1, burst=3))
    lone = LoneRouter(BOB, CAROL, settings=slow)
    lone.beat(2)

    pushed = [bool(bring(lone, BOB, b"%d" % number)) for number in range(6)]
    announced = [key for rpc in rpcs_to(CAROL, lone.beat(3)) for key in rpc.ihave]

    assert pushed == [True] * 3 + [False] * 3
    assert lone.router.stats().tally.announced_only == 3
    assert announced == []  # carol is in the mesh, and is owed nothing


def test_what_is_not_to_be_passed_on_is_neither_pushed_nor_announced() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(BOB, Rpc(messages=(Message(TOPIC, b"0"),)))

    pushed = lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT, forward=False))
    announced = lone.beat(3)

    assert pushed == announced == []
    assert lone.hear(CAROL, Rpc(iwant=(id_of(b"0"),))) == []
    assert lone.router.stats().tally.held_back == 1


# Coming back.


def test_a_score_below_zero_is_the_same_after_a_reconnection() -> None:
    lone = LoneRouter(BOB)
    bring(lone, BOB, b"0", Verdict.REJECT)
    lone.tell(PeerLeft(BOB))
    lone.beat(10)
    lone.connect(BOB)

    assert lone.router.score(BOB) == -1000
    assert lone.router.stats().blamed == 0


def test_leaving_before_the_verdict_is_no_way_around_it() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, Rpc(messages=(Message(TOPIC, b"0"),)))
    lone.tell(PeerLeft(BOB))
    lone.tell(Judged(id_of(b"0"), Verdict.REJECT))
    lone.connect(BOB)

    assert lone.router.score(BOB) == -1000


# Whole networks.


def test_a_peer_that_everybody_scores_badly_is_alone() -> None:
    swarm = Swarm(20)
    swarm.connect_all()
    swarm.join()
    sinner = swarm.names[0]
    for name in swarm.names[1:]:
        swarm.tell(name, Faulted(sinner, 25))
    swarm.beat(3)

    swarm.publish(swarm.names[1], b"hello")
    swarm.beat(5)

    assert swarm.missing(b"hello", but=swarm.names[1]) == []
    assert all(sinner not in swarm.nodes[n].router.mesh(TOPIC) for n in swarm.names)
    assert all(
        not swarm.nodes[n].pushes_of(b"hello").count(sinner) for n in swarm.names[2:]
    )


@pytest.mark.slow
def test_an_honest_mesh_grows_back_among_squatters() -> None:
    """Ten honest nodes, and forty Sybils that sit in meshes and pass on nothing."""
    swarm = Swarm(10)
    honest = swarm.names
    squatters = [PeerId(f"s{number:02}") for number in range(40)]
    for name in squatters:
        swarm.add(name)
        for other in honest:
            swarm.connect(name, other)
    swarm.loses = lambda sender, _to, rpc: (
        sender in squatters and bool(rpc.messages or rpc.ihave)
    )
    swarm.join(names=squatters)
    for number, name in enumerate(honest):
        for step in (1, 2, 3):
            swarm.connect(name, honest[(number + step) % 10])
    swarm.join(names=honest)

    def honest_links() -> list[int]:
        routers = [swarm.nodes[name].router for name in honest]
        return [len(set(router.mesh(TOPIC)) & set(honest)) for router in routers]

    swarm.beat(OPPORTUNISTIC_HEARTBEATS // 2)
    squatted = honest_links()
    for beat in range(OPPORTUNISTIC_HEARTBEATS // 2 + 4):  # past the first backoff
        for number in range(2):
            swarm.publish(honest[(beat + number) % 10], b"%d %d" % (beat, number))
        swarm.beat()

    assert min(squatted) < 6
    assert honest_links() == [6] * 10  # all that they are connected to


def test_a_heartbeat_of_a_lone_router_changes_nobodys_score() -> None:
    lone = LoneRouter()

    assert lone.tell(Heartbeat()) == []
    assert lone.router.score(BOB) == 0
    assert lone.router.explain(BOB) is None
