"""What goes into the gossip router, and what comes out.

An event is something that happened: to a peer, in an RPC, at our own node, or to
the clock. An action is what the driver must now do. Both are data, so that a
router can be replayed, simulated and compared with the vectors of spec 05.
"""

from __future__ import annotations

from dataclasses import dataclass

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.address import IpAddress
from moltp2p.proto.gossip.rpc import Rpc


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A peer can be sent RPCs from now on.

    Attributes:
        peer: who it is.
        protocol: the meshsub protocol that it speaks.
        outbound: whether we dialled it; part of the mesh must be such peers.
        ip: its address; None where that is not known.
    """

    peer: PeerId
    protocol: str
    outbound: bool
    ip: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """A peer can be sent nothing any more."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class RpcReceived:
    """A peer sent an RPC."""

    peer: PeerId
    rpc: Rpc


@dataclass(frozen=True, slots=True)
class Join:
    """Our node wants a topic's messages."""

    topic: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Our node no longer wants a topic's messages."""

    topic: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Our node says something."""

    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on a message that a `Validate` action handed out.

    Attributes:
        message_id: which message.
        verdict: the verdict.
        forward: whether an ACCEPTed message is passed on by us. It is kept and
            valid all the same; its author said too much, and we pass on no more.
        needless: whether an IGNOREd message is one that an honest peer, with its
            clock right, does not send.
    """

    message_id: MessageId
    verdict: Verdict
    forward: bool = True
    needless: bool = False


@dataclass(frozen=True, slots=True)
class Faulted:
    """Something outside the router holds a fault against a peer.

    Attributes:
        peer: who it is.
        count: how many.
    """

    peer: PeerId
    count: int = 1


@dataclass(frozen=True, slots=True)
class Overflowed:
    """A pushed message was dropped because the peer's queue was full.

    The router then announces the topic's messages to the peer, mesh or not.
    """

    peer: PeerId
    topic: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`HEARTBEAT_S` have passed."""


GossipEvent = (
    PeerJoined
    | PeerLeft
    | RpcReceived
    | Join
    | Leave
    | Publish
    | Judged
    | Faulted
    | Overflowed
    | Heartbeat
)


@dataclass(frozen=True, slots=True)
class Send:
    """Send the peer an RPC without messages.

    It is of one sort: subscriptions and links; or IWANT; or IDONTWANT; or IHAVE,
    which is to be sent after the messages that are on their way to the peer.
    """

    peer: PeerId
    rpc: Rpc


@dataclass(frozen=True, slots=True)
class Push:
    """Send one message to each of `peers`.

    Attributes:
        peers: whom to; never empty, nobody twice.
        topic: where it was published.
        message_id: SHA-256 of `data`.
        data: in this network a record's wire bytes.
        asked: whether the peer asked for it by IWANT; when its queue is full,
            such a message is the first to be dropped.
    """

    peers: tuple[PeerId, ...]
    topic: str
    message_id: MessageId
    data: bytes
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The peer holds these messages: take them from its queue if still there."""

    peer: PeerId
    ids: tuple[MessageId, ...]


@dataclass(frozen=True, slots=True)
class Validate:
    """Judge a message that has not been seen before, and report with `Judged`.

    Attributes:
        peer: the first to send it.
        topic: where it was published.
        message_id: SHA-256 of `data`.
        data: in this network a record's wire bytes.
    """

    peer: PeerId
    topic: str
    message_id: MessageId
    data: bytes


GossipAction = Send | Push | Withdraw | Validate
