"""What the router knows of its peers, every part of it bounded."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES, MAX_TOPIC_BYTES
from moltp2p.proto.gossip.settings import (
    FLOOD_FACTOR,
    IDONTWANT_HEARTBEATS,
    IWANT_ANSWER_BYTES,
    IWANT_RPCS,
    IWANT_WINDOW_S,
    MAX_CONTROL_ENTRIES,
    MAX_DONT_WANT,
    MAX_IHAVE_IDS,
    MAX_IHAVE_RPCS,
    MAX_IWANT_IDS,
    MAX_IWANT_IDS_PER_RPC,
    MAX_PEER_TOPICS,
    MAX_SPARED,
    MESHSUB_1_2,
    MIN_IWANT_IDS,
)
from moltp2p.proto.gossip.standing import Standing

SIZE_SHARE: Final = 1 / 8
"""How fast the idea of a peer's message size falls, with each smaller message."""

_Key = TypeVar("_Key")


@dataclass(slots=True)
class Allowance:
    """What a peer has done since the last heartbeat.

    All of it is counted, also what is over a limit and passed over.

    Attributes:
        entries: its subscriptions, GRAFTs and PRUNEs.
        ihave_rpcs: RPCs in which it announced something.
        ihave_ids: ids that it announced.
        iwant_ids: ids that it asked for.
        iwant_bytes: data that it was given for them.
        idontwant_ids: ids that it refused.
        new_messages: messages that it was the first to bring.
    """

    entries: int = 0
    ihave_rpcs: int = 0
    ihave_ids: int = 0
    iwant_ids: int = 0
    iwant_bytes: int = 0
    idontwant_ids: int = 0
    new_messages: int = 0

    def is_flood(self) -> bool:
        """Return whether even two heartbeats of the peer's could not explain it."""
        return (
            self.entries > FLOOD_FACTOR * MAX_CONTROL_ENTRIES
            or self.ihave_rpcs > FLOOD_FACTOR * MAX_IHAVE_RPCS
            or self.ihave_ids > FLOOD_FACTOR * MAX_IHAVE_IDS
            or self.iwant_ids > FLOOD_FACTOR * MAX_IWANT_IDS
            or self.idontwant_ids > FLOOD_FACTOR * MAX_DONT_WANT
        )


@dataclass(slots=True)
class GossipPeer:
    """One peer that can be sent RPCs.

    Attributes:
        id: who it is.
        protocol: the meshsub protocol it speaks.
        outbound: whether we dialled it.
        standing: its score, and the counts that make it.
        topics: what it subscribed to, in order (a dict is an ordered set).
        dont_want: ids that IDONTWANT named, and for how many heartbeats more.
        owed: topics announced to it although it is in the mesh, and for how
            many heartbeats more.
        spared: messages that were not pushed to it although it is in the mesh,
            and their topics; announced to it unless it shows that it has them.
        needy: for how many heartbeats more it is not spared anything: it had to ask
            for what it was spared.
        turn: at which of each `GOSSIP_TURNS` heartbeats it is told what there is.
        used: what it has done since the last heartbeat.
        asked_at: when we asked it for something, the last `IWANT_RPCS` times.
        message_bytes: how large its messages are: the largest, falling slowly
            towards what came since.
        rejected: messages that it sent and that were judged REJECT.
        drops: what we passed over of what it sent, by cause.
    """

    id: PeerId
    protocol: str
    outbound: bool
    standing: Standing = field(default_factory=Standing)
    topics: dict[str, None] = field(default_factory=dict)
    dont_want: dict[MessageId, int] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)
    spared: dict[MessageId, str] = field(default_factory=dict)
    needy: int = 0
    turn: int = 0
    used: Allowance = field(default_factory=Allowance)
    asked_at: deque[float] = field(default_factory=lambda: deque(maxlen=IWANT_RPCS))
    message_bytes: float = MAX_MESSAGE_BYTES
    rejected: int = 0
    drops: Counter[str] = field(default_factory=Counter)

    @property
    def knows_idontwant(self) -> bool:
        """Whether IDONTWANT may be sent to it."""
        return self.protocol == MESHSUB_1_2

    def refuse(self, ids: tuple[MessageId, ...]) -> tuple[MessageId, ...]:
        """Note ids that the peer does not want; return those there was room for."""
        self.used.idontwant_ids += len(ids)
        noted = ids[: max(0, MAX_DONT_WANT - len(self.dont_want))]
        self.dont_want.update(dict.fromkeys(noted, IDONTWANT_HEARTBEATS))
        return noted

    def admit_entries(self, count: int) -> bool:
        """Count subscriptions, GRAFTs and PRUNEs; return whether to read them."""
        self.used.entries += count
        return self.used.entries <= MAX_CONTROL_ENTRIES

    def spare(self, message_id: MessageId, topic: str) -> None:
        """Note that a message is not pushed to the peer, but will be announced."""
        if len(self.spared) < MAX_SPARED:
            self.spared[message_id] = topic

    def note_held(self, ids: Iterable[MessageId]) -> None:
        """Note that the peer has messages; they need not be announced to it."""
        if self.spared:
            for message_id in ids:
                self.spared.pop(message_id, None)

    def note_size(self, size_bytes: int) -> None:
        """Learn from the size of a message that it sent."""
        share = 1.0 if size_bytes > self.message_bytes else SIZE_SHARE
        self.message_bytes += share * (size_bytes - self.message_bytes)

    @property
    def ask_ids(self) -> int:
        """How many ids to ask for at once.

        Others answer one IWANT with one RPC, however large it becomes, and a
        frame that is too large costs the stream.
        """
        fitting = int(IWANT_ANSWER_BYTES / max(1.0, self.message_bytes))
        return max(MIN_IWANT_IDS, min(MAX_IWANT_IDS_PER_RPC, fitting))

    def ask_room(self, now: float) -> int:
        """Return how many ids may be asked for now.

        Others ignore more than `IWANT_RPCS` in one heartbeat of theirs, which
        does not begin when ours does.
        """
        recent = sum(at > now - IWANT_WINDOW_S for at in self.asked_at)
        return (IWANT_RPCS - recent) * self.ask_ids

    def tick(self) -> None:
        """Let one heartbeat pass."""
        self.used = Allowance()
        self.needy = max(0, self.needy - 1)
        if self.dont_want:
            self.dont_want = _one_less(self.dont_want)
        if self.owed:
            self.owed = _one_less(self.owed)


