"""A GossipSub router as a pure machine (spec 05; libp2p gossipsub v1.1 and v1.2).

    RpcReceived ──► is it new? ──► Validate ──► (the judge) ──► Judged
                        │                                          │
                   a duplicate:                                 ACCEPT:
                   Withdraw it from                             Push to the mesh,
                   the sender's queue                           keep in the cache

    Publish ──► Push to everybody in the topic
    Heartbeat ──► GRAFT and PRUNE, IHAVE to peers outside the mesh, forget the old

Each topic has a mesh of a few peers, to whom messages are pushed whole. All
others in the topic are told now and then which messages there are (`IHAVE`) and
ask for those they lack (`IWANT`). `links` keeps the meshes, `lazy_gossip` the
announcements, `message_flow` what passes; here the three are joined.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import assert_never

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
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
    RpcReceived,
)
from moltp2p.proto.gossip.flow import MessageFlow
from moltp2p.proto.gossip.intake import Intake
from moltp2p.proto.gossip.lazy import LazyGossip
from moltp2p.proto.gossip.links import Links
from moltp2p.proto.gossip.outgoing import Outgoing
from moltp2p.proto.gossip.peer import GossipPeer, Roster
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES
from moltp2p.proto.gossip.score import Scores
from moltp2p.proto.gossip.settings import (
    GOSSIP_TURNS,
    HEARTBEAT_S,
    LATE_S,
    GossipSettings,
)
from moltp2p.proto.gossip.standing import ScoreParts
from moltp2p.proto.gossip.stats import GossipStats, PeerStats


class Gossip:
    """The router of one node. Events in, actions out, in order.

    Args:
        settings: mesh degrees and flood publishing.
        rng: all of the router's dice; the same seed and events give the same
            actions.
        is_topic: whether a topic exists in our network; nothing is kept of others.
    """

    def __init__(
        self,
        settings: GossipSettings,
        rng: random.Random,
        is_topic: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._roster = Roster(is_topic)
        self._scores = Scores(settings.shared)
        self._beat_at: float | None = None
        self._links = Links(self._roster, settings, rng)
        self._lazy = LazyGossip(self._roster, self._links, settings.lazy, rng)
        self._flow = MessageFlow(
            self._roster, self._scores, self._links, self._lazy, settings
        )
        self._intake = Intake(self._roster, self._links, self._lazy, self._flow)

    def handle(  # noqa: C901, PLR0911, PLR0912 - one arm for each event, and nothing else
        self, event: GossipEvent, now: float
    ) -> list[GossipAction]:
        """Return what must now be done, in order.

        Args:
            event: what happened.
            now: seconds on a clock that never goes back.

        Raises:
            UsageError: `unknown-topic` or `too-large`, for what our own node asks.
        """
        match event:  # the frequent ones first
            case Judged():
                return self._flow.judged(event, now)
            case RpcReceived(peer, rpc):
                return self._intake.receive(peer, rpc, now)
            case Publish(topic, data):
                return self._publish(topic, data, now)
            case Overflowed(peer, topic):
                return self._overflowed(peer, topic)
            case Heartbeat():
                return self._heartbeat(now)
            case PeerJoined():
                return self._peer_joined(event, now)
            case PeerLeft(peer):
                return self._peer_left(peer, now)
            case Faulted(peer, count):
                return self._faulted(peer, count)
            case Join(topic):
                return self._join(topic, now)
            case Leave(topic):
                return self._leave(topic, now)
            case _:
                assert_never(event)

    # What the driver asks of the router between events.

    @property
    def topics(self) -> list[str]:
        """The topics we joined, in the order of joining."""
        return list(self._links.meshes)

    def mesh(self, topic: str) -> list[PeerId]:
        """Return a topic's mesh; empty when we have not joined it."""
        mesh = self._links.meshes.get(topic)
        return list(mesh.peers) if mesh else []

    def subscribers(self, topic: str) -> list[PeerId]:
        """Return the peers in a topic, those longest in it first."""
        return list(self._roster.subscribers(topic))

    def topics_of(self, peer: PeerId) -> list[str]:
        """Return what a peer subscribed to; empty when it is not here."""
        known = self._roster.peers.get(peer)
        return list(known.topics) if known else []

    def score(self, peer: PeerId) -> float:
        """Return a peer's score; 0 when it is not here."""
        return self._roster.score(peer)

    def explain(self, peer: PeerId) -> ScoreParts | None:
        """Return a peer's score and what it is made of; None when it is not here."""
        known = self._roster.peers.get(peer)
        return known.standing.explain() if known else None

    def is_graylisted(self, peer: PeerId) -> bool:
        """Return whether what a peer says is not even read."""
        known = self._roster.peers.get(peer)
        return known is not None and known.standing.is_graylisted

    def stats(self) -> GossipStats:
        """Return the counters, and what is held now."""
        return GossipStats(
            tally=self._flow.tally.copy(),
            pending=self._flow.pending_count,
            seen=len(self._flow.seen),
            cached=len(self._lazy.cache),
            cached_bytes=self._lazy.cache.size_bytes,
            promises=len(self._lazy.promises),
            backoffs=len(self._links.backoffs),
            blamed=self._scores.retained,
            drops=dict(self._roster.drops),
            peers=tuple(map(self._peer_stats, self._roster.peers.values())),
        )

    def _peer_stats(self, peer: GossipPeer) -> PeerStats:
        meshes = self._links.meshes.values()
        return PeerStats(
            peer=peer.id,
            protocol=peer.protocol,
            outbound=peer.outbound,
            topics=tuple(peer.topics),
            meshes=sum(peer.id in mesh for mesh in meshes),
            rejected=peer.rejected,
            score=peer.standing.explain(),
            drops=dict(peer.drops),
        )

    # Peers and our own topics.

    def _peer_joined(self, event: PeerJoined, now: float) -> list[GossipAction]:
        self._peer_left(event.peer, now)
        standing = self._scores.arrive(event.peer, event.ip, now)
        peer = GossipPeer(event.peer, event.protocol, event.outbound, standing)
        peer.turn = self._rng.randrange(GOSSIP_TURNS)
        self._roster.peers[event.peer] = peer
        out = Outgoing()
        for topic in self._links.meshes:
            out.subscribe(event.peer, topic, subscribed=True)
        return [*out.sends()]

    def _peer_left(self, peer: PeerId, now: float) -> list[GossipAction]:
        self._links.remove(peer, self.topics_of(peer))
        self._roster.remove(peer)
        self._scores.leave(peer, now)
        return []

    def _faulted(self, peer: PeerId, count: int) -> list[GossipAction]:
        if known := self._roster.peers.get(peer):
            known.standing.fault(count)
        return []

    def _join(self, topic: str, now: float) -> list[GossipAction]:
        self._check_topic(topic)
        if topic in self._links.meshes:
            return []
        out = Outgoing()
        for peer in self._roster.peers:
            out.subscribe(peer, topic, subscribed=True)
        self._links.join(topic, now, out)
        return [*out.sends()]

    def _leave(self, topic: str, now: float) -> list[GossipAction]:
        if topic not in self._links.meshes:
            return []
        out = Outgoing()
        for peer in self._roster.peers:
            out.subscribe(peer, topic, subscribed=False)
        self._links.leave(topic, now, out)
        return [*out.sends()]

    def _overflowed(self, peer: PeerId, topic: str) -> list[GossipAction]:
        if known := self._roster.peers.get(peer):
            self._links.owe(known, topic)
        return []

    def _check_topic(self, topic: str) -> None:
        if not self._roster.is_topic(topic):
            raise UsageError(
                "unknown-topic",
                f"not a topic of this network: {topic[:128]!r}",
                "use a topic from moltp2p.core.topics",
            )

    # Our own messages, and time.

    def publish_targets(self, topic: str, now: float) -> list[PeerId]:
        """Return whom a message of ours in this topic would be pushed to."""
        if self._settings.flood_publish:
            return self._roster.publishable(topic)
        if topic in self._links.meshes:
            return list(self._links.eager_peers(topic))
        return self._links.fan_out(topic, now)

    def _publish(self, topic: str, data: bytes, now: float) -> list[GossipAction]:
        self._check_topic(topic)
        if len(data) > MAX_MESSAGE_BYTES:
            raise UsageError(
                "too-large",
                f"{len(data)} bytes, where {MAX_MESSAGE_BYTES} are allowed",
                "publish something smaller, or split it",
            )
        return self._flow.publish(self.publish_targets(topic, now), topic, data, now)

    def _heartbeat(self, now: float) -> list[GossipAction]:
        out = Outgoing()
        self._flow.forget(now)
        self._lazy.break_promises(now, blame=not self._is_late(now))
        for peer in self._roster.peers.values():
            if peer.used.is_flood():
                self._roster.drop(peer, "flood")
                peer.standing.misbehave(1)
        meshes = {topic: mesh.peers for topic, mesh in self._links.meshes.items()}
        self._scores.heartbeat(meshes, now)
        self._links.maintain(now, out)
        self._lazy.emit(out)
        self._lazy.cache.shift()
        for peer in self._roster.peers.values():
            peer.tick()
        self._lazy.chase(now, out)
        return [*out.sends()]

    def _is_late(self, now: float) -> bool:
        """Return whether we ourselves lag, so that others' answers seem to."""
        last, self._beat_at = self._beat_at, now
        is_late = last is not None and now - last >= HEARTBEAT_S + LATE_S
        return is_late or self._flow.is_behind(now)
