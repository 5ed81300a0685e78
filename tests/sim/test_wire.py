from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.events import RpcReceived
from moltp2p.proto.gossip.rpc import Rpc
from moltp2p.testing.sim.meter import Traffic
from moltp2p.testing.sim.scenario import Network
from moltp2p.testing.sim.timeline import Timeline
from moltp2p.testing.sim.wire import QUEUE_BYTES, Link, Wire

EAR = PeerId("ear")


@dataclass
class Ear:
    """Somebody who notes when an RPC arrives."""

    timeline: Timeline
    is_honest: bool = True
    peer: PeerId = EAR
    side: int = 0
    uplink_mbit: float | None = None
    uplink_free_at: float = 0.0
    heard: list[tuple[float, RpcReceived]] = field(default_factory=list)

    def receive(self, event: RpcReceived) -> None:
        self.heard.append((self.timeline.now, event))

    @property
    def times(self) -> list[float]:
        return [at_s for at_s, _ in self.heard]


class Lab:
    """A wire, and links of 100 ms on it."""

    def __init__(self, **network: float) -> None:
        self.timeline = Timeline()
        self.traffic = Traffic()
        settings = Network(**{"jitter": 0, "uplink_mbit": 0, **network})  # type: ignore[arg-type]
        rng = random.Random(1)
        self.wire = Wire(self.timeline, settings, rng, self.traffic)
        self.alice, self.bob = Ear(self.timeline), Ear(self.timeline)
        self.link = Link(self.alice, self.bob, 0.1, outbound=True)

    def send(self, size_bytes: int = 100, *, can_be_lost: bool = True) -> None:
        event = RpcReceived(PeerId("alice"), Rpc())
        self.wire.send(self.link, event, size_bytes, can_be_lost=can_be_lost)


def test_a_sender_with_a_line_of_its_own_is_as_slow_as_that() -> None:
    lab = Lab(uplink_mbit=8)
    lab.alice.uplink_mbit = 0.8
    lab.send(100_000)
    lab.timeline.run(5)

    assert lab.bob.times == pytest.approx([1.1])
    assert lab.wire.has_room(lab.alice)


def test_an_rpc_arrives_after_its_latency() -> None:
    lab = Lab()
    lab.send()
    lab.timeline.run(1)

    assert lab.bob.times == [0.1]


def test_a_narrow_uplink_sends_one_after_the_other() -> None:
    lab = Lab(uplink_mbit=8)  # a million bytes a second
    lab.send(200_000)
    lab.send(100_000)
    lab.timeline.run(1)

    assert lab.bob.times == pytest.approx([0.3, 0.4])


def test_an_uplink_is_shared_by_all_links_of_a_node() -> None:
    lab = Lab(uplink_mbit=8)
    carol = Ear(lab.timeline)
    lab.send(200_000)
    lab.link = Link(lab.alice, carol, 0.1, outbound=True)
    lab.send(100_000)
    lab.timeline.run(1)

    assert carol.times == pytest.approx([0.4])


def test_a_link_keeps_its_order_whatever_the_jitter() -> None:
    lab = Lab(jitter=1)
    for number in range(50):
        lab.timeline.run(number / 1000)
        lab.send()
    lab.timeline.run(1)

    assert len(lab.bob.times) == 50
    assert lab.bob.times == sorted(lab.bob.times)
    assert all(0.1 <= at_s <= 0.25 for at_s in lab.bob.times)


def test_as_many_rpcs_vanish_as_the_loss_says() -> None:
    lab = Lab(loss=0.3)
    for _ in range(1000):
        lab.send()
    lab.timeline.run(1)

    assert len(lab.bob.heard) == pytest.approx(700, abs=50)
    assert lab.traffic.lost == 1000 - len(lab.bob.heard)


def test_what_ends_a_stream_when_it_is_lost_is_not_lost() -> None:
    lab = Lab(loss=1)
    lab.send(can_be_lost=False)
    lab.timeline.run(1)

    assert len(lab.bob.heard) == 1


def test_nothing_passes_a_cut_link_nor_is_heard_on_a_closed_one() -> None:
    lab = Lab()
    lab.link.is_cut = True
    lab.send()
    lab.link.is_cut = False
    lab.send()
    lab.link.is_open = False
    lab.timeline.run(1)

    assert lab.bob.heard == []


def test_a_node_has_room_until_its_queue_is_full() -> None:
    lab = Lab(uplink_mbit=8)
    lab.send(QUEUE_BYTES)

    assert lab.wire.has_room(lab.alice)

    lab.send(1)

    assert not lab.wire.has_room(lab.alice)

    lab.timeline.run(0.1)

    assert lab.wire.has_room(lab.alice)


def test_bytes_are_counted_by_who_sent_them() -> None:
    lab = Lab()
    lab.send(100)
    lab.alice.is_honest = False
    lab.send(30)
    lab.bob.is_honest = False
    lab.send(5)

    assert lab.traffic == Traffic(sent_bytes=100, sybil_bytes=30)
