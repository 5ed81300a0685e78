"""The handlers themselves, on a network in memory, among strangers who talk nonsense.

What a parser refuses still has to end well: its stream, the peer's standing, and
nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
import trio.testing
from libp2p.host.autonat.pb.autonat_pb2 import Message
from libp2p.relay.circuit_v2.pb import circuit_pb2 as pb
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch
from trio.testing import MockClock

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.net.base import ConnectionLimits, Network, Stream
from moltp2p.net.circuits import HOP, peer_bytes
from moltp2p.net.finding.autonat import PROTOCOL as AUTONAT
from moltp2p.net.finding.discovery import DiscoverySettings, Means, open_discovery
from moltp2p.net.finding.punching import PROTOCOL as DCUTR
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.identify import IDENTIFY, PING, Introduction, ping
from moltp2p.net.memory import MemoryHub, memory_peer_id, open_memory_network
from moltp2p.proto.peers import peer_exchange
from moltp2p.proto.peers.relay_desk import RelayLimits
from tests.acquaintances import wall_ms
from tests.fuzz import corpus, mutations
from tests.fuzz.mutations import Mutation
from tests.fuzz.parser import STALL_S
from tests.gossipers import Gossiper, open_gossiper

pytestmark = pytest.mark.slow

STREAMS = 10
"""A stranger's, before another comes: too many faults end a connection."""

ANY_PACE = ConnectionLimits(handshakes_per_s=10_000, address_per_s=10_000)
"""They come faster than a node lets them, so that it does not take all day."""


def dial_backs() -> bytes:
    """Return what asks to be dialled back."""
    ask = Message.PeerInfo(id=b"who", addrs=[bytes.fromhex("0409000001060fa1")])
    return Message(dial=Message.Dial(peer=ask)).SerializeToString()


def connects() -> bytes:
    """Return what asks a relay for a connection."""
    peer = pb.PeerId(id=peer_bytes(memory_peer_id(b"1")))
    return pb.HopMessage(type=pb.HopMessage.CONNECT, peer=peer).SerializeToString()


def punches() -> list[bytes]:
    """Return what asks to dial at the same moment, and what says when."""
    where = [bytes.fromhex("0409000001060fa1")]
    ask = HolePunch(type=HolePunch.CONNECT, ObsAddrs=where)
    sync = HolePunch(type=HolePunch.SYNC)
    return [each.SerializeToString() for each in (ask, sync)]


Sayings = tuple[str, Mutation, Callable[[], list[bytes]]]

SAYINGS: tuple[Sayings, ...] = (
    *(
        (
            protocol,
            mutations.framed(mutations.protobuf),
            lambda: corpus.inputs("05-gossip", "rpc"),
        )
        for protocol in PROTOCOLS
    ),
    (
        peer_exchange.PROTOCOL,
        mutations.framed(mutations.cbor),
        lambda: corpus.inputs("04-transport", "ask"),
    ),
    (AUTONAT, mutations.framed(mutations.protobuf), lambda: [dial_backs()]),
    (HOP, mutations.framed(mutations.protobuf), lambda: [connects(), b"\x08\x00"]),
    (DCUTR, mutations.framed(mutations.protobuf), punches),
    (PING, mutations.raw, lambda: [bytes(32), bytes(range(64))]),
    (IDENTIFY, mutations.raw, lambda: [b"\x00", bytes(100)]),
)


class LongestStep(trio.abc.Instrument):
    """Measures how long a task has held the loop: processor time, of this thread."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._since = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.seconds = max(self.seconds, time.thread_time() - self._since)


async def babble(stranger: Network, victim: PeerId, rng: random.Random) -> None:
    """Open streams, say nonsense on each, and close, reset or leave it."""
    for _ in range(STREAMS):
        protocol, mutate, seeds = rng.choice(SAYINGS)
        said = mutate(rng, rng.choice(seeds()), seeds())
        with suppress(PeerError):
            stream = await stranger.open_stream(victim, [protocol])
            for piece in (said[: len(said) // 2], said[len(said) // 2 :]):
                if piece:
                    await stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked()
            if rng.random() < 0.6:
                await stream.close()
            elif rng.random() < 0.5:
                await stream.reset()


async def visits(count: int, rng: random.Random) -> Gossiper:
    """Let strangers come one after the other; return the node that bore them."""
    hub, key = MemoryHub(), PublicKey(bytes(32))
    wanted = DiscoverySettings(relay=RelayLimits())
    async with (
        open_gossiper(hub, "victim", limits=ANY_PACE) as victim,
        open_discovery(victim.network, [], rng, Means(wall_ms), wanted),
    ):
        us = Introduction(key, list, lambda: PROTOCOLS)
        victim.network.handle(IDENTIFY, us.serve)
        victim.network.handle(PING, ping)
        for number in range(count):
            async with open_memory_network(hub, b"%d" % number) as stranger:
                for protocol in PROTOCOLS:
                    stranger.handle(protocol, read_on)
                await stranger.dial(victim.network.addresses()[0])
                await babble(stranger, victim.peer, rng)
        await trio.testing.wait_all_tasks_blocked()
    return victim


async def read_on(stream: Stream) -> None:
    while await stream.receive_some(65536):
        pass


async def check(count: int, rng: random.Random) -> None:
    longest = LongestStep()
    trio.lowlevel.add_instrument(longest)
    victim = await visits(count, rng)
    trio.lowlevel.remove_instrument(longest)

    stats = victim.network.stats()
    print(f"longest step {longest.seconds * 1e3:.0f} ms; {stats}")  # noqa: T201
    assert stats.handler_bugs == {}
    assert stats.faults["bad-rpc"] > 0
    assert longest.seconds < STALL_S


async def test_nonsense_on_a_thousand_streams_ends_nothing_else(
    autojump_clock: MockClock, rng: random.Random
) -> None:
    await check(100, rng)


@pytest.mark.long
async def test_nonsense_on_a_hundred_thousand_streams_ends_nothing_else(
    autojump_clock: MockClock, rng: random.Random
) -> None:
    await check(10_000, rng)
