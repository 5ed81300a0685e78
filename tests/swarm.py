"""A swarm of gossip routers in lock step: no streams, no clock, no chance but the seed.

Every RPC that is sent lies in one queue and is delivered in order, until all is
quiet (`settle`); only then does time pass (`beat`). While it runs, the swarm
holds every router to what must always be true of its actions.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import (
    GossipAction,
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    Leave,
    PeerJoined,
    PeerLeft,
    Publish,
    Push,
    RpcReceived,
    Send,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Message, Rpc
from moltp2p.proto.gossip.settings import (
    HEARTBEAT_S,
    MESHSUB_1_2,
    GossipSettings,
)

TOPIC = "/moltp2p/1/test/shard/0"
OTHER_TOPIC = "/moltp2p/1/test/shard/1"
TOPICS = frozenset({TOPIC, OTHER_TOPIC, "/moltp2p/1/test/agents"})

ENDLESS = 200_000
"""Deliveries after which a swarm that does not come to rest has failed."""


def id_of(data: bytes) -> MessageId:
    """Return a message's id."""
    return MessageId(sha256(data).digest())


@dataclass
class Node:
    """One router, and what it did.

    Attributes:
        router: the machine.
        peers: to whom it is connected.
        judged: what it was asked to judge, and how often.
        sent: what it sent to whom, in order.
        judge: its judge; None leaves messages pending.
    """

    router: Gossip
    peers: dict[PeerId, None] = field(default_factory=dict)
    judged: Counter[bytes] = field(default_factory=Counter)
    sent: list[tuple[PeerId, Rpc]] = field(default_factory=list)
    judge: Callable[[Validate], Verdict | None] = lambda _: Verdict.ACCEPT
    heard_from: dict[MessageId, set[PeerId]] = field(default_factory=dict)

    def pushes_of(self, data: bytes) -> list[PeerId]:
        """Return whom the node sent a message to, in order."""
        return [
            peer
            for peer, rpc in self.sent
            for message in rpc.messages
            if message.data == data
        ]

    def sent_to(self, peer: PeerId) -> list[Rpc]:
        """Return what the node sent to a peer, in order."""
        return [rpc for to, rpc in self.sent if to == peer]