def _one_less(left: dict[_Key, int]) -> dict[_Key, int]:
    return {key: count - 1 for key, count in left.items() if count > 1}


class Roster:
    """The peers, and which of them subscribed to what.

    Args:
        is_allowed: whether a topic exists in our network; nothing is kept of
            any other.
    """

    def __init__(self, is_allowed: Callable[[str], bool]) -> None:
        self.peers: dict[PeerId, GossipPeer] = {}
        self.drops: Counter[str] = Counter()
        self._is_allowed = is_allowed
        self._subscribers: dict[str, dict[PeerId, None]] = {}

    def is_topic(self, topic: str) -> bool:
        """Return whether a topic exists in our network."""
        return len(topic.encode()) <= MAX_TOPIC_BYTES and self._is_allowed(topic)

    def score(self, peer: PeerId) -> float:
        """Return a peer's score; 0 when it is not here."""
        known = self.peers.get(peer)
        return known.standing.score if known else 0.0

    def is_outbound(self, peer: PeerId) -> bool:
        """Return whether the peer is here and was dialled by us."""
        known = self.peers.get(peer)
        return known is not None and known.outbound

    def subscribers(self, topic: str) -> Mapping[PeerId, None]:
        """Return the peers in a topic, those longest in it first."""
        return self._subscribers.get(topic, {})

    def publishable(self, topic: str) -> list[PeerId]:
        """Return the peers in a topic to whom messages of our own are sent."""
        peers = self.peers
        return [p for p in self.subscribers(topic) if peers[p].standing.may_publish]

    def remove(self, peer: PeerId) -> None:
        """Forget a peer."""
        known = self.peers.pop(peer, None)
        for topic in known.topics if known else ():
            self._forget_subscriber(topic, peer)

    def subscribe(self, peer: GossipPeer, topic: str) -> bool:
        """Note a subscription; return whether it is a new one."""
        if topic in peer.topics:
            return False
        if not self.is_topic(topic):
            self.drop(peer, "topic-not-allowed")
            return False
        if len(peer.topics) >= MAX_PEER_TOPICS:
            self.drop(peer, "too-many-topics")
            return False
        peer.topics[topic] = None
        self._subscribers.setdefault(topic, {})[peer.id] = None
        return True

    def unsubscribe(self, peer: GossipPeer, topic: str) -> None:
        """Forget a subscription, if there is one."""
        if topic in peer.topics:
            del peer.topics[topic]
            peer.owed.pop(topic, None)
            self._forget_subscriber(topic, peer.id)

    def drop(self, peer: GossipPeer, cause: str, count: int = 1) -> None:
        """Count what was passed over of what the peer sent."""
        if count:
            self.drops[cause] += count
            peer.drops[cause] += count

    def _forget_subscriber(self, topic: str, peer: PeerId) -> None:
        subscribers = self._subscribers[topic]
        del subscribers[peer]
        if not subscribers:
            del self._subscribers[topic]
