"""Vectors of spec 05, section 8: what a router makes of what peers do to it.

| op | input → output |
|---|---|
| `score` | steps, as with `route`; each also tells the `scores` after it |

A score is rounded to a thousandth, and may differ by one in the last place.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    Faulted,
    Heartbeat,
    Join,
    Judged,
    PeerJoined,
    PeerLeft,
    Publish,
)
from moltp2p.proto.gossip.rpc import Prune, Rpc
from moltp2p.proto.gossip.settings import MESHSUB_1_2
from scripts.vectors.form import Case
from scripts.vectors.gossip_form import spell_action, spell_event, spell_scores
from scripts.vectors.gossip_steps import (
    BOB,
    CAROL,
    DAVE,
    GRAFT,
    NETWORK,
    OTHER,
    SUBSCRIBE,
    TOPIC,
    UNSUBSCRIBE,
    Scene,
    Step,
    beats,
    hear,
    id_of,
    ids,
    ihave,
    judged,
    meshed,
    message,
    new_router,
)

PRUNE: Final = Rpc(prune=(Prune(TOPIC, 60),))


def rejected(at: float, peer: PeerId, data: bytes) -> list[Step]:
    """Let a peer send a message that is judged REJECT."""
    return [message(at, peer, data), judged(at, data, Verdict.REJECT)]


def joined(peer: PeerId, ip: str) -> list[Step]:
    """Let a peer dial us from an address, and subscribe."""
    came = PeerJoined(peer, MESHSUB_1_2, False, ipaddress.ip_address(ip))
    return [(0.0, came), hear(0.0, peer, SUBSCRIBE)]


def _messages() -> list[Scene]:
    return [
        Scene(
            "rejected-on-one-topic-only",
            [
                *meshed(BOB, CAROL),
                (0, Join(OTHER)),
                message(1, BOB, b"0", OTHER),
                message(1, CAROL, b"0"),
                judged(2, b"0", Verdict.REJECT),
                judged(3, b"0"),
            ],
            "carol brings it where it belongs, and is not to blame",
        ),
        Scene(
            "invalid-message-leaves-the-mesh",
            [*meshed(BOB, CAROL), *rejected(1, BOB, b"0"), *beats(2, 3)],
        ),
        Scene(
            "rejected-again",
            [
                *meshed(BOB, CAROL, DAVE),
                message(1, BOB, b"0"),
                message(1, CAROL, b"0"),
                judged(1, b"0", Verdict.REJECT),
                message(2, DAVE, b"0"),
                message(3, DAVE, b"0"),
            ],
            "all who send it are to blame, each time, before the verdict and after",
        ),
        Scene(
            "needless-message",
            [
                *meshed(BOB),
                *(
                    step
                    for number in range(7)
                    for step in (
                        message(1, BOB, b"%d" % number),
                        (
                            1.0,
                            Judged(
                                id_of(b"%d" % number), Verdict.IGNORE, needless=True
                            ),
                        ),
                    )
                ),
            ],
            "five are forgiven",
        ),
        Scene(
            "not-passed-on",
            [
                *meshed(BOB, CAROL),
                message(1, BOB, b"0"),
                (1, Judged(id_of(b"0"), Verdict.ACCEPT, forward=False)),
                hear(1, CAROL, Rpc(iwant=ids(1))),
            ],
            "its author said too much: it is kept, and not told",
        ),
    ]


def _standing() -> list[Scene]:
    two_bad = [*rejected(1, BOB, b"0"), *rejected(1, BOB, b"1")]
    return [
        Scene(
            "graft-by-score",
            [
                *meshed(BOB),
                hear(1, BOB, PRUNE),
                (2, Faulted(BOB, 6)),
                hear(62, BOB, GRAFT),
            ],
        ),
        Scene(
            "no-gossip-by-score",
            [
                *meshed(BOB, CAROL),
                *rejected(1, BOB, b"0"),
                *beats(2, 2),
                ihave(3, BOB, *ids(1, 5)),
                (3, Publish(TOPIC, b"1")),
                hear(3, BOB, Rpc(iwant=ids(1, 1))),
                *beats(4, 4),
            ],
            "bob is at -997, still pushed our own messages, and told of no others",
        ),
        Scene(
            "graylisted",
            [
                *meshed(BOB),
                *two_bad,
                message(2, BOB, b"2"),
                hear(2, BOB, GRAFT),
                (3, Publish(TOPIC, b"3")),
                hear(4, BOB, UNSUBSCRIBE),
            ],
            "nothing is read but that it leaves",
        ),
        Scene(
            "credit-does-not-offset-blame",
            [
                *meshed(BOB),
                (0, Join(OTHER)),
                *(
                    step
                    for number in range(9)
                    for step in (
                        message(1, BOB, b"%d" % number, OTHER),
                        judged(1, b"%d" % number),
                    )
                ),
                *beats(2, 2),
                (3, Faulted(BOB, 6)),
                *beats(4, 4),
            ],
        ),
        Scene(
            "blame-outlives-the-connection",
            [
                *meshed(BOB),
                *rejected(1, BOB, b"0"),
                (2, PeerLeft(BOB)),
                *beats(3, 5),
                (21_601, PeerJoined(BOB, MESHSUB_1_2, outbound=False)),
                (21_602, PeerLeft(BOB)),
                (43_202, PeerJoined(BOB, MESHSUB_1_2, outbound=False)),
            ],
            "it does not decay meanwhile, and is forgotten after six hours",
        ),
        Scene(
            "blame-of-one-who-fled",
            [
                *meshed(BOB),
                message(1, BOB, b"0"),
                (2, PeerLeft(BOB)),
                judged(3, b"0", Verdict.REJECT),
                (4, PeerJoined(BOB, MESHSUB_1_2, outbound=False)),
            ],
        ),
        Scene(
            "neighbours-are-counted",
            [
                (0, Join(TOPIC)),
                *(
                    step
                    for number in range(7)
                    for step in joined(PeerId(f"p{number}"), f"2001:db8::{number + 1}")
                ),
                (1, PeerLeft(PeerId("p0"))),
                (1, PeerLeft(PeerId("p1"))),
            ],
            "all in one /64",
        ),
    ]


def _behaviour() -> list[Scene]:
    crowd = [PeerId(f"p{number}") for number in range(7)]
    return [
        Scene(
            "early-grafts",
            [
                *meshed(BOB),
                hear(1, BOB, PRUNE),
                *(hear(2 + n, BOB, GRAFT) for n in range(8)),
            ],
            "six are forgiven",
        ),
        Scene(
            "broken-promises",
            [
                *meshed(BOB),
                *(
                    step
                    for number in range(12)
                    for step in (
                        ihave(number, BOB, *ids(1, number)),
                        (number + 0.5, Heartbeat()),
                    )
                ),
            ],
            "one each heartbeat, from the third second on",
        ),
        Scene(
            "busy-peer-breaks-no-promise",
            [
                *meshed(BOB),
                ihave(1, BOB, *ids(1)),
                *beats(2, 3),
                message(3.5, BOB, b"1"),
                *beats(4, 4),
            ],
            "it brought as many new messages as it left out",
        ),
        Scene(
            "opportunistic-graft",
            [
                *meshed(*crowd),
                *(hear(0, peer, GRAFT) for peer in crowd[:6]),
                *beats(1, 58),
                message(58.5, crowd[6], b"0"),
                (58.5, Judged(id_of(b"0"), Verdict.ACCEPT, forward=False)),
                *beats(59, 60),
            ],
            "p6 is outside the mesh, and the only one to have brought anything",
        ),
    ]


def _score(scene: Scene) -> Case:
    router = new_router()
    steps = []
    for at, event in scene.steps:
        actions = [spell_action(each) for each in router.handle(event, at)]
        step = {"at": round(at * 1000), "event": spell_event(event)}
        steps.append(step | {"actions": actions, "scores": spell_scores(router)})
    return {
        "name": scene.name,
        "op": "score",
        "note": scene.note,
        "input": {"network": NETWORK.id, "shards": NETWORK.shards},
        "steps": steps,
    }


PARTS: Final[Sequence[Callable[[], list[Scene]]]] = (_messages, _standing, _behaviour)


def cases() -> list[Case]:
    """Return the vectors of scores."""
    return [_score(scene) for part in PARTS for scene in part()]
