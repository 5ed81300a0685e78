"""What the gossip driver tells about itself, for `status`, `peers` and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from moltp2p.net.gossip.outbox import Outbox
from moltp2p.proto.gossip.stats import GossipStats, PeerStats


@dataclass(slots=True)
class Traffic:
    """What went over all streams, counted."""

    sent_messages: int = 0
    sent_bytes: int = 0
    writes: int = 0
    received_bytes: int = 0
    received_rpcs: int = 0
    drops: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class PubSubPeer:
    """One peer that we can gossip with.

    Attributes:
        gossip: what the router says of it.
        behind_s: for how long it has not kept up with us.
        queued: RPCs and messages that wait to be sent to it.
        queued_bytes: the same in bytes.
        is_slow: whether it is too far behind for anybody to wait for it.
        sent_messages: messages sent to it on its present stream.
        drops: what was dropped of what it sent, and of what was to go to it, by
            cause; since it came.
    """

    gossip: PeerStats
    behind_s: float
    queued: int
    queued_bytes: int
    is_slow: bool
    sent_messages: int
    drops: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PubSubStats:
    """Counters since the driver was opened, and what is held now.

    Attributes:
        gossip: the router's; `gossip.tally` counts messages.
        drops: everything dropped, by cause: the router's causes and the queues'.
        sent_messages: to all peers together.
        sent_bytes: in all frames.
        writes: how many sends they took.
        received_bytes: from all peers together.
        received_rpcs: how many RPCs they were.
        inbox: messages that wait for the judge.
        waited_s: time spent waiting for peers that were behind.
        paused_s: time in which peers that say too much were not read.
        slow_peers: dropped because they were behind for too long.
        peers: each peer.
    """

    gossip: GossipStats
    drops: Mapping[str, int]
    sent_messages: int
    sent_bytes: int
    writes: int
    received_bytes: int
    received_rpcs: int
    inbox: int
    waited_s: float
    paused_s: float
    slow_peers: int
    peers: tuple[PubSubPeer, ...]


def pubsub_peer(peer: PeerStats, box: Outbox, behind_s: float) -> PubSubPeer:
    """Return what the router and the queue to a peer tell of it together."""
    return PubSubPeer(
        gossip=peer,
        behind_s=behind_s,
        queued=len(box),
        queued_bytes=box.size_bytes,
        is_slow=box.is_slow,
        sent_messages=box.sent_messages,
        drops=dict(Counter(peer.drops) + box.drops),
    )
