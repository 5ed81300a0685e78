"""The way of a message through the router: met, judged, passed on.

A message is known by the SHA-256 of its data, and is judged once: while it is
pending, and for as long as the seen window lasts, it is a duplicate.

A REJECT holds for one topic only. Otherwise a stranger could take a record from
its topic, be first with it on another, where it is invalid, and so make us deaf
to it where it belongs, and angry with all who bring it there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import takewhile
from typing import TypeAlias, assert_never

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    GossipAction,
    Judged,
    Push,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip.lazy import LazyGossip
from moltp2p.proto.gossip.links import Links
from moltp2p.proto.gossip.outgoing import Outgoing
from moltp2p.proto.gossip.peer import GossipPeer, Roster
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES, Message
from moltp2p.proto.gossip.score import Scores
from moltp2p.proto.gossip.seen_window import SeenWindow
from moltp2p.proto.gossip.settings import (
    IDONTWANT_BYTES,
    LATE_S,
    MAX_PENDING,
    MAX_RATED_PEERS,
    MAX_REFUSED,
    MIN_EAGER,
    PENDING_S,
    GossipSettings,
)
from moltp2p.proto.gossip.stats import Tally
from moltp2p.proto.ratelimit import RateLimiter, units

Senders: TypeAlias = dict[PeerId, GossipPeer]
"""Who sent a message, in order. A peer may have left when the verdict comes."""


@dataclass(slots=True)
class _Pending:
    """A message at the judge, and who has sent it so far.

    Attributes:
        topic: where it came first, and is judged.
        data: its data.
        since: when it came.
        senders: who sent it there.
        elsewhere: on what other topics it came meanwhile, and from whom.
        known_to: who sent it on topics where it was refused.
    """

    topic: str
    data: bytes
    since: float
    senders: Senders
    elsewhere: dict[str, Senders] = field(default_factory=dict)
    known_to: frozenset[PeerId] = frozenset()

    def holders(self) -> Collection[PeerId]:
        """Return whom it need not be sent to: all who sent it."""
        if not self.elsewhere and not self.known_to:
            return self.senders
        return self.known_to.union(self.senders, *self.elsewhere.values())


class MessageFlow:
    """Knows which messages were met, and where they go.

    Args:
        roster: the peers.
        scores: told of what was judged REJECT.
        links: the meshes.
        lazy: the cache that accepted messages go into, and what was asked for.
        settings: how many copies go round at once, and for whom.
    """

    def __init__(
        self,
        roster: Roster,
        scores: Scores,
        links: Links,
        lazy: LazyGossip,
        settings: GossipSettings,
    ) -> None:
        self.seen: SeenWindow[MessageId] = SeenWindow()
        self.tally = Tally()
        self._refused: SeenWindow[tuple[str, MessageId]] = SeenWindow(MAX_REFUSED)
        self._limiter: RateLimiter[PeerId] = RateLimiter(
            settings.peer_rate, MAX_RATED_PEERS
        )
        self._eager = settings.eager
        self._scores = scores
        self._roster = roster
        self._links = links
        self._lazy = lazy
        self._pending: dict[MessageId, _Pending] = {}

    @property
    def pending_count(self) -> int:
        """How many messages are at the judge."""
        return len(self._pending)

    def is_known(self, topic: str, message_id: MessageId) -> bool:
        """Return whether a message was met lately on a topic, or is at the judge."""
        return (
            message_id in self.seen
            or message_id in self._pending
            or (topic, message_id) in self._refused
        )

    def is_behind(self, now: float) -> bool:
        """Return whether a message has waited long for the judge: it is we who lag."""
        oldest = next(iter(self._pending.values()), None)
        return oldest is not None and now - oldest.since >= LATE_S

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
        has_refused = len(self._refused) > 0
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
                self._note_sender(pending, peer, message.topic)
            elif has_refused and (message.topic, message_id) in self._refused:
                self._repeated(peer, now)
            elif len(self._pending) >= MAX_PENDING:
                self._roster.drop(peer, "pending-full")
            else:
                self._admit(peer, message_id, message, now, out)
                actions.append(
                    Validate(peer.id, message.topic, message_id, message.data)
                )
        if duplicates:
            self.tally.duplicates += len(duplicates)
            peer.note_held(duplicates)
            actions.append(Withdraw(peer.id, tuple(duplicates)))
        return actions

    def judged(self, judged: Judged, now: float) -> list[GossipAction]:
        """Pass on what was accepted; remember everything."""
        pending = self._pending.pop(judged.message_id, None)
        if pending is None:
            return []
        self.tally.count(judged.verdict)
        match judged.verdict:
            case Verdict.ACCEPT:
                self.seen.add(judged.message_id, now)
                return self._accepted(pending, judged, now)
            case Verdict.IGNORE:
                self.seen.add(judged.message_id, now)
                if judged.needless:
                    for peer in pending.senders.values():
                        peer.standing.fault(1)
                return []
            case Verdict.REJECT:
                self._refused.add((pending.topic, judged.message_id), now)
                for peer in pending.senders.values():
                    self._blame(peer, now)
                return self._judge_elsewhere(pending, judged.message_id, now)
            case _:
                assert_never(judged.verdict)

    def _accepted(
        self, pending: _Pending, judged: Judged, now: float
    ) -> list[GossipAction]:
        first = next(iter(pending.senders.values()))
        first.standing.first(pending.topic)
        if not judged.forward:
            self.tally.held_back += 1
            return []
        message_id, topic, data = judged.message_id, pending.topic, pending.data
        self._lazy.cache.put(message_id, topic, data)
        if not self._limiter.take(first.id, units(len(data)), now):
            self.tally.announced_only += 1
            return []
        eager = self._links.eager_peers(topic)
        holders = pending.holders()
        targets = [peer for peer in eager if peer not in holders]
        # The more copies came while it was judged, the fewer are still needed.
        count = max(MIN_EAGER, self._eager - len(holders))
        if len(targets) > count:
            targets = self._lazy.spare(targets, count, topic, message_id)
        return self._push(targets, topic, message_id, data)

    def _judge_elsewhere(
        self, pending: _Pending, message_id: MessageId, now: float
    ) -> list[GossipAction]:
        """Hand a message out again that also came on another topic of ours."""
        while pending.elsewhere:
            topic = next(iter(pending.elsewhere))
            senders = pending.elsewhere.pop(topic)
            if topic not in self._links.meshes:
                continue
            known_to = pending.known_to.union(pending.senders)
            self._pending[message_id] = _Pending(
                topic, pending.data, now, senders, pending.elsewhere, known_to
            )
            return [Validate(next(iter(senders)), topic, message_id, pending.data)]
        return []

    def publish(
        self, targets: list[PeerId], topic: str, data: bytes, now: float
    ) -> list[GossipAction]:
        """Send a message of our own, unless it was met before."""
        message_id = MessageId(sha256(data).digest())
        if self.is_known(topic, message_id):
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
        self._refused.forget(now)
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
        peer.used.new_messages += 1
        pending = _Pending(message.topic, message.data, now, {peer.id: peer})
        self._pending[message_id] = pending
        if len(message.data) < IDONTWANT_BYTES:
            return
        for other in self._links.meshes[message.topic].peers:
            if other != peer.id and self._roster.peers[other].knows_idontwant:
                out.idontwant(other, message_id)

    def _note_sender(self, pending: _Pending, peer: GossipPeer, topic: str) -> None:
        senders = pending.senders
        if topic != pending.topic:
            senders = pending.elsewhere.setdefault(topic, {})
        senders[peer.id] = peer
        self.tally.duplicates += 1

    def _repeated(self, peer: GossipPeer, now: float) -> None:
        """Note that a peer sent what we had judged REJECT on this very topic."""
        self._roster.drop(peer, "rejected-before")
        self.tally.duplicates += 1
        self._blame(peer, now)

    def _blame(self, peer: GossipPeer, now: float) -> None:
        peer.rejected += 1
        self._scores.reject(peer.id, peer.standing, now)

    def _push(
        self, peers: list[PeerId], topic: str, message_id: MessageId, data: bytes
    ) -> list[GossipAction]:
        known = self._roster.peers
        wanted = tuple([p for p in peers if message_id not in known[p].dont_want])
        return [Push(wanted, topic, message_id, data)] if wanted else []
