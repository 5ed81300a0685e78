"""What happens to the router of spec 05's vectors, a step at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.topics import NetworkParams, all_topics
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    PeerJoined,
    RpcReceived,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import IHave, Message, Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_2, GossipSettings

NETWORK: Final = NetworkParams("test")
TOPIC, OTHER = all_topics(NETWORK)[:2]
BOB, CAROL, DAVE = map(PeerId, ("bob", "carol", "dave"))

Step = tuple[float, GossipEvent]
"""Seconds since the beginning, and what happens then."""

SUBSCRIBE: Final = Rpc((Subscription(TOPIC, subscribed=True),))
UNSUBSCRIBE: Final = Rpc((Subscription(TOPIC, subscribed=False),))
GRAFT: Final = Rpc(graft=(TOPIC,))
LARGE: Final = b"." * 1024


def new_router() -> Gossip:
    """Return the router that the cases of `route` begin with."""
    topics = frozenset(all_topics(NETWORK))
    dice = random.Random(0)  # noqa: S311 - no case leaves anything to them
    return Gossip(GossipSettings(), dice, topics.__contains__)


def id_of(data: bytes) -> MessageId:
    """Return a message's id."""
    return MessageId(sha256(data).digest())


def ids(count: int, first: int = 0) -> tuple[MessageId, ...]:
    """Return the ids of the messages `0`, `1`, … in decimal."""
    return tuple(id_of(b"%d" % number) for number in range(first, first + count))


def hear(at: float, peer: PeerId, rpc: Rpc) -> Step:
    """Let a peer say something."""
    return at, RpcReceived(peer, rpc)


def message(at: float, peer: PeerId, data: bytes, topic: str = TOPIC) -> Step:
    """Let a peer send a message."""
    return hear(at, peer, Rpc(messages=(Message(topic, data),)))


def judged(at: float, data: bytes, verdict: Verdict = Verdict.ACCEPT) -> Step:
    """Let the judge decide."""
    return at, Judged(id_of(data), verdict)


def ihave(at: float, peer: PeerId, *announced: MessageId) -> Step:
    """Let a peer announce messages."""
    return hear(at, peer, Rpc(ihave=(IHave(TOPIC, announced),)))


def beats(first: int, last: int) -> list[Step]:
    """Let heartbeats pass, both ends among them."""
    return [(float(at), Heartbeat()) for at in range(first, last + 1)]


def meshed(*peers: PeerId, protocol: str = MESHSUB_1_2) -> list[Step]:
    """Join the topic, and let peers that dialled us into its mesh."""
    steps: list[Step] = [(0.0, Join(TOPIC))]
    for peer in peers:
        steps.append((0.0, PeerJoined(peer, protocol, outbound=False)))
        steps.append(hear(0.0, peer, SUBSCRIBE))
    return steps


@dataclass(frozen=True, slots=True)
class Scene:
    """One case of `route`."""

    name: str
    steps: Sequence[Step]
    note: str = ""
