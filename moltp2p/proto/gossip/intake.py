"""What an RPC makes the router do, and how much of it a peer's standing lets it do.

    score, at least   0        -500         -1,000          -2,500          below
    not read          -        GRAFT        nor IHAVE,      nor messages    anything
                               (PRUNE)      nor IWANT

A peer that nothing is held against has a score of 0 or more.
"""

from __future__ import annotations

from collections.abc import Iterable

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.events import GossipAction, Withdraw
from moltp2p.proto.gossip.flow import MessageFlow
from moltp2p.proto.gossip.lazy import LazyGossip
from moltp2p.proto.gossip.links import Links
from moltp2p.proto.gossip.outgoing import Outgoing
from moltp2p.proto.gossip.peer import GossipPeer, Roster
from moltp2p.proto.gossip.rpc import Rpc, Subscription


class Intake:
    """Reads RPCs, limits first.

    Args:
        roster: the peers.
        links: told of subscriptions, GRAFT and PRUNE.
        lazy: told of IHAVE and IWANT.
        flow: given the messages.
    """

    def __init__(
        self, roster: Roster, links: Links, lazy: LazyGossip, flow: MessageFlow
    ) -> None:
        self._roster = roster
        self._links = links
        self._lazy = lazy
        self._flow = flow

    def receive(self, sender: PeerId, rpc: Rpc, now: float) -> list[GossipAction]:
        """Return what must be done, answers first."""
        peer = self._roster.peers.get(sender)
        if peer is None:
            self._roster.drops["absent-peer"] += 1
            return []
        if not rpc.is_within_limits():
            self._roster.drop(peer, "rpc-limits")
            peer.standing.fault(1)
            return []
        if peer.standing.is_graylisted:
            # It says only once that it leaves, and is believed.
            self._roster.drop(peer, "graylisted")
            self._unsubscribe(peer, rpc.subscriptions)
            return []
        out = Outgoing()
        if rpc.subscriptions or rpc.graft or rpc.prune:
            self._entries(peer, rpc, now, out)
        actions = self._messages(peer, rpc, now, out) if rpc.messages else []
        if rpc.idontwant:
            actions += self._idontwant(peer, rpc)
        if rpc.ihave or rpc.iwant:
            actions += self._lazy_control(peer, rpc, now, out)
        return [*out.sends(), *actions]

    def _entries(self, peer: GossipPeer, rpc: Rpc, now: float, out: Outgoing) -> None:
        count = len(rpc.subscriptions) + len(rpc.graft) + len(rpc.prune)
        if not peer.admit_entries(count):
            self._roster.drop(peer, "control-flood", count)
            self._unsubscribe(peer, rpc.subscriptions)
            return
        for each in rpc.subscriptions:
            if not each.subscribed:
                self._unsubscribe(peer, [each])
            elif self._roster.subscribe(peer, each.topic):
                self._links.on_subscribe(peer, each.topic, now, out)
        for topic in rpc.graft:
            self._links.on_graft(peer, topic, now, out)
        for prune in rpc.prune:
            self._links.on_prune(peer, prune, now)

    def _unsubscribe(self, peer: GossipPeer, said: Iterable[Subscription]) -> None:
        for each in said:
            if not each.subscribed:
                self._links.remove(peer.id, [each.topic])
                self._roster.unsubscribe(peer, each.topic)

    def _messages(
        self, peer: GossipPeer, rpc: Rpc, now: float, out: Outgoing
    ) -> list[GossipAction]:
        if peer.standing.may_publish:
            return self._flow.receive(peer, rpc.messages, now, out)
        self._roster.drop(peer, "message-by-score", len(rpc.messages))
        return []

    def _idontwant(self, peer: GossipPeer, rpc: Rpc) -> list[GossipAction]:
        noted = peer.refuse(rpc.idontwant)
        self._roster.drop(peer, "idontwant-flood", len(rpc.idontwant) - len(noted))
        return [Withdraw(peer.id, noted)] if noted else []

    def _lazy_control(
        self, peer: GossipPeer, rpc: Rpc, now: float, out: Outgoing
    ) -> list[GossipAction]:
        if not peer.standing.may_gossip:
            asked = sum(len(each.ids) for each in rpc.ihave) + len(rpc.iwant)
            self._roster.drop(peer, "gossip-by-score", asked)
            return []
        if rpc.ihave:
            self._lazy.on_ihave(peer, rpc.ihave, self._flow.is_known, now, out)
        return [*self._lazy.on_iwant(peer, rpc.iwant)] if rpc.iwant else []
