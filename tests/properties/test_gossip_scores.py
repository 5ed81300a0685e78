"""Whatever peers do, in whatever order, their scores decide what they may do."""

from __future__ import annotations

import ipaddress
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.address import IpAddress
from moltp2p.proto.gossip.events import (
    Faulted,
    GossipAction,
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    PeerJoined,
    PeerLeft,
    Publish,
    Push,
    RpcReceived,
    Send,
    Validate,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import IHave, Message, Rpc, Subscription
from moltp2p.proto.gossip.score_settings import (
    GOSSIP_THRESHOLD,
    GRAYLIST_THRESHOLD,
    MAX_CREDIT,
    PUBLISH_THRESHOLD,
)
from moltp2p.proto.gossip.settings import (
    MESHSUB_1_2,
    OPPORTUNISTIC_PEERS,
    Degrees,
    GossipSettings,
)
from moltp2p.proto.gossip.standing import ScoreParts
from tests.properties.test_gossip import peers, rpcs
from tests.swarm import OTHER_TOPIC, TOPIC, TOPICS, id_of

DEGREES = Degrees(3, 2, 4, 1, 2)
SETTINGS = GossipSettings(DEGREES, DEGREES, lazy=2)

SUBSCRIBE = Rpc((Subscription(TOPIC, True), Subscription(OTHER_TOPIC, True)))

SHARED = ipaddress.ip_address("198.51.100.7")
ips = st.sampled_from([SHARED, SHARED, ipaddress.ip_address("2001:db8::1"), None])
datas = st.sampled_from([b"%d" % number for number in range(8)])
topics = st.sampled_from([TOPIC, OTHER_TOPIC])


def said(peer: PeerId, topic: str, data: bytes) -> RpcReceived:
    return RpcReceived(peer, Rpc(messages=(Message(topic, data),)))


def judged(
    peer: PeerId, topic: str, data: bytes, verdict: Verdict, forward: bool
) -> list[GossipEvent]:
    return [said(peer, topic, data), Judged(id_of(data), verdict, forward)]


def came(peer: PeerId, ip: IpAddress | None, outbound: bool) -> list[GossipEvent]:
    joined = PeerJoined(peer, MESHSUB_1_2, outbound, ip)
    return [joined, RpcReceived(peer, SUBSCRIBE)]


def one(events: st.SearchStrategy[GossipEvent]) -> st.SearchStrategy[list[GossipEvent]]:
    return events.map(lambda event: [event])


verdicts = st.sampled_from([Verdict.ACCEPT, Verdict.IGNORE, *[Verdict.REJECT] * 3])
announcements = st.builds(IHave, topics, st.lists(datas.map(id_of)).map(tuple))
graft = Rpc(graft=(TOPIC, OTHER_TOPIC))
deeds = st.one_of(
    st.builds(judged, peers, topics, datas, verdicts, st.booleans()),
    st.builds(came, peers, ips, st.booleans()),
    one(st.builds(said, peers, topics, datas)),
    one(st.builds(RpcReceived, peers, rpcs)),
    one(st.builds(RpcReceived, peers, st.just(graft))),
    one(
        st.builds(
            RpcReceived,
            peers,
            st.builds(
                Rpc,
                ihave=announcements.map(lambda each: (each,)),
                iwant=st.lists(datas.map(id_of)).map(tuple),
            ),
        )
    ),
    one(st.builds(PeerLeft, peers)),
    one(st.builds(Faulted, peers, st.integers(1, 30))),
    one(st.builds(Publish, topics, datas)),
    one(st.just(Heartbeat())),
)
steps = st.lists(st.tuples(deeds, st.sampled_from([0.0, 0.5, 1.0, 20.0])), max_size=60)


class Watch:
    """Follows the scores of a router's peers."""

    def __init__(self, router: Gossip) -> None:
        self.router = router
        self.before = self.scores()

    def scores(self) -> dict[PeerId, ScoreParts]:
        return {peer.peer: peer.score for peer in self.router.stats().peers}

    def after(self, event: GossipEvent, actions: list[GossipAction]) -> None:
        scores = self.scores()
        for action in actions:
            self.check_action(event, action, scores)
        for parts in scores.values():
            check_parts(parts)
        match event:
            case RpcReceived(peer, _) if peer in self.before:
                if self.before[peer].score < GRAYLIST_THRESHOLD:
                    assert actions == []
            case Heartbeat():
                self.check_meshes(scores)
            case _:
                pass
        if not isinstance(event, Heartbeat | PeerJoined | PeerLeft):
            for peer, parts in scores.items():
                assert parts.blame <= self.before[peer].blame
        self.before = scores

    def check_action(
        self, event: GossipEvent, action: GossipAction, scores: dict[PeerId, ScoreParts]
    ) -> None:
        match action:
            case Send(peer, rpc):
                if rpc.graft:
                    assert scores[peer].score >= 0
                if rpc.ihave or rpc.iwant:
                    assert scores[peer].score >= GOSSIP_THRESHOLD
            case Push(targets, _, _, _, _):
                check_push(event, min(scores[peer].score for peer in targets))
            case Validate(peer, _, _, _) if isinstance(event, RpcReceived):
                assert self.before[peer].score >= PUBLISH_THRESHOLD
            case _:
                pass

    def check_meshes(self, scores: dict[PeerId, ScoreParts]) -> None:
        for topic in TOPICS:
            mesh = self.router.mesh(topic)
            assert all(scores[peer].score >= 0 for peer in mesh)
            # Besides D_hi, peers we dialled are grafted, and let in when they graft.
            assert len(mesh) <= DEGREES.high + DEGREES.outbound + OPPORTUNISTIC_PEERS


def check_push(event: GossipEvent, worst: float) -> None:
    match event:
        case RpcReceived():  # asked for
            assert worst >= GOSSIP_THRESHOLD
        case Publish():
            assert worst >= PUBLISH_THRESHOLD
        case Judged(forward=forward):
            assert forward
        case _:
            raise AssertionError(f"{event} is no reason to push")


def check_parts(parts: ScoreParts) -> None:
    blames = parts.invalid, parts.faults, parts.colocation, parts.behaviour
    assert all(blame <= 0 for blame in blames)
    assert parts.blame == sum(blames)
    assert 0 <= parts.credit <= min(MAX_CREDIT, sum(parts.topics.values()) + 1e-9)
    if parts.blame < 0:
        assert parts.score == parts.blame
    else:  # credit shows from the next heartbeat on
        assert 0 <= parts.score <= parts.credit + 1e-9


@given(steps, st.integers())
@settings(max_examples=300)
def test_scores_decide_what_peers_may_do(
    steps: list[tuple[list[GossipEvent], float]], seed: int
) -> None:
    router = Gossip(SETTINGS, random.Random(seed), TOPICS.__contains__)
    now = 0.0
    for topic in (TOPIC, OTHER_TOPIC):
        router.handle(Join(topic), now)
    for name in "abcdefgh":
        for event in came(PeerId(name), SHARED if name > "c" else None, name < "d"):
            router.handle(event, now)
    watch = Watch(router)
    for events, pause_s in steps:
        now += pause_s
        for event in events:
            watch.after(event, router.handle(event, now))