class Swarm:
    """Routers that are connected as one likes.

    Args:
        count: how many; they are called `n00`, `n01`, …
        seed: of all their dice.
        settings: of every router.
        protocol: what all of them speak.

    Attributes:
        loses: asked of every RPC on its way; true loses it.
    """

    def __init__(
        self,
        count: int,
        seed: int = 1,
        settings: GossipSettings | None = None,
        protocol: str = MESHSUB_1_2,
    ) -> None:
        self.now = 1000.0
        self.nodes: dict[PeerId, Node] = {}
        self.loses: Callable[[PeerId, PeerId, Rpc], bool] = lambda *_: False
        self.rng = random.Random(seed)
        self._protocol = protocol
        self._settings = settings or GossipSettings()
        self._queue: deque[tuple[PeerId, PeerId, Rpc]] = deque()
        for number in range(count):
            self.add(PeerId(f"n{number:02}"))

    @property
    def names(self) -> list[PeerId]:
        """Everybody, in order."""
        return list(self.nodes)

    def add(self, name: PeerId) -> Node:
        """Add a node that is connected to nobody."""
        rng = random.Random(f"{name} {self.rng.random()}")
        router = Gossip(self._settings, rng, TOPICS.__contains__)
        self.nodes[name] = Node(router)
        return self.nodes[name]

    # What happens.

    def connect(self, dialler: PeerId, other: PeerId) -> None:
        """Connect two nodes; harmless when they are."""
        if dialler == other or other in self.nodes[dialler].peers:
            return
        for one, two in ((dialler, other), (other, dialler)):
            self.nodes[one].peers[two] = None
        self.tell(dialler, PeerJoined(other, self._protocol, outbound=True))
        self.tell(other, PeerJoined(dialler, self._protocol, outbound=False))

    def disconnect(self, one: PeerId, two: PeerId) -> None:
        """Part two nodes; what is under way between them is lost."""
        self._queue = deque(
            each for each in self._queue if {each[0], each[1]} != {one, two}
        )
        for here, there in ((one, two), (two, one)):
            del self.nodes[here].peers[there]
            self.tell(here, PeerLeft(there))

    def connect_all(self) -> None:
        """Connect everybody with everybody."""
        for number, name in enumerate(self.names):
            for other in self.names[:number]:
                self.connect(name, other)

    def connect_some(self, each: int) -> None:
        """Let everybody dial `each` others by chance, and a ring hold it together."""
        for number, name in enumerate(self.names):
            self.connect(name, self.names[number - 1])
            for other in self.rng.sample(self.names, each):
                self.connect(name, other)

    def connect_edges(self, edges: Iterable[tuple[int, int]]) -> None:
        """Connect by number."""
        for one, two in edges:
            self.connect(self.names[one], self.names[two])

    def join(self, topic: str = TOPIC, names: Iterable[PeerId] | None = None) -> None:
        """Let nodes, by default all, join a topic."""
        for name in self.names if names is None else names:
            self.tell(name, Join(topic))

    def leave(self, name: PeerId, topic: str = TOPIC) -> None:
        """Let a node leave a topic."""
        self.tell(name, Leave(topic))

    def publish(self, name: PeerId, data: bytes, topic: str = TOPIC) -> None:
        """Let a node publish; before and after, everything comes to rest."""
        self.settle()
        self.tell(name, Publish(topic, data))
        self.settle()

    def beat(self, times: int = 1) -> None:
        """Let time pass, a heartbeat at a time."""
        for _ in range(times):
            self.settle()
            self.now += HEARTBEAT_S
            for name in self.names:
                self.tell(name, Heartbeat())
            self.settle()

    def send(self, sender: PeerId, to: PeerId, rpc: Rpc) -> None:
        """Put an RPC under way that no router made."""
        self._queue.append((sender, to, rpc))

    def settle(self) -> None:
        """Deliver until nothing is under way."""
        for _ in range(ENDLESS):
            if not self._queue:
                return
            sender, to, rpc = self._queue.popleft()
            if not self.loses(sender, to, rpc):
                self._hear(sender, to, rpc)
        raise AssertionError("the swarm does not come to rest")

    def tell(self, name: PeerId, event: GossipEvent) -> list[GossipAction]:
        """Give one node an event, and do what it answers."""
        actions = self.nodes[name].router.handle(event, self.now)
        for action in actions:
            self._act(name, action)
        return actions

    # What came of it.

    def mesh_sizes(self, topic: str = TOPIC) -> list[int]:
        """Return the size of each node's mesh."""
        return [len(node.router.mesh(topic)) for node in self.nodes.values()]

    def has(self, name: PeerId, data: bytes) -> bool:
        """Return whether a node has judged a message."""
        return self.nodes[name].judged[data] > 0

    def missing(self, data: bytes, but: PeerId) -> list[PeerId]:
        """Return who has not judged a message, its publisher left out."""
        return [n for n in self.names if n != but and not self.has(n, data)]

    def _hear(self, sender: PeerId, to: PeerId, rpc: Rpc) -> None:
        node = self.nodes[to]
        for message in rpc.messages:
            node.heard_from.setdefault(id_of(message.data), set()).add(sender)
        self.tell(to, RpcReceived(sender, rpc))

    def _act(self, name: PeerId, action: GossipAction) -> None:
        node = self.nodes[name]
        match action:
            case Send(peer, rpc):
                assert rpc != Rpc(), "an RPC with nothing in it"
                assert not rpc.messages
                self._transmit(name, peer, rpc)
            case Push(peers, topic, message_id, data):
                assert peers
                assert len(set(peers)) == len(peers)
                assert message_id == id_of(data)
                heard_from = node.heard_from.get(message_id, set())
                assert not heard_from & set(peers), "an echo"
                for peer in peers:
                    self._transmit(name, peer, Rpc(messages=(Message(topic, data),)))
            case Validate(peer, _, message_id, data):
                assert message_id == id_of(data)
                node.judged[data] += 1
                if verdict := node.judge(action):
                    self.tell(name, Judged(message_id, verdict))
            case Withdraw(peer, _):
                assert peer in node.peers

    def _transmit(self, sender: PeerId, to: PeerId, rpc: Rpc) -> None:
        assert to in self.nodes[sender].peers, f"{sender} sends to absent {to}"
        assert rpc.is_within_limits()
        self.nodes[sender].sent.append((to, rpc))
        if sender in self.nodes[to].peers:
            self._queue.append((sender, to, rpc))
