"""The way of a message through the router: met, judged, passed on.

A message is known by the SHA-256 of its data, and is judged once: while it is
pending, and for as long as the seen window lasts, it is a duplicate.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip_events import GossipAction, Push, Validate, Withdraw
from moltp2p.proto.gossip_peer import GossipPeer, Roster
from moltp2p.proto.gossip_settings import IDONTWANT_BYTES, MAX_PENDING, PENDING_S
from moltp2p.proto.gossip_stats import Tally
from moltp2p.proto.lazy_gossip import LazyGossip
from moltp2p.proto.links import Links
from moltp2p.proto.outgoing import Outgoing
from moltp2p.proto.rpc import MAX_MESSAGE_BYTES, Message
from moltp2p.proto.seen_window import SeenWindow


@dataclass(slots=True)
class _Pending:
    """A message at the judge, and who has sent it so far."""

    topic: str
    data: bytes
    since: float
    senders: dict[PeerId, None]


class MessageFlow:
    """Knows which messages were met, and where they go.

    Args:
        roster: the peers.
        links: the meshes.
        lazy: the cache that accepted messages go into, and what was asked for.
    """

    def __init__(self, roster: Roster, links: Links, lazy: LazyGossip) -> None:
        self.seen = SeenWindow()
        self.tally = Tally()
        self._roster = roster
        self._links = links
        self._lazy = lazy
        self._pending: dict[MessageId, _Pending] = {}

    @property
    def pending_count(self) -> int:
        """How many messages are at the judge."""
        return len(self._pending)

    def is_known(self, message_id: MessageId) -> bool:
        """Return whether a message was met lately or is at the judge."""
        return message_id in self.seen or message_id in self._pending

    def receive(
        self,
        peer: GossipPeer,
        messages: tuple[Message, ...],
        now: float,
        out: Outgoing,
    ) -> list[GossipAction]:
        """Hand out what is new. This loop is the hot path of a busy node."""
        actions: list[GossipAction] = []
        duplicates: list[MessageId] = []
        self.tally.received += len(messages)
        for message in messages:
            if cause := self._objection(message):
                self._roster.drop(peer, cause)
                continue
            peer.note_size(len(message.data))
            message_id = MessageId(sha256(message.data).digest())
            if message_id in self.seen:
                duplicates.append(message_id)
            elif pending := self._pending.get(message_id):
                pending.senders[peer.id] = None
                self.tally.duplicates += 1
            elif len(self._pending) >= MAX_PENDING:
                self._roster.drop(peer, "pending-full")
            else:
                self._admit(peer, message_id, message, now, out)
                actions.append(
                    Validate(peer.id, message.topic, message_id, message.data)
                )
        if duplicates:
            self.tally.duplicates += len(duplicates)
            actions.append(Withdraw(peer.id, tuple(duplicates)))
        return actions

    def judged(
        self, message_id: MessageId, verdict: Verdict, now: float
    ) -> list[GossipAction]:
        """Pass on what was accepted; remember everything."""
        pending = self._pending.pop(message_id, None)
        if pending is None:
            return []
        self.seen.add(message_id, now)
        self.tally.count(verdict)
        if verdict is Verdict.REJECT:
            self._blame(pending)
        if verdict is not Verdict.ACCEPT:
            return []
        self._lazy.cache.put(message_id, pending.topic, pending.data)
        eager = self._links.eager_peers(pending.topic)
        targets = [peer for peer in eager if peer not in pending.senders]
        return self._push(targets, pending.topic, message_id, pending.data)

    def publish(
        self, targets: list[PeerId], topic: str, data: bytes, now: float
    ) -> list[GossipAction]:
        """Send a message of our own, unless it was met before."""
        message_id = MessageId(sha256(data).digest())
        if self.is_known(message_id):
            self.tally.duplicates += 1
            return []
        self.tally.published += 1
        self._lazy.promises.keep(message_id)
        self.seen.add(message_id, now)
        self._lazy.cache.put(message_id, topic, data)
        return self._push(targets, topic, message_id, data)

    def forget(self, now: float) -> None:
        """Drop what is too old: seen ids, and messages that nobody judged."""
        self.seen.forget(now)
        limit = now - PENDING_S
        items = self._pending.items()
        old = [key for key, _ in takewhile(lambda item: item[1].since <= limit, items)]
        for message_id in old:
            del self._pending[message_id]
            self._roster.drops["pending-expired"] += 1

    def _objection(self, message: Message) -> str | None:
        """Return why a message is passed over before it is hashed, or None."""
        if message.topic not in self._links.meshes:
            return "message-not-joined"
        if message.stamped:
            return "message-stamped"
        if len(message.data) > MAX_MESSAGE_BYTES:
            return "message-too-large"
        return None

    def _admit(
        self,
        peer: GossipPeer,
        message_id: MessageId,
        message: Message,
        now: float,
        out: Outgoing,
    ) -> None:
        self._lazy.promises.keep(message_id)
        pending = _Pending(message.topic, message.data, now, {peer.id: None})
        self._pending[message_id] = pending
        if len(message.data) < IDONTWANT_BYTES:
            return
        for other in self._links.meshes[message.topic].peers:
            if other != peer.id and self._roster.peers[other].knows_idontwant:
                out.idontwant(other, message_id)

    def _blame(self, pending: _Pending) -> None:
        for sender in pending.senders:
            if peer := self._roster.peers.get(sender):
                peer.rejected += 1

    def _push(
        self, peers: list[PeerId], topic: str, message_id: MessageId, data: bytes
    ) -> list[GossipAction]:
        known = self._roster.peers
        wanted = tuple([p for p in peers if message_id not in known[p].dont_want])
        self.tally.pushed += len(wanted)
        return [Push(wanted, topic, message_id, data)] if wanted else []
