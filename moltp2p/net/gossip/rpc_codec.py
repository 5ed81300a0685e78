"""The gossip RPC as bytes: libp2p's protobufs, and many messages to one write.

Protobuf joins by appending: the encodings of two RPCs, one after the other, are
the encoding of an RPC with the messages of both. So a message is encoded once,
however many peers it goes to, and an RPC for a peer is what lies in its queue.
Control is never joined so, since not every implementation merges it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from google.protobuf.message import DecodeError
from libp2p.pubsub.pb import rpc_pb2 as pb

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import MessageId
from moltp2p.proto.framing import encode_varint
from moltp2p.proto.gossip.rpc import (
    MAX_RPC_IDS,
    MAX_RPC_LINKS,
    MAX_RPC_MESSAGES,
    MAX_RPC_SUBSCRIPTIONS,
    IHave,
    Message,
    Prune,
    Rpc,
    Subscription,
)

MAX_FRAME_BYTES: Final = 262_144  # SPEC 05: "| frame received | 262,144 bytes |"


def encode_message(topic: str, data: bytes) -> bytes:
    """Return the encoding of an RPC that holds one message and nothing else.

    StrictNoSign: `from`, `seqno`, `signature` and `key` are absent.
    """
    message = pb.Message(data=data, topicIDs=[topic])
    return pb.RPC(publish=[message]).SerializeToString()


def encode_rpc(rpc: Rpc) -> bytes:
    """Return the encoding of an RPC; `b""` when there is nothing in it."""
    control = None
    if rpc.ihave or rpc.iwant or rpc.graft or rpc.prune or rpc.idontwant:
        control = _control(rpc)
    subscriptions = [
        pb.RPC.SubOpts(subscribe=each.subscribed, topicid=each.topic)
        for each in rpc.subscriptions
    ]
    head = pb.RPC(subscriptions=subscriptions, control=control).SerializeToString()
    return head + b"".join(
        encode_message(each.topic, each.data) for each in rpc.messages
    )


def frame(encodings: Collection[bytes]) -> bytes:
    """Return one frame with the RPC that several encodings make, in order."""
    return encode_varint(sum(map(len, encodings))) + b"".join(encodings)


def decode_rpc(payload: bytes) -> Rpc:
    """Return the RPC that a frame carries. Fields that spec 05 does not name are lost.

    Raises:
        PeerError: `bad-rpc` when it is no such protobuf, says more than spec 05
            allows, or a message has another number of topics than one.
    """
    try:
        rpc = pb.RPC.FromString(payload)
    except DecodeError as error:
        raise PeerError("bad-rpc", "not the protobuf of an RPC") from error
    _check(len(rpc.publish) <= MAX_RPC_MESSAGES)
    _check(len(rpc.subscriptions) <= MAX_RPC_SUBSCRIPTIONS)
    plain = Rpc(
        subscriptions=tuple(map(_subscription, rpc.subscriptions)),
        messages=tuple(map(_message, rpc.publish)),
    )
    # Most RPCs bear no control, and every look into it makes an object.
    return _with_control(plain, rpc.control) if rpc.HasField("control") else plain


def _with_control(plain: Rpc, control: pb.ControlMessage) -> Rpc:
    _check(len(control.graft) <= MAX_RPC_LINKS)
    _check(len(control.prune) <= MAX_RPC_LINKS)
    _check(len(control.ihave) <= MAX_RPC_LINKS)
    _check(len(control.iwant) + len(control.idontwant) <= MAX_RPC_IDS)
    _check(_count_ids(control) <= MAX_RPC_IDS)
    return replace(
        plain,
        ihave=tuple(map(_ihave, control.ihave)),
        iwant=_joined_ids(control.iwant),
        graft=tuple([_text(each.topicID) for each in control.graft]),
        prune=tuple(map(_prune, control.prune)),
        idontwant=_joined_ids(control.idontwant),
    )


def _control(rpc: Rpc) -> pb.ControlMessage:
    return pb.ControlMessage(
        ihave=[pb.ControlIHave(topicID=i.topic, messageIDs=i.ids) for i in rpc.ihave],
        iwant=[pb.ControlIWant(messageIDs=rpc.iwant)] if rpc.iwant else [],
        graft=[pb.ControlGraft(topicID=topic) for topic in rpc.graft],
        prune=[
            pb.ControlPrune(topicID=prune.topic, backoff=prune.backoff_s)
            for prune in rpc.prune
        ],
        idontwant=(
            [pb.ControlIDontWant(messageIDs=rpc.idontwant)] if rpc.idontwant else []
        ),
    )


def _check(within: bool) -> None:
    """Refuse what is too much, before anything is done for each of it."""
    if not within:
        raise PeerError("bad-rpc", "more in one RPC than spec 05 allows")


def _count_ids(control: pb.ControlMessage) -> int:
    lists: Iterable[pb.ControlIHave | pb.ControlIWant | pb.ControlIDontWant]
    lists = [*control.ihave, *control.iwant, *control.idontwant]
    return sum(len(each.messageIDs) for each in lists)


def _message(message: pb.Message) -> Message:
    topics = message.topicIDs
    if len(topics) != 1:
        raise PeerError("bad-rpc", f"a message with {len(topics)} topics")
    has = message.HasField
    stamped = has("from_id") or has("seqno") or has("signature") or has("key")
    return Message(_text(topics[0]), message.data, stamped)


def _prune(prune: pb.ControlPrune) -> Prune:
    backoff_s = prune.backoff if prune.HasField("backoff") else None
    return Prune(_text(prune.topicID), backoff_s)


def _subscription(options: pb.RPC.SubOpts) -> Subscription:
    return Subscription(_text(options.topicid), options.subscribe)


def _ihave(ihave: pb.ControlIHave) -> IHave:
    return IHave(_text(ihave.topicID), tuple(map(MessageId, ihave.messageIDs)))


def _joined_ids(
    entries: Iterable[pb.ControlIWant | pb.ControlIDontWant],
) -> tuple[MessageId, ...]:
    return tuple([MessageId(key) for entry in entries for key in entry.messageIDs])


def _text(value: object) -> str:
    """Return a topic; protobuf hands out bytes where they are not UTF-8."""
    if not isinstance(value, str):
        raise PeerError("bad-rpc", "a topic that is not UTF-8")
    return value
