"""Lazy gossip: announcing by IHAVE, asking by IWANT, and serving who asks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.events import Push
from moltp2p.proto.gossip.links import Links
from moltp2p.proto.gossip.message_cache import CachedMessage, MessageCache
from moltp2p.proto.gossip.outgoing import Outgoing
from moltp2p.proto.gossip.peer import GossipPeer, Roster
from moltp2p.proto.gossip.promises import Promises
from moltp2p.proto.gossip.rpc import MESSAGE_ID_BYTES, IHave
from moltp2p.proto.gossip.settings import (
    GOSSIP_TURNS,
    IHAVE_IDS_PER_RPC,
    MAX_IHAVE_IDS,
    MAX_IHAVE_RPCS,
    MAX_IWANT_BYTES,
    MAX_IWANT_IDS,
    MAX_SERVED,
    NEEDY_HEARTBEATS,
)

ANNOUNCED_IDS: Final = MAX_IHAVE_RPCS * IHAVE_IDS_PER_RPC
"""What we announce to one peer in one heartbeat: no more than it has to read."""


class LazyGossip:
    """The pull beside the push: what the mesh lost is found here.

    Args:
        roster: the peers.
        links: the meshes; peers outside them are told what we have.
        lazy: D_lazy.
        rng: chooses whom to tell, and what when it is too much.
    """

    def __init__(
        self, roster: Roster, links: Links, lazy: int, rng: random.Random
    ) -> None:
        self.cache = MessageCache()
        self.promises = Promises(roster.score)
        self._heartbeats = 0
        self._roster = roster
        self._links = links
        self._lazy = lazy
        self._rng = rng

    def spare(
        self, targets: list[PeerId], count: int, topic: str, message_id: MessageId
    ) -> list[PeerId]:
        """Return `count` of those that a message could be pushed to, and the needy.

        The others are told of it at the next heartbeat, if they have not sent it
        by then; mostly they have. Whoever sits beside whom in a mesh is chance, so
        neighbours of a random one serve as well as a sample, and are cheaper.
        """
        peers = self._roster.peers
        first = int(self._rng.random() * len(targets))
        turned = targets[first:] + targets[:first]
        needy = [peer for peer in turned if peers[peer].needy]
        if needy:
            turned = needy + [peer for peer in turned if not peers[peer].needy]
            count = max(count, len(needy))
        for peer in turned[count:]:
            peers[peer].spare(message_id, topic)
        return turned[:count]

    def on_ihave(
        self,
        peer: GossipPeer,
        announced: Iterable[IHave],
        is_known: Callable[[str, MessageId], bool],
        now: float,
        out: Outgoing,
    ) -> None:
        """Ask for what is new to us, each id of one peer at a time."""
        peer.used.ihave_rpcs += 1
        new: list[MessageId] = []
        for ihave in announced:
            if ihave.topic not in self._links.meshes:
                self._roster.drop(peer, "ihave-not-joined", len(ihave.ids))
                continue
            ids = self._within_ihave_limits(peer, ihave.ids)
            topic = ihave.topic
            unknown = [key for key in ids if not is_known(topic, key)]
            new += [key for key in unknown if self._want(peer, key)]
        self._ask(peer, new, now, out)

    def on_iwant(self, peer: GossipPeer, ids: tuple[MessageId, ...]) -> list[Push]:
        """Serve what is cached, within the peer's limits."""
        room = max(0, MAX_IWANT_IDS - peer.used.iwant_ids)
        self._roster.drop(peer, "iwant-flood", len(ids) - len(ids[:room]))
        peer.used.iwant_ids += len(ids)
        pushes = []
        for message_id in dict.fromkeys(ids[:room]):
            cached = self.cache.get(message_id)
            if cached is None:
                self._roster.drop(peer, "iwant-unknown")
                continue
            if peer.id in self._links.eager_peers(cached.topic):
                peer.needy = NEEDY_HEARTBEATS
            if message_id not in peer.dont_want and self._may_serve(peer, cached):
                pushes.append(
                    Push((peer.id,), cached.topic, message_id, cached.data, asked=True)
                )
        return pushes

    def emit(self, out: Outgoing) -> None:
        """Announce recent messages: each topic's to peers outside its mesh, in turn.

        Each of them is told once in `GOSSIP_TURNS` heartbeats, so that a message
        passes in time even where one honest peer is outside a mesh of others.
        """
        room: dict[PeerId, int] = {}
        self._heartbeats += 1
        for known in self._roster.peers.values():
            if known.spared:
                room[known.id] = ANNOUNCED_IDS - self._announce_spared(known, out)
        for topic in self.cache.recent_topics():
            ids = self.cache.recent_ids(topic)
            for peer in self._listeners(topic):
                left = room.get(peer, ANNOUNCED_IDS)
                chosen = ids if len(ids) <= left else self._rng.sample(ids, left)
                if chosen:
                    out.ihave(peer, topic, chosen)
                    room[peer] = left - len(chosen)

    def _announce_spared(self, peer: GossipPeer, out: Outgoing) -> int:
        """Announce what was not pushed to a mesh peer; return how many ids."""
        by_topic: dict[str, list[MessageId]] = {}
        for message_id, topic in peer.spared.items():
            if message_id in self.cache and peer.standing.may_gossip:
                by_topic.setdefault(topic, []).append(message_id)
        peer.spared = {}
        for topic, ids in by_topic.items():
            out.ihave(peer.id, topic, ids)
        return sum(map(len, by_topic.values()))

    def break_promises(self, now: float, *, blame: bool) -> None:
        """Give up on who did not send what it announced, and hold it against them.

        It is one misbehaviour a heartbeat, and none for a peer that brought more
        than it still owes: that one is busy, and not idle.

        Args:
            now: seconds.
            blame: false when it may be our own fault.
        """
        for breaker, count in self.promises.break_overdue(now).items():
            peer = self._roster.peers.get(breaker)
            if peer is None:
                continue
            self._roster.drop(peer, "broken-promise", count)
            if blame and count > peer.used.new_messages:
                peer.standing.misbehave(1)
        self.promises.hurry(now, self._is_idle)

    def chase(self, now: float, out: Outgoing) -> None:
        """Ask for what is wanted still, each id of one who may be asked."""
        waiting = list(self.promises.waiting())
        if not waiting:
            return  # as at most heartbeats, which need not look at every peer then
        peers = self._roster.peers
        asks: dict[PeerId, list[MessageId]] = {}
        room = {
            name: peer.ask_room(now)
            for name, peer in peers.items()
            if peer.standing.may_gossip
        }
        for message_id, holders in waiting:
            present = [holder for holder in holders if holder in room]
            if not present:
                self.promises.give_up(message_id)
            for holder in present:
                mine = asks.setdefault(holder, [])
                if len(mine) < room[holder]:
                    mine.append(message_id)
                    break
        for asked, ids in asks.items():
            self._ask(peers[asked], ids, now, out)

    def _is_idle(self, peer: PeerId) -> bool:
        known = self._roster.peers.get(peer)
        return known is None or not known.used.new_messages

    def _within_ihave_limits(
        self, peer: GossipPeer, ids: tuple[MessageId, ...]
    ) -> tuple[MessageId, ...]:
        room = max(0, MAX_IHAVE_IDS - peer.used.ihave_ids)
        taken = ids[:room] if peer.used.ihave_rpcs <= MAX_IHAVE_RPCS else ()
        peer.used.ihave_ids += len(ids)
        self._roster.drop(peer, "ihave-flood", len(ids) - len(taken))
        return taken

    def _want(self, peer: GossipPeer, message_id: MessageId) -> bool:
        """Note who has a message; return whether it is newly wanted."""
        if len(message_id) != MESSAGE_ID_BYTES:
            self._roster.drop(peer, "bad-message-id")
        elif message_id in self.promises:
            self.promises.add_holder(message_id, peer.id)
        elif self.promises.is_full():
            self._roster.drop(peer, "promises-full")
        else:
            self.promises.want(message_id, peer.id)
            return True
        return False

    def _ask(
        self, peer: GossipPeer, ids: list[MessageId], now: float, out: Outgoing
    ) -> None:
        """Ask for as much as the peer may be asked; the rest waits for a heartbeat."""
        size = peer.ask_ids
        allowed = ids[: peer.ask_room(now)]
        for start in range(0, len(allowed), size):
            chunk = allowed[start : start + size]
            peer.asked_at.append(now)
            out.iwant(peer.id, chunk)
            for message_id in chunk:
                self.promises.ask(message_id, peer.id, now)

    def _may_serve(self, peer: GossipPeer, cached: CachedMessage) -> bool:
        served = cached.served.get(peer.id, 0)
        if served >= MAX_SERVED:
            self._roster.drop(peer, "iwant-repeated")
            return False
        if peer.used.iwant_bytes + len(cached.data) > MAX_IWANT_BYTES:
            self._roster.drop(peer, "iwant-flood")
            return False
        cached.served[peer.id] = served + 1
        peer.used.iwant_bytes += len(cached.data)
        return True

    def _listeners(self, topic: str) -> list[PeerId]:
        """Return whom to tell: those outside the mesh in turn, and who is owed it."""
        eager = set(self._links.eager_peers(topic))
        peers = self._roster.peers
        everybody = self._roster.subscribers(topic)
        subscribers = [p for p in everybody if peers[p].standing.may_gossip]
        others = [peer for peer in subscribers if peer not in eager]
        turn = self._heartbeats % GOSSIP_TURNS
        chosen = [peer for peer in others if peers[peer].turn == turn]
        if len(chosen) < self._lazy:
            rest = [peer for peer in others if peers[peer].turn != turn]
            missing = min(self._lazy - len(chosen), len(rest))
            chosen += self._rng.sample(rest, missing)
        owed = [p for p in subscribers if topic in peers[p].owed and p not in chosen]
        return chosen + owed
