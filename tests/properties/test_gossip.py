"""Whatever happens, in whatever order, what must hold of a router holds."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    GossipAction,
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    Leave,
    Overflowed,
    PeerJoined,
    PeerLeft,
    Publish,
    Push,
    RpcReceived,
    Send,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import (
    MESHSUB_1_1,
    MESHSUB_1_2,
    PENDING_S,
    Degrees,
    GossipSettings,
)
from tests.swarm import OTHER_TOPIC, TOPIC, TOPICS, id_of

peers = st.sampled_from([PeerId(name) for name in "abcdefgh"])
topics = st.sampled_from([TOPIC, OTHER_TOPIC, "/no/such/topic", "é" * 100])
joinable = st.sampled_from([TOPIC, OTHER_TOPIC])
datas = st.sampled_from([b"1", b"2", b"3", b"." * 1024, b"." * 70_000])
ids = datas.map(id_of) | st.just(MessageId(b"short"))
id_lists = st.lists(ids, max_size=6).map(tuple)

rpcs = st.builds(
    Rpc,
    subscriptions=st.lists(
        st.builds(Subscription, topics, st.booleans()), max_size=3
    ).map(tuple),
    messages=st.lists(st.builds(Message, topics, datas, st.booleans()), max_size=3).map(
        tuple
    ),
    ihave=st.lists(st.builds(IHave, topics, id_lists), max_size=2).map(tuple),
    iwant=id_lists,
    graft=st.lists(topics, max_size=2).map(tuple),
    prune=st.lists(
        st.builds(Prune, topics, st.none() | st.integers(0, 2**64 - 1)), max_size=2
    ).map(tuple),
    idontwant=id_lists,
)

events = st.one_of(
    st.builds(RpcReceived, peers, rpcs),
    st.builds(RpcReceived, peers, rpcs),  # twice: it is most of what happens
    st.builds(
        PeerJoined, peers, st.sampled_from([MESHSUB_1_1, MESHSUB_1_2]), st.booleans()
    ),
    st.builds(PeerLeft, peers),
    st.builds(Join, joinable),
    st.builds(Leave, joinable),
    st.builds(Publish, joinable, datas.filter(lambda data: len(data) < 70_000)),
    st.builds(Judged, ids, st.sampled_from(Verdict)),
    st.builds(Overflowed, peers, topics),
    st.just(Heartbeat()),
)
steps = st.lists(st.tuples(events, st.floats(0, 40)), max_size=60)
choices = st.builds(
    GossipSettings,
    st.just(Degrees(3, 2, 4, 1)),
    st.just(Degrees(2, 1, 3, 1)),
    st.just(5),
    st.just(1),
    st.booleans(),
)


class Watch:
    """Follows a router from outside, and objects to what must not be."""

    def __init__(self) -> None:
        self.present: dict[PeerId, str] = {}
        self.heard_from: dict[MessageId, set[PeerId]] = {}
        self.pending: dict[MessageId, float] = {}

    def before(self, event: GossipEvent, now: float) -> None:
        match event:
            case Heartbeat():
                kept = {k: at for k, at in self.pending.items() if at > now - PENDING_S}
                self.pending = kept
            case PeerJoined(peer, protocol, _):
                self.present[peer] = protocol
            case PeerLeft(peer):
                self.present.pop(peer, None)
                for senders in self.heard_from.values():
                    senders.discard(peer)  # who comes back has forgotten
            case RpcReceived(peer, rpc) if peer in self.present:
                for message in rpc.messages:
                    sender = self.heard_from.setdefault(id_of(message.data), set())
                    sender.add(peer)
            case Judged(message_id, _):
                self.pending.pop(message_id, None)
            case _:
                pass

    def after(self, event: GossipEvent, action: GossipAction, now: float) -> None:
        match action:
            case Send(peer, rpc):
                assert peer in self.present
                assert rpc != Rpc()
                assert not rpc.messages
                assert rpc.is_within_limits()
                assert not rpc.idontwant or self.present[peer] == MESHSUB_1_2
                assert not {*rpc.iwant} & self.pending.keys()
            case Push(targets, _, message_id, data, asked):
                assert targets
                assert {*targets} <= self.present.keys()
                assert len({*targets}) == len(targets)
                assert message_id == id_of(data)
                if isinstance(event, Judged):
                    assert not self.heard_from[message_id] & {*targets}
                    assert event.verdict is Verdict.ACCEPT
                if asked:
                    assert isinstance(event, RpcReceived)
                    assert targets == (event.peer,)
            case Withdraw(peer, _):
                assert peer in self.present
            case Validate(peer, topic, message_id, data):
                # A verdict may hand it out again, where another topic is to be judged.
                assert isinstance(event, RpcReceived | Judged)
                if isinstance(event, RpcReceived):
                    assert peer == event.peer
                    assert Message(topic, data) in event.rpc.messages
                assert message_id not in self.pending
                self.pending[message_id] = now


def check_state(router: Gossip, watch: Watch, seen: int) -> None:
    stats = router.stats()
    present = set(watch.present)
    assert {peer.peer for peer in stats.peers} == present
    for topic in TOPICS:
        assert set(router.subscribers(topic)) <= present
        assert set(router.mesh(topic)) <= set(router.subscribers(topic))
        assert topic in router.topics or not router.mesh(topic)
    assert set().union(*(peer.topics for peer in stats.peers)) <= TOPICS
    assert stats.pending <= len(watch.pending)
    assert stats.seen <= seen
    assert stats.promises <= seen
    assert stats.backoffs <= len(TOPICS) * 8


@given(steps, choices, st.integers())
@settings(max_examples=300)
def test_any_sequence_of_events_keeps_a_router_sound(
    steps: list[tuple[GossipEvent, float]], choice: GossipSettings, seed: int
) -> None:
    router = Gossip(choice, random.Random(seed), TOPICS.__contains__)
    watch = Watch()
    now = 0.0
    for event, pause_s in steps:
        now += pause_s
        watch.before(event, now)
        for action in router.handle(event, now):
            watch.after(event, action, now)
        check_state(router, watch, seen=5)


@given(steps, st.integers())
@settings(max_examples=50)
def test_the_same_events_and_seed_give_the_same_actions(
    steps: list[tuple[GossipEvent, float]], seed: int
) -> None:
    def run() -> list[GossipAction]:
        router = Gossip(GossipSettings(), random.Random(seed), TOPICS.__contains__)
        now, actions = 0.0, []
        for event, pause_s in steps:
            now += pause_s
            actions += router.handle(event, now)
        return actions

    assert run() == run()
