"""How a vector of spec 05 spells RPCs, events and actions.

A peer is a name. Ids and data are bytes. An RPC is a map without its empty parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.address import parse_ip
from moltp2p.proto.gossip.events import (
    Faulted,
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
from scripts.vectors.form import read, spell

Json = dict[str, Any]


def spell_rpc(rpc: Rpc) -> Json:
    """Return an RPC as a vector spells it."""
    parts: Json = {
        "subscriptions": [
            {"topic": each.topic, "subscribed": each.subscribed}
            for each in rpc.subscriptions
        ],
        "messages": [_spell_message(each) for each in rpc.messages],
        "ihave": [{"topic": i.topic, "ids": _spell_ids(i.ids)} for i in rpc.ihave],
        "iwant": _spell_ids(rpc.iwant),
        "graft": list(rpc.graft),
        "prune": [{"topic": p.topic, "backoff_s": p.backoff_s} for p in rpc.prune],
        "idontwant": _spell_ids(rpc.idontwant),
    }
    return {name: part for name, part in parts.items() if part}


def read_rpc(spelt: Json) -> Rpc:
    """Return the RPC that a vector spells."""
    return Rpc(
        subscriptions=tuple(
            Subscription(each["topic"], each["subscribed"])
            for each in spelt.get("subscriptions", [])
        ),
        messages=tuple(map(_read_message, spelt.get("messages", []))),
        ihave=tuple(
            IHave(each["topic"], _read_ids(each["ids"]))
            for each in spelt.get("ihave", [])
        ),
        iwant=_read_ids(spelt.get("iwant", [])),
        graft=tuple(spelt.get("graft", [])),
        prune=tuple(
            Prune(each["topic"], each["backoff_s"]) for each in spelt.get("prune", [])
        ),
        idontwant=_read_ids(spelt.get("idontwant", [])),
    )


def spell_event(event: GossipEvent) -> Json:  # noqa: C901, PLR0911, PLR0912 - one arm each
    """Return an event as a vector spells it: its name, and what belongs to it."""
    match event:
        case PeerJoined(peer, protocol, outbound, ip):
            joined = {"joined": peer, "protocol": protocol, "outbound": outbound}
            return joined | ({"ip": str(ip)} if ip else {})
        case PeerLeft(peer):
            return {"left": peer}
        case RpcReceived(peer, rpc):
            return {"rpc_from": peer, "rpc": spell_rpc(rpc)}
        case Join(topic):
            return {"join": topic}
        case Leave(topic):
            return {"leave": topic}
        case Publish(topic, data):
            return {"publish": spell(data), "topic": topic}
        case Judged(message_id, verdict, forward, needless):
            judged = {"judged": message_id.hex(), "verdict": verdict.value}
            words = {"forward": False} if not forward else {}
            return judged | words | ({"needless": True} if needless else {})
        case Faulted(peer, count):
            return {"faulted": peer, "count": count}
        case Overflowed(peer, topic):
            return {"overflowed": peer, "topic": topic}
        case Heartbeat():
            return {"heartbeat": True}
        case _:
            raise TypeError(f"no vector has {event}")


def read_event(spelt: Json) -> GossipEvent:  # noqa: C901, PLR0911, PLR0912 - likewise
    """Return the event that a vector spells."""
    match spelt:
        case {"joined": str(peer), "protocol": protocol, "outbound": outbound}:
            ip = parse_ip(spelt["ip"]) if "ip" in spelt else None
            return PeerJoined(PeerId(peer), protocol, outbound, ip)
        case {"left": str(peer)}:
            return PeerLeft(PeerId(peer))
        case {"rpc_from": str(peer), "rpc": rpc}:
            return RpcReceived(PeerId(peer), read_rpc(rpc))
        case {"join": str(topic)}:
            return Join(topic)
        case {"leave": str(topic)}:
            return Leave(topic)
        case {"publish": data, "topic": topic}:
            return Publish(topic, read(data))
        case {"judged": str(message_id), "verdict": verdict}:
            return Judged(
                MessageId(bytes.fromhex(message_id)),
                Verdict(verdict),
                forward=spelt.get("forward", True),
                needless=spelt.get("needless", False),
            )
        case {"faulted": str(peer), "count": int(count)}:
            return Faulted(PeerId(peer), count)
        case {"overflowed": str(peer), "topic": topic}:
            return Overflowed(PeerId(peer), topic)
        case {"heartbeat": True}:
            return Heartbeat()
        case _:
            raise ValueError(f"not an event: {spelt}")


def spell_action(action: GossipAction) -> Json:
    """Return an action as a vector spells it."""
    match action:
        case Send(peer, rpc):
            return {"send_to": peer, "rpc": spell_rpc(rpc)}
        case Push(peers, topic, _, data, _):
            return {"push_to": list(peers), "topic": topic, "data": spell(data)}
        case Withdraw(peer, ids):
            return {"withdraw_from": peer, "ids": _spell_ids(ids)}
        case Validate(peer, topic, message_id, data):
            return {
                "validate": message_id.hex(),
                "peer": peer,
                "topic": topic,
                "data": spell(data),
            }
        case _:
            assert_never(action)


def spell_scores(router: Gossip) -> Json:
    """Return every peer's score, to a thousandth."""
    return {each.peer: round(each.score.score, 3) for each in router.stats().peers}


def _spell_message(message: Message) -> Json:
    plain: Json = {"topic": message.topic, "data": spell(message.data)}
    return plain | ({"stamped": True} if message.stamped else {})


def _read_message(spelt: Json) -> Message:
    return Message(spelt["topic"], read(spelt["data"]), spelt.get("stamped", False))


def _spell_ids(ids: Iterable[MessageId]) -> list[str]:
    return [key.hex() for key in ids]


def _read_ids(spelt: Iterable[str]) -> tuple[MessageId, ...]:
    return tuple(MessageId(bytes.fromhex(key)) for key in spelt)
