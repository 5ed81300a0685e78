"""Vectors of spec 05, first part: topics, and RPCs on the wire.

| op | input → output |
|---|---|
| `topic` | network, shards, community or null → topic |
| `rpc` | bytes → RPC |
"""

from __future__ import annotations

from libp2p.pubsub.pb import rpc_pb2 as pb

from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.net.gossip.rpc_codec import encode_rpc
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from scripts.vectors.form import Case, spell
from scripts.vectors.gossip_form import spell_rpc
from scripts.vectors.gossip_steps import NETWORK, OTHER, TOPIC, ids


def cases() -> list[Case]:
    """Return the cases of topics and of RPCs."""
    return [*_topics(), *_rpcs()]


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
