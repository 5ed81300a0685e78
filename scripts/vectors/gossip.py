"""Vectors of spec 05: topics, RPCs on the wire, and a router's answers.

| op | input → output |
|---|---|
| `topic` | network, shards, community or null → topic |
| `rpc` | bytes → RPC |
| `route` | steps: what happens to a router, and what it does |

A router of `route` begins with nobody connected, on the network `test`, and knows
no other topics than that network's. No case leaves it a choice. Actions for
different peers may come in any order; what else stands in `actions` is complete.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from libp2p.pubsub.pb import rpc_pb2 as pb

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.topics import NetworkParams, all_topics, topic_of
from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.rpc_codec import encode_rpc
from moltp2p.proto.gossip.events import (
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    Leave,
    Overflowed,
    PeerJoined,
    PeerLeft,
    Publish,
    RpcReceived,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_1, MESHSUB_1_2, GossipSettings
from scripts.vectors.form import Case, spell
from scripts.vectors.gossip_form import spell_action, spell_event, spell_rpc

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


def _messages() -> list[Scene]:
    oversized = b"." * 66_561
    signed = Rpc(messages=(Message(TOPIC, b"0", stamped=True),))
    return [
        Scene("signed-message-dropped", [*meshed(BOB), hear(1, BOB, signed)]),
        Scene("oversized-message-dropped", [*meshed(BOB), message(1, BOB, oversized)]),
        Scene("largest-message", [*meshed(BOB), message(1, BOB, oversized[1:])]),
        Scene(
            "message-for-a-topic-not-joined",
            [*meshed(BOB), message(1, BOB, b"0", OTHER)],
        ),
        Scene(
            "duplicate-while-pending",
            [*meshed(BOB, CAROL), message(1, BOB, b"0"), message(1, CAROL, b"0")],
        ),
        Scene(
            "duplicate-after-verdict",
            [
                *meshed(BOB, CAROL, DAVE),
                message(1, BOB, b"0"),
                judged(1, b"0"),
                message(2, CAROL, b"0"),
            ],
            "carol has it: what is queued for her can be taken back",
        ),
        Scene(
            "too-many-messages",
            [
                *meshed(BOB),
                hear(1, BOB, Rpc(messages=(Message(TOPIC, b"0"),) * 65)),
            ],
        ),
    ]


def _verdicts() -> list[Scene]:
    return [
        Scene(
            "accepted-goes-to-the-mesh",
            [*meshed(BOB, CAROL, DAVE), message(1, BOB, b"0"), judged(1, b"0")],
        ),
        Scene(
            "ignored-and-rejected-stay",
            [
                *meshed(BOB, CAROL),
                message(1, BOB, b"0"),
                judged(1, b"0", Verdict.IGNORE),
                message(2, BOB, b"1"),
                judged(2, b"1", Verdict.REJECT),
            ],
        ),
        Scene(
            "no-echo",
            [
                *meshed(BOB, CAROL, DAVE),
                message(1, BOB, b"0"),
                message(1, CAROL, b"0"),
                judged(1, b"0"),
            ],
            "bob and carol have both sent it",
        ),
        Scene(
            "own-message-to-everybody",
            [
                *meshed(BOB),
                (1, Leave(TOPIC)),
                (1, Publish(TOPIC, b"0")),
                message(2, BOB, b"0"),
            ],
            "to all who subscribed, whether we did or not",
        ),
    ]


def _links() -> list[Scene]:
    prune = Rpc(prune=(Prune(TOPIC, 60),))
    return [
        Scene("graft-on-subscribe", meshed(BOB)),
        Scene(
            "graft-of-unknown-topic",
            [*meshed(BOB), hear(1, BOB, Rpc(graft=(OTHER,)))],
        ),
        Scene(
            "graft-without-subscription",
            [
                (0, Join(TOPIC)),
                (0, PeerJoined(BOB, MESHSUB_1_1, outbound=False)),
                hear(0, BOB, GRAFT),
            ],
        ),
        Scene(
            "graft-in-backoff",
            [
                *meshed(BOB),
                hear(1, BOB, prune),
                hear(31, BOB, GRAFT),
                hear(90.999, BOB, GRAFT),
                hear(151, BOB, GRAFT),
            ],
            "the second GRAFT is late for the first backoff, early for the second",
        ),
        Scene(
            "graft-after-reconnecting",
            [
                *meshed(BOB),
                hear(1, BOB, prune),
                (2, PeerLeft(BOB)),
                (3, PeerJoined(BOB, MESHSUB_1_2, outbound=False)),
                hear(3, BOB, SUBSCRIBE),
                hear(3, BOB, GRAFT),
            ],
        ),
        Scene(
            "prune-backoff-honoured",
            [
                *meshed(BOB),
                hear(0.9, BOB, prune),
                (62.899, Heartbeat()),
                (62.9, Heartbeat()),
            ],
        ),
        Scene(
            "prune-backoff-capped",
            [
                *meshed(BOB),
                hear(0, BOB, Rpc(prune=(Prune(TOPIC, 1_000_000),))),
                (601.999, Heartbeat()),
                (602, Heartbeat()),
            ],
        ),
        Scene(
            "prune-backoff-absent",
            [
                *meshed(BOB),
                hear(0, BOB, Rpc(prune=(Prune(TOPIC, None),))),
                (61.999, Heartbeat()),
                (62, Heartbeat()),
            ],
        ),
        Scene(
            "leave-and-rejoin",
            [
                *meshed(BOB),
                (1, Leave(TOPIC)),
                (2, Join(TOPIC)),
                (12.999, Heartbeat()),
                (13, Heartbeat()),
            ],
        ),
        Scene(
            "unsubscribed-peer-leaves-the-mesh",
            [*meshed(BOB), hear(1, BOB, UNSUBSCRIBE), (1, Publish(TOPIC, b"0"))],
        ),
        Scene(
            "subscription-to-unknown-topic",
            [
                *meshed(),
                (0, PeerJoined(BOB, MESHSUB_1_2, outbound=False)),
                hear(0, BOB, Rpc((Subscription("/other/topic", subscribed=True),))),
            ],
        ),
    ]


def _asking() -> list[Scene]:
    return [
        Scene(
            "ihave-asks-once",
            [*meshed(BOB, CAROL), ihave(1, BOB, *ids(2)), ihave(1, CAROL, *ids(2))],
        ),
        Scene(
            "ihave-of-known-ids",
            [
                *meshed(BOB, CAROL),
                message(1, BOB, b"0"),
                message(1, BOB, b"1"),
                judged(1, b"1", Verdict.IGNORE),
                (1, Publish(TOPIC, b"2")),
                ihave(1, CAROL, *ids(4)),
            ],
            "0 is at the judge, 1 was ignored, 2 is our own: only 3 is new",
        ),
        Scene(
            "next-holder-is-asked",
            [
                *meshed(BOB, CAROL),
                ihave(1, BOB, *ids(1)),
                ihave(1, CAROL, *ids(1)),
                *beats(2, 4),
            ],
        ),
        Scene(
            "ihave-flood",
            [
                *meshed(BOB),
                *(ihave(1, BOB, *ids(1, first)) for first in range(11)),
                (2, Heartbeat()),
            ],
            "the eleventh in a heartbeat is not read",
        ),
        Scene("ihave-of-bad-ids", [*meshed(BOB), ihave(1, BOB, MessageId(b"short"))]),
    ]


def _serving() -> list[Scene]:
    iwant = Rpc(iwant=ids(1))
    return [
        Scene(
            "iwant-served-three-times",
            [
                *meshed(BOB),
                (1, Publish(TOPIC, b"0")),
                *(hear(1, BOB, iwant) for _ in range(4)),
            ],
        ),
        Scene(
            "iwant-flood",
            [
                *meshed(BOB),
                (1, Publish(TOPIC, b"0")),
                hear(1, BOB, Rpc(iwant=ids(1) * 9)),
            ],
            "an id that is named often in one RPC is served once",
        ),
        Scene(
            "iwant-too-late",
            [
                *meshed(),
                (0, PeerJoined(BOB, MESHSUB_1_2, outbound=False)),
                (0, Publish(TOPIC, b"0")),
                *beats(1, 5),
                hear(5.5, BOB, iwant),
                *beats(6, 6),
                hear(6.5, BOB, iwant),
            ],
        ),
        Scene(
            "overflow-is-announced",
            [
                *meshed(BOB),
                *beats(1, 1),
                (1.5, Publish(TOPIC, b"0")),
                *beats(2, 2),
                (2.5, Overflowed(BOB, TOPIC)),
                *beats(3, 5),
            ],
            "bob is in the mesh, and is told all the same",
        ),
        Scene(
            "idontwant-honoured",
            [
                *meshed(BOB, CAROL),
                message(1, BOB, b"0"),
                hear(1, CAROL, Rpc(idontwant=ids(1))),
                judged(1, b"0"),
                hear(1, CAROL, iwant),
            ],
        ),
        Scene("idontwant-sent", [*meshed(BOB, CAROL), message(1, BOB, LARGE)]),
        Scene(
            "idontwant-not-for-small-ones",
            [*meshed(BOB, CAROL), message(1, BOB, LARGE[1:])],
        ),
        Scene(
            "idontwant-not-to-old-peers",
            [*meshed(BOB, CAROL, protocol=MESHSUB_1_1), message(1, BOB, LARGE)],
        ),
    ]


def _route(scene: Scene) -> Case:
    router = new_router()
    steps = [
        {
            "at": round(at * 1000),
            "event": spell_event(event),
            "actions": [spell_action(each) for each in router.handle(event, at)],
        }
        for at, event in scene.steps
    ]
    network = {"network": NETWORK.id, "shards": NETWORK.shards}
    return {
        "name": scene.name,
        "op": "route",
        "note": scene.note,
        "input": network,
        "steps": steps,
    }


def _rpc(name: str, rpc: Rpc, note: str = "") -> Case:
    wire, output = spell(encode_rpc(rpc)), spell_rpc(rpc)
    return {"name": name, "op": "rpc", "note": note, "input": wire, "output": output}


def _bad_rpc(name: str, wire: bytes, note: str = "") -> Case:
    return {
        "name": name,
        "op": "rpc",
        "note": note,
        "input": spell(wire),
        "error": "bad-rpc",
    }


def _rpcs() -> list[Case]:
    two_topics = pb.RPC(publish=[pb.Message(data=b"0", topicIDs=[TOPIC, OTHER])])
    stamped = pb.RPC(publish=[pb.Message(data=b"0", seqno=b"", topicIDs=[TOPIC])])
    exchange = pb.ControlPrune(
        topicID=TOPIC, backoff=60, peers=[pb.PeerInfo(peerID=b"carol")]
    )
    pruned = pb.RPC(control=pb.ControlMessage(prune=[exchange]))
    every_part = Rpc(
        subscriptions=(Subscription(TOPIC, True), Subscription(OTHER, False)),
        messages=(Message(TOPIC, b"0"), Message(OTHER, b"1")),
        ihave=(IHave(TOPIC, ids(2)), IHave(OTHER, ids(1, 2))),
        iwant=ids(1, 3),
        graft=(TOPIC,),
        prune=(Prune(OTHER, 60), Prune(TOPIC, None)),
        idontwant=ids(1, 4),
    )
    return [
        _rpc("rpc-of-every-part", every_part),
        {
            "name": "rpc-stamped",
            "op": "rpc",
            "note": "a seqno that is there and empty",
            "input": spell(stamped.SerializeToString()),
            "output": spell_rpc(Rpc(messages=(Message(TOPIC, b"0", stamped=True),))),
        },
        {
            "name": "rpc-peer-exchange",
            "op": "rpc",
            "note": "the peers of a PRUNE are not read",
            "input": spell(pruned.SerializeToString()),
            "output": spell_rpc(Rpc(prune=(Prune(TOPIC, 60),))),
        },
        _bad_rpc("rpc-garbage", b"\xff\xff"),
        _bad_rpc("rpc-two-topics", two_topics.SerializeToString()),
        _bad_rpc("rpc-no-topic", b"\x12\x03\x12\x01\x30"),
        _bad_rpc("rpc-topic-not-utf8", b"\x0a\x06\x08\x01\x12\x02\xff\xfe"),
        _bad_rpc("rpc-65-messages", b"\x12\x00" * 65),
    ]


def _topics() -> list[Case]:
    given: list[tuple[str, NetworkParams, str | None]] = [
        ("topic-agents", NETWORK, None),
        ("topic-general", NETWORK, "general"),
        ("topic-agent-tools", NETWORK, "agent-tools"),
        ("topic-one-shard", NetworkParams("small", 1), "general"),
        ("topic-256-shards", NetworkParams("large", 256), "general"),
    ]
    return [
        {
            "name": name,
            "op": "topic",
            "input": {
                "network": network.id,
                "shards": network.shards,
                "community": community,
            },
            "output": topic_of(network, community),
        }
        for name, network, community in given
    ]


PARTS: Final[Sequence[Callable[[], list[Scene]]]] = (
    _messages,
    _verdicts,
    _links,
    _asking,
    _serving,
)


def cases() -> list[Case]:
    """Return every vector of spec 05."""
    scenes = [scene for part in PARTS for scene in part()]
    return [*_topics(), *_rpcs(), *map(_route, scenes)]
