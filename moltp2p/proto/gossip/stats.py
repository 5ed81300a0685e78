"""What the router tells about itself, for `status` and `peers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.standing import ScoreParts


@dataclass(slots=True)
class Tally:
    """Messages since the router began.

    Attributes:
        received: all that RPCs brought.
        duplicates: those met before, or at the judge already.
        accepted: judged ACCEPT.
        ignored: judged IGNORE.
        rejected: judged REJECT.
        published: our own.
        announced_only: accepted from a peer over its rate, and not pushed on.
        held_back: accepted from an author over its rate, and not passed on.
    """

    received: int = 0
    duplicates: int = 0
    accepted: int = 0
    ignored: int = 0
    rejected: int = 0
    published: int = 0
    announced_only: int = 0
    held_back: int = 0

    def count(self, verdict: Verdict) -> None:
        """Count one verdict."""
        match verdict:
            case Verdict.ACCEPT:
                self.accepted += 1
            case Verdict.IGNORE:
                self.ignored += 1
            case Verdict.REJECT:
                self.rejected += 1
            case _:
                assert_never(verdict)

    def copy(self) -> Tally:
        """Return the figures as they are now."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class PeerStats:
    """One peer, as the router sees it.

    Attributes:
        peer: who it is.
        protocol: the meshsub protocol it speaks.
        outbound: whether we dialled it.
        topics: what it subscribed to, of our network's topics.
        meshes: in how many meshes of ours it is.
        rejected: messages that it sent and that were judged REJECT.
        score: its score, and what it is made of.
        drops: what was passed over of what it sent, by cause.
    """

    peer: PeerId
    protocol: str
    outbound: bool
    topics: tuple[str, ...]
    meshes: int
    rejected: int
    score: ScoreParts
    drops: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GossipStats:
    """The router's counters, and what it holds now.

    Attributes:
        tally: messages since it began.
        pending: messages at the judge.
        seen: ids in the seen window.
        cached: messages in the cache.
        cached_bytes: their data.
        promises: ids asked for.
        backoffs: peers kept out of meshes, counted once per topic.
        blamed: peers that left, and whose blame is kept.
        drops: what was passed over of what peers sent, by cause.
        peers: each peer.
    """

    tally: Tally
    pending: int
    seen: int
    cached: int
    cached_bytes: int
    promises: int
    backoffs: int
    blamed: int
    drops: Mapping[str, int]
    peers: tuple[PeerStats, ...]
