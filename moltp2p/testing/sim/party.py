"""A node in the simulation: a real router, with the simulation for a driver."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final, Protocol, assert_never

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import IpAddress
from moltp2p.proto.gossip.events import (
    GossipAction,
    Heartbeat,
    Join,
    Overflowed,
    PeerJoined,
    PeerLeft,
    Push,
    RpcReceived,
    Send,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Message, Rpc
from moltp2p.proto.gossip.settings import HEARTBEAT_S, MESHSUB_1_2, GossipSettings
from moltp2p.proto.peers.entry import redial_delay_s
from moltp2p.testing.sim.meter import Traffic
from moltp2p.testing.sim.sizes import message_bytes, rpc_bytes
from moltp2p.testing.sim.timeline import Timeline
from moltp2p.testing.sim.wire import Link, Wire

_BEAT: Final = Heartbeat()


class Surroundings(Protocol):
    """What a node finds around itself."""

    timeline: Timeline
    wire: Wire
    traffic: Traffic
    topics: list[str]

    def rng(self, purpose: str) -> random.Random:
        """Return dice of their own for a purpose."""

    def look_for_peers(self, party: Party) -> None:
        """Let a node dial those that it misses."""


class Party(ABC):
    """One node, online or not.

    Args:
        index: its number among its like.
        peer: its name.
        ip: its address.
        region: where it is.
        around: the simulation.

    Attributes:
        links: what it can send on, by peer.
        dials: how many connections it wants to have dialled.
        max_inbound: how many of others it accepts.
        is_reachable: whether it can be dialled.
        side: on which side of a partition it is.
        outbound: how many connections it has that it dialled.
        dialling: whom it dials now.
        uplink_mbit: what it can send; None is as the network says.
        dial_failures: whom it could not reach: how often, and when to try again.
    """

    is_honest = True
    settings: GossipSettings = GossipSettings()

    def __init__(
        self,
        index: int,
        peer: PeerId,
        ip: IpAddress,
        region: str,
        around: Surroundings,
    ) -> None:
        self.index = index
        self.peer = peer
        self.ip = ip
        self.region = region
        self.links: dict[PeerId, Link] = {}
        self.dials = 0
        self.max_inbound = 0
        self.is_reachable = True
        self.side = 0
        self.outbound = 0
        self.dialling: set[PeerId] = set()
        self.dial_failures: dict[PeerId, tuple[int, float]] = {}
        self.uplink_mbit: float | None = None
        self.uplink_free_at = 0.0
        self.session = 0
        self.is_online = False
        self.started_at = 0.0
        self.router: Gossip
        self._around = around
        self._timeline = around.timeline
        self._wire = around.wire
        self._traffic = around.traffic

    # A life.

    def start(self) -> None:
        """Come online, with a router that knows nothing."""
        self.is_online = True
        self.session += 1
        self.started_at = self._timeline.now
        rng = self._around.rng(f"router/{self.peer}/{self.session}")
        self.router = Gossip(self.settings, rng, set(self._around.topics).__contains__)
        for topic in self._around.topics:
            self.tell(Join(topic))
        self._around.look_for_peers(self)
        first_s = self.started_at + rng.uniform(0, HEARTBEAT_S)
        self._timeline.at(first_s, self._beat, self.session)

    def stop(self) -> None:
        """Go offline; whoever was connected hears of it from the simulation."""
        self.is_online = False
        self.dialling.clear()
        self.dial_failures.clear()

    def accepts_dial(self) -> bool:
        """Return whether another connection can be opened to it."""
        inbound = len(self.links) - self.outbound
        return self.is_online and self.is_reachable and inbound < self.max_inbound

    def may_dial(self, peer: PeerId) -> bool:
        """Return whether a peer is neither connected, nor dialled, nor left alone."""
        if peer in self.links or peer in self.dialling:
            return False
        _, not_before = self.dial_failures.get(peer, (0, 0.0))
        return not_before <= self._timeline.now

    def dial_failed(self, peer: PeerId, rng: random.Random) -> None:
        """Leave a peer alone for as long as a real node would."""
        failures = self.dial_failures.get(peer, (0, 0.0))[0] + 1
        not_before = self._timeline.now + redial_delay_s(failures, rng)
        self.dial_failures[peer] = failures, not_before

    def joined(self, link: Link, peer: PeerId, ip: IpAddress) -> None:
        """Begin a connection."""
        self.links[peer] = link
        self.outbound += link.is_outbound
        self.tell(PeerJoined(peer, MESHSUB_1_2, link.is_outbound, ip))

    def left(self, peer: PeerId) -> None:
        """End a connection, if there is one."""
        link = self.links.pop(peer, None)
        if link is None:
            return
        self.outbound -= link.is_outbound
        link.is_open = False
        if self.is_online:
            self.tell(PeerLeft(peer))

    # The router and its driver.

    def tell(self, event: Join | PeerJoined | PeerLeft | Overflowed) -> None:
        """Tell the router something, and do what it wants done."""
        self.perform(self.router.handle(event, self._timeline.now))

    def receive(self, event: RpcReceived) -> None:
        """Take an RPC from the network."""
        self.perform(self.router.handle(event, self._timeline.now))

    def perform(self, actions: Iterable[GossipAction]) -> None:
        """Do what the router wants done."""
        for action in actions:
            match action:
                case Push():
                    self.push(action)
                case Validate():
                    self.judge(action)
                case Send(peer, rpc):
                    self.send(peer, rpc)
                case Withdraw():
                    pass  # what the network took over cannot be taken back
                case _:
                    assert_never(action)

    @abstractmethod
    def judge(self, action: Validate) -> None:
        """Come to a verdict on a message."""

    def push(self, action: Push) -> None:
        """Send a message to several peers."""
        message = Message(action.topic, action.data)
        event = RpcReceived(self.peer, Rpc(messages=(message,)))
        size_bytes = message_bytes(action.topic, action.data)
        for peer in action.peers:
            link = self.links.get(peer)
            if link is None:
                continue
            if self._wire.has_room(self):
                self._wire.send(link, event, size_bytes, can_be_lost=True)
            else:
                self._traffic.overflowed += self.is_honest
                self.tell(Overflowed(peer, action.topic))

    def send(self, peer: PeerId, rpc: Rpc) -> None:
        """Send control to a peer."""
        link = self.links.get(peer)
        if link is None:
            return
        size_bytes = rpc_bytes(rpc)
        if self.is_honest:
            self._traffic.control_bytes += size_bytes
        keeps = bool(rpc.subscriptions or rpc.graft or rpc.prune)
        event = RpcReceived(self.peer, rpc)
        self._wire.send(link, event, size_bytes, can_be_lost=not keeps)

    def beat(self) -> None:
        """Let a heartbeat pass."""
        self.perform(self.router.handle(_BEAT, self._timeline.now))
        self._around.look_for_peers(self)

    def _beat(self, session: int) -> None:
        if self.is_online and session == self.session:
            self.beat()
            at_s = self._timeline.now + HEARTBEAT_S
            self._timeline.at(at_s, self._beat, session)
