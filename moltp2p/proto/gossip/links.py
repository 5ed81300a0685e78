"""Who is linked to whom: meshes, GRAFT and PRUNE, and the fan-out."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.mesh import Backoffs, Mesh
from moltp2p.proto.gossip.outgoing import Outgoing
from moltp2p.proto.gossip.peer import GossipPeer, Roster
from moltp2p.proto.gossip.rpc import Prune
from moltp2p.proto.gossip.settings import (
    FANOUT_S,
    MAX_BACKOFF_S,
    OPPORTUNISTIC_HEARTBEATS,
    OPPORTUNISTIC_PEERS,
    OWED_HEARTBEATS,
    PRUNE_BACKOFF_S,
    UNSUBSCRIBE_BACKOFF_S,
    Degrees,
    GossipSettings,
)


@dataclass(slots=True)
class _Fanout:
    last_used: float
    peers: dict[PeerId, None] = field(default_factory=dict)


class Links:
    """The meshes of the topics we joined, and the fan-out to those we did not.

    Args:
        roster: the peers.
        settings: the degrees.
        rng: chooses among peers.
    """

    def __init__(
        self, roster: Roster, settings: GossipSettings, rng: random.Random
    ) -> None:
        self.meshes: dict[str, Mesh] = {}
        self.backoffs = Backoffs()
        self._fanouts: dict[str, _Fanout] = {}
        self._heartbeats = 0
        self._roster = roster
        self._settings = settings
        self._rng = rng

    @property
    def degrees(self) -> Degrees:
        """The mesh sizes that fit the number of peers we know."""
        return self._settings.degrees_for(len(self._roster.peers))

    def eager_peers(self, topic: str) -> Collection[PeerId]:
        """Return whom a topic's messages are pushed to without being asked."""
        if topic in self.meshes:
            return self.meshes[topic].peers
        if topic in self._fanouts:
            return self._fanouts[topic].peers
        return ()

    def join(self, topic: str, now: float, out: Outgoing) -> None:
        """Open a mesh, filled with the fan-out first and then by chance."""
        mesh = Mesh(self._rng, self._roster.is_outbound, self._roster.score)
        self.meshes[topic] = mesh
        fanout = self._fanouts.pop(topic, None)
        free = self._candidates(topic, now)
        known = [peer for peer in free if fanout and peer in fanout.peers]
        wanted = self.degrees.wanted
        chosen = known[:wanted]
        rest = [peer for peer in free if peer not in chosen]
        chosen += mesh.pick(rest, wanted - len(chosen))
        self._graft(topic, chosen, out)

    def leave(self, topic: str, now: float, out: Outgoing) -> None:
        """Let everybody in a mesh go, for `UNSUBSCRIBE_BACKOFF_S` only."""
        for peer in self.meshes.pop(topic).peers:
            self.backoffs.extend(topic, peer, now + UNSUBSCRIBE_BACKOFF_S)
            out.prune(peer, topic, UNSUBSCRIBE_BACKOFF_S)

    def on_subscribe(
        self, peer: GossipPeer, topic: str, now: float, out: Outgoing
    ) -> None:
        """Graft a new subscriber at once when its topic's mesh is too small."""
        mesh = self.meshes.get(topic)
        if mesh is None:
            return
        wanted = len(mesh) < self.degrees.low and peer.id not in mesh
        if wanted and self._may_graft(topic, peer, now):
            self._graft(topic, [peer.id], out)
        peer.owed.setdefault(topic, 1)

    def remove(self, peer: PeerId, topics: Iterable[str]) -> None:
        """Take a peer out of the meshes and fan-outs of topics."""
        for topic in topics:
            if topic in self.meshes:
                self.meshes[topic].remove(peer)
            if topic in self._fanouts:
                self._fanouts[topic].peers.pop(peer, None)

    def on_graft(self, peer: GossipPeer, topic: str, now: float, out: Outgoing) -> None:
        """Let a peer into the mesh, or PRUNE it; ignore what spam could use."""
        mesh = self.meshes.get(topic)
        if mesh is None:
            self._roster.drop(peer, "graft-not-joined")
        elif peer.id in mesh:
            return
        elif topic not in peer.topics:
            self._roster.drop(peer, "graft-not-subscribed")
        elif self.backoffs.forbids(topic, peer.id, now):
            self._roster.drop(peer, "graft-in-backoff")
            peer.standing.misbehave(1)
            self._turn_away(peer.id, topic, now, out)
        elif not peer.standing.may_mesh:
            self._roster.drop(peer, "graft-by-score")
            self._turn_away(peer.id, topic, now, out)
        elif not mesh.has_room_for(peer.id, self.degrees):
            self._roster.drop(peer, "graft-mesh-full")
            self._turn_away(peer.id, topic, now, out)
        else:
            mesh.add([peer.id])

    def on_prune(self, peer: GossipPeer, prune: Prune, now: float) -> None:
        """Take the peer out and leave it alone for as long as it asked, within reason.

        The peers that it offers in exchange are not read.
        """
        mesh = self.meshes.get(prune.topic)
        if mesh is None:
            return
        mesh.remove(peer.id)
        asked_s = prune.backoff_s or PRUNE_BACKOFF_S
        until = now + min(asked_s, MAX_BACKOFF_S)
        self.backoffs.extend(prune.topic, peer.id, until)

    def owe(self, peer: GossipPeer, topic: str) -> None:
        """Announce a topic's messages to the peer for the next heartbeats."""
        if topic in peer.topics:
            peer.owed[topic] = OWED_HEARTBEATS

    def fan_out(self, topic: str, now: float) -> list[PeerId]:
        """Return whom to push to in a topic that we have not joined."""
        fanout = self._fanouts.setdefault(topic, _Fanout(now))
        fanout.last_used = now
        self._fill(topic, fanout)
        return list(fanout.peers)

    def maintain(self, now: float, out: Outgoing) -> None:
        """Do what a heartbeat does to meshes, backoffs and fan-outs."""
        self.backoffs.forget(now)
        self._heartbeats += 1
        is_opportune = self._heartbeats % OPPORTUNISTIC_HEARTBEATS == 0
        degrees = self.degrees
        for topic, mesh in self.meshes.items():
            change = mesh.maintain(self._candidates(topic, now), degrees)
            for peer in change.prune:
                self._turn_away(peer, topic, now, out)
            for peer in change.graft:
                out.graft(peer, topic)
            if is_opportune:
                free = self._candidates(topic, now)
                for peer in mesh.improve(free, OPPORTUNISTIC_PEERS):
                    out.graft(peer, topic)
        self._fanouts = {
            topic: fanout
            for topic, fanout in self._fanouts.items()
            if now - fanout.last_used < FANOUT_S
        }
        for topic, fanout in self._fanouts.items():
            self._fill(topic, fanout)

    def _candidates(self, topic: str, now: float) -> list[PeerId]:
        mesh, peers = self.meshes[topic], self._roster.peers
        return [
            peer
            for peer in self._roster.subscribers(topic)
            if peer not in mesh and self._may_graft(topic, peers[peer], now)
        ]

    def _may_graft(self, topic: str, peer: GossipPeer, now: float) -> bool:
        is_barred = self.backoffs.forbids_us(topic, peer.id, now)
        return peer.standing.may_mesh and not is_barred

    def _graft(self, topic: str, peers: list[PeerId], out: Outgoing) -> None:
        self.meshes[topic].add(peers)
        for peer in peers:
            out.graft(peer, topic)

    def _turn_away(self, peer: PeerId, topic: str, now: float, out: Outgoing) -> None:
        self.backoffs.extend(topic, peer, now + PRUNE_BACKOFF_S)
        out.prune(peer, topic, PRUNE_BACKOFF_S)

    def _fill(self, topic: str, fanout: _Fanout) -> None:
        heard = self._roster.publishable(topic)
        fanout.peers = {peer: None for peer in fanout.peers if peer in heard}
        free = [peer for peer in heard if peer not in fanout.peers]
        missing = max(0, self.degrees.wanted - len(fanout.peers))
        chosen = self._rng.sample(free, min(missing, len(free)))
        fanout.peers.update(dict.fromkeys(chosen))
