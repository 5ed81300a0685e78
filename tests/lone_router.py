"""One router, and peers that say whatever a test lets them say."""

from __future__ import annotations

import random

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    GossipAction,
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    PeerJoined,
    Push,
    RpcReceived,
    Send,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import (
    HEARTBEAT_S,
    MESHSUB_1_2,
    Degrees,
    GossipSettings,
)
from tests.swarm import TOPIC, TOPICS, id_of

SUBSCRIBE = Rpc(subscriptions=(Subscription(TOPIC, subscribed=True),))
UNSUBSCRIBE = Rpc(subscriptions=(Subscription(TOPIC, subscribed=False),))

BOB = PeerId("bob")
CAROL = PeerId("carol")
DAVE = PeerId("dave")

NO_MESH = GossipSettings(
    Degrees(0, 0, 12, 0), Degrees(0, 0, 12, 0), flood_publish=False
)
"""A router that pushes to nobody."""


class LoneRouter:
    """A router that has joined `TOPIC`, and a clock.

    Args:
        peers: who is connected and subscribed from the start, as inbound peers.
        settings: the router's.
        seed: of its dice.
    """

    def __init__(
        self,
        *peers: PeerId,
        settings: GossipSettings | None = None,
        seed: int = 1,
    ) -> None:
        self.now = 1000.0
        self.router = Gossip(
            settings or GossipSettings(), random.Random(seed), TOPICS.__contains__
        )
        self.tell(Join(TOPIC))
        for peer in peers:
            self.connect(peer)

    def connect(
        self, peer: PeerId, protocol: str = MESHSUB_1_2, *, outbound: bool = False
    ) -> None:
        """Let a peer connect and subscribe."""
        self.tell(PeerJoined(peer, protocol, outbound))
        self.hear(peer, SUBSCRIBE)

    def tell(self, event: GossipEvent) -> list[GossipAction]:
        """Give the router an event; return its actions."""
        return self.router.handle(event, self.now)

    def hear(self, peer: PeerId, rpc: Rpc) -> list[GossipAction]:
        """Let the router hear an RPC; return its actions."""
        return self.tell(RpcReceived(peer, rpc))

    def beat(self, times: int = 1) -> list[GossipAction]:
        """Let heartbeats pass; return the actions of all of them."""
        actions = []
        for _ in range(times):
            self.now += HEARTBEAT_S
            actions += self.tell(Heartbeat())
        return actions

    def drops(self) -> dict[str, int]:
        """Return what was dropped, by cause."""
        return dict(self.router.stats().drops)


def rpcs_to(peer: PeerId, actions: list[GossipAction]) -> list[Rpc]:
    """Return the control sent to a peer, in order."""
    return [a.rpc for a in actions if isinstance(a, Send) and a.peer == peer]


def ids(count: int, start: int = 0) -> tuple[MessageId, ...]:
    """Return the ids of the messages `0`, `1`, … in decimal."""
    return tuple(id_of(b"%d" % number) for number in range(start, start + count))


def ihave(*announced: MessageId, topic: str = TOPIC) -> Rpc:
    """Return an RPC that announces."""
    return Rpc(ihave=(IHave(topic, announced),))


def message(data: bytes) -> Rpc:
    """Return an RPC of one message."""
    return Rpc(messages=(Message(TOPIC, data),))


def peers(count: int) -> list[PeerId]:
    """Return so many peers, p00 the first of them."""
    return [PeerId(f"p{number:02}") for number in range(count)]


def meshed(count: int, settings: GossipSettings | None = None) -> LoneRouter:
    """Return a router with so many peers in its mesh, that all asked to be there."""
    lone = LoneRouter(*peers(count), settings=settings)
    for peer in peers(count):
        lone.hear(peer, Rpc(graft=(TOPIC,)))
    assert len(lone.router.mesh(TOPIC)) == count
    return lone


def bring(
    lone: LoneRouter, peer: PeerId, data: bytes, verdict: Verdict = Verdict.ACCEPT
) -> list[GossipAction]:
    """Let a peer bring a message, and the judge decide."""
    lone.hear(peer, Rpc(messages=(Message(TOPIC, data),)))
    return lone.tell(Judged(id_of(data), verdict))


def to_score(lone: LoneRouter, peer: PeerId, means: str) -> None:
    """Bring a peer's score below a threshold, and not the next."""
    offences = {"kept-out": 9, "no-gossip": 14, "no-messages": 19, "graylisted": 25}
    lone.hear(peer, Rpc(prune=(Prune(TOPIC, 60),)))
    for _ in range(offences[means]):
        lone.hear(peer, Rpc(graft=(TOPIC,)))
    explained = lone.router.explain(peer)
    assert explained
    assert explained.means == means


def pushed_to(actions: list[GossipAction]) -> set[PeerId]:
    """Return whom messages are pushed to."""
    return {peer for each in actions if isinstance(each, Push) for peer in each.peers}


def announced_to(actions: list[GossipAction]) -> set[PeerId]:
    """Return who is told what there is."""
    return {each.peer for each in actions if isinstance(each, Send) and each.rpc.ihave}
