"""Vectors of spec 05, second part: what a router does.

| op | input → output |
|---|---|
| `route` | steps: what happens to a router, and what it does |

A router of `route` begins with nobody connected, on the network `test`, and knows
no other topics than that network's. No case leaves it a choice. Actions for
different peers may come in any order; what else stands in `actions` is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from moltp2p.core.ids import MessageId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    Heartbeat,
    Join,
    Leave,
    Overflowed,
    PeerJoined,
    PeerLeft,
    Publish,
)
from moltp2p.proto.gossip.rpc import Message, Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import MESHSUB_1_1, MESHSUB_1_2
from scripts.vectors.form import Case
from scripts.vectors.gossip_form import spell_action, spell_event
from scripts.vectors.gossip_steps import (
    BOB,
    CAROL,
    DAVE,
    GRAFT,
    LARGE,
    NETWORK,
    OTHER,
    SUBSCRIBE,
    TOPIC,
    UNSUBSCRIBE,
    Scene,
    beats,
    hear,
    ids,
    ihave,
    judged,
    meshed,
    message,
    new_router,
)


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


PARTS: Final[Sequence[Callable[[], list[Scene]]]] = (
    _messages,
    _verdicts,
    _links,
    _asking,
    _serving,
)


def cases() -> list[Case]:
    """Return the cases of a router, but for those of its scores."""
    return [_route(scene) for part in PARTS for scene in part()]
