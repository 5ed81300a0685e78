"""The simulated network between the nodes: when does what arrive?

A connection is two links, one each way. A link keeps its order, as a stream does;
all links of a node share what it can send.
"""

from __future__ import annotations

import random
from typing import Final, Protocol

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.events import RpcReceived
from moltp2p.testing.sim.meter import Traffic
from moltp2p.testing.sim.scenario import Network
from moltp2p.testing.sim.timeline import Timeline

QUEUE_BYTES: Final = 4 * 1024 * 1024
"""What may wait to be sent by one node, all peers together. A message beyond is
dropped, and its router told; control waits, as it does in the driver."""


class Endpoint(Protocol):
    """Who sends and receives."""

    peer: PeerId
    is_honest: bool
    side: int
    uplink_mbit: float | None
    uplink_free_at: float

    def receive(self, event: RpcReceived) -> None:
        """Take an RPC."""


class Link:
    """One direction of a connection.

    Attributes:
        sender: who sends on it.
        receiver: who receives.
        latency_s: how long bytes travel.
        is_outbound: whether the sender dialled.
        is_open: whether what is under way will be heard.
        is_cut: whether what is sent now is lost.
    """

    __slots__ = (
        "arrived_at",
        "is_cut",
        "is_open",
        "is_outbound",
        "latency_s",
        "receiver",
        "sender",
    )

    def __init__(
        self, sender: Endpoint, receiver: Endpoint, latency_s: float, *, outbound: bool
    ) -> None:
        self.sender = sender
        self.receiver = receiver
        self.latency_s = latency_s
        self.is_outbound = outbound
        self.is_open = True
        self.is_cut = False
        self.arrived_at = 0.0

    def deliver(self, event: RpcReceived) -> None:
        """Let an RPC arrive, if there is still somebody to hear it."""
        if self.is_open:
            self.receiver.receive(event)


class Wire:
    """Carries RPCs, each at its own time.

    Args:
        timeline: where arrivals are planned.
        network: bandwidth, jitter and loss.
        rng: draws jitter and loss.
        traffic: where bytes are counted.
    """

    def __init__(
        self,
        timeline: Timeline,
        network: Network,
        rng: random.Random,
        traffic: Traffic,
    ) -> None:
        self._timeline = timeline
        self._traffic = traffic
        self._random = rng.random
        self._jitter = network.jitter
        self._loss = network.loss
        self._s_per_byte = _s_per_byte(network.uplink_mbit)

    def has_room(self, sender: Endpoint) -> bool:
        """Return whether the sender may queue another message."""
        queue_s = QUEUE_BYTES * self._pace(sender)
        return sender.uplink_free_at <= self._timeline.now + queue_s

    def send(
        self, link: Link, event: RpcReceived, size_bytes: int, *, can_be_lost: bool
    ) -> None:
        """Send an RPC; it arrives after those before it, or never."""
        now, sender = self._timeline.now, link.sender
        start = max(now, sender.uplink_free_at)
        sender.uplink_free_at = sent_at = start + size_bytes * self._pace(sender)
        if sender.is_honest:
            self._traffic.sent_bytes += size_bytes
        elif link.receiver.is_honest:
            self._traffic.sybil_bytes += size_bytes
        if link.is_cut or (can_be_lost and self._loss and self._random() < self._loss):
            self._traffic.lost += sender.is_honest
            return
        travel_s = link.latency_s * (1 + self._jitter * self._random())
        arrival = max(sent_at + travel_s, link.arrived_at)
        link.arrived_at = arrival
        self._timeline.at(arrival, link.deliver, event)

    def _pace(self, sender: Endpoint) -> float:
        own = sender.uplink_mbit
        return self._s_per_byte if own is None else _s_per_byte(own)


def _s_per_byte(mbit: float) -> float:
    return 8 / (mbit * 1e6) if mbit else 0.0
