"""A network inside one process: the same switch and streams, without sockets.

A `MemoryHub` is the world that its nodes live in. It can be slow (`latency_s`)
and it can break (`cut`, `partition`). Time is trio's, so an autojump clock makes
any latency free, and nothing here draws lots.

    hub = MemoryHub()
    async with (
        open_memory_network(hub, b"alice") as alice,
        open_memory_network(hub, b"bob") as bob,
    ):
        await alice.dial(bob.addresses()[0])
"""

from __future__ import annotations

import hashlib
import ipaddress
from contextlib import ExitStack, asynccontextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Final

import trio

from moltp2p.core.errors import LocalError, PeerError
from moltp2p.core.ids import PeerId
from moltp2p.core.keys import Signer
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.memory_streams import MemoryOffer, MemoryStream, Pipe
from moltp2p.net.streams import GuardedStream
from moltp2p.net.switch import open_switch
from moltp2p.proto.address import Address, Endpoint, peer_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

    from moltp2p.net.bandwidth import Bandwidth
    from moltp2p.net.base import FaultHandler, Network, Stream
    from moltp2p.net.containment import Offer
    from moltp2p.net.switch import Switch

OFFERS: Final = 10
"""Streams opened and not yet taken up by the other end, as in libp2p's yamux;
whoever opens one more waits."""

PORT: Final = 4001
INBOUND_PORT: Final = 49152  # where a dialler seems to come from


def memory_signer(name: bytes) -> Signer:
    """Return the key of the memory node called `name`, made from its name."""
    return Signer(hashlib.sha256(name).digest())


def memory_peer_id(name: bytes) -> PeerId:
    """Return the peer id of the memory node called `name`."""
    return peer_id_of(memory_signer(name).public)


class MemoryHub:
    """The world of some memory networks.

    Args:
        latency_s: seconds that bytes take from one node to another.
    """

    def __init__(
        self, latency_s: Callable[[PeerId, PeerId], float] = lambda _from, _to: 0.0
    ) -> None:
        self.latency_s = latency_s
        self.nodes: dict[Endpoint, MemoryNode] = {}
        self._connections: list[MemoryConnection] = []
        self._cuts: set[frozenset[PeerId]] = set()
        self._seen = 0

    def cut(self, one: PeerId, other: PeerId) -> None:
        """Break what connects two nodes, and let neither dial the other."""
        self._cuts.add(frozenset((one, other)))
        for connection in self._connections:
            if connection.ends == {one, other}:
                connection.sever()

    def heal(self, one: PeerId, other: PeerId) -> None:
        """Let two nodes dial each other again."""
        self._cuts.discard(frozenset((one, other)))

    def partition(self, *groups: Collection[PeerId]) -> None:
        """Cut every node of one group from every node of the others."""
        for group, another in combinations(groups, 2):
            for one in group:
                for other in another:
                    self.cut(one, other)

    def heal_all(self) -> None:
        """Undo every cut."""
        self._cuts.clear()

    def is_cut(self, one: PeerId, other: PeerId) -> bool:
        """Tell whether two nodes are kept apart."""
        return frozenset((one, other)) in self._cuts

    def free_endpoint(self) -> Endpoint:
        """Return an endpoint nobody has, in a /24 of its own: no two are neighbours."""
        self._seen += 1
        high, low = divmod(self._seen, 256)
        return Endpoint(ipaddress.ip_address(f"10.{high}.{low}.1"), PORT)

    def remember(self, connection: MemoryConnection) -> None:
        """Keep a connection, to be able to cut it; forget those that ended."""
        self._connections = [each for each in self._connections if not each.ended]
        self._connections.append(connection)


class MemoryNode:
    """One node's way into the hub (`net.switch.Transport`)."""

    def __init__(
        self, hub: MemoryHub, address: Address, switch: Switch, nursery: trio.Nursery
    ) -> None:
        self.address = address
        self._hub = hub
        self._switch = switch
        self._nursery = nursery

    def addresses(self) -> list[Address]:
        """Return where this node listens."""
        return [self.address]

    async def dial(self, address: Address) -> MemoryConnection:
        """Connect to another node of the hub."""
        there = self._hub.nodes.get(address.endpoint)
        peer = address.peer if there is None else there.address.peer
        await trio.sleep(2 * self._hub.latency_s(self.address.peer, peer))
        if there is None or self._hub.is_cut(self.address.peer, peer):
            raise PeerError("dial-failed", f"nobody answers at {address}")
        if peer != address.peer:
            raise PeerError("wrong-peer", f"{peer} answers at {address}")
        return there.accept(self)

    async def reserve(self, relay: PeerId) -> int:
        """Refuse: in memory there is nothing to secure a relayed connection with."""
        raise PeerError("protocol-unsupported", f"{relay} is in memory")

    async def punch(
        self, targets: Sequence[Address], *, leads: bool
    ) -> MemoryConnection:
        """Dial, if it is us who leads: in memory there are no routers in the way."""
        if not leads:
            raise PeerError("dial-failed", "in memory one of two dials is enough")
        return await self.dial(targets[0])

    async def try_out(self, address: Address) -> None:
        """See whether another node of the hub can be reached."""
        there = self._hub.nodes.get(address.endpoint)
        await trio.sleep(2 * self._hub.latency_s(self.address.peer, address.peer))
        if there is None or self._hub.is_cut(self.address.peer, address.peer):
            raise PeerError("dial-failed", f"nobody answers at {address}")
        if there.address.peer != address.peer:
            raise PeerError("wrong-peer", f"{there.address.peer} answers at {address}")

    def accept(self, dialler: MemoryNode) -> MemoryConnection:
        """Take in a dialler, and return its end of the connection."""
        ip = dialler.address.endpoint.ip
        if code := self._switch.slots.refusal(ip, trio.current_time()):
            self._switch.counts.refused[code] += 1
            raise PeerError("dial-failed", f"{self.address} refuses: {code}")
        hold = ExitStack()
        hold.enter_context(self._switch.slots.hold_inbound(ip)).secured()
        source = Address(Endpoint(ip, INBOUND_PORT), dialler.address.peer)
        near, far = self._connect(dialler, source)
        self._hub.remember(near)
        self._nursery.start_soon(self._switch.carry, near, hold)
        return far

    def _connect(
        self, dialler: MemoryNode, source: Address
    ) -> tuple[MemoryConnection, MemoryConnection]:
        here, there = self.address.peer, dialler.address.peer
        near = MemoryConnection(
            source, here, self._switch.limits, self._hub.latency_s(here, there)
        )
        far = MemoryConnection(
            self.address,
            there,
            dialler._switch.limits,
            self._hub.latency_s(there, here),
            outbound=True,
        )
        near.twin, far.twin = far, near
        near.bandwidth = self._switch.bandwidth
        far.bandwidth = dialler._switch.bandwidth
        return near, far


class MemoryConnection:
    """One end of a connection (`net.switch.Connection`).

    Attributes:
        address: the other end.
        outbound: whether this end dialled.
        ends: who is connected.
        ended: whether it is over.
        twin: the other end's half; set once.
        bandwidth: what this end's streams wait for to send; set once.
    """

    twin: MemoryConnection
    bandwidth: Bandwidth

    def __init__(
        self,
        address: Address,
        here: PeerId,
        limits: ConnectionLimits,
        latency_s: float,
        *,
        outbound: bool = False,
    ) -> None:
        self.address = address
        self.outbound = outbound
        self.ends = frozenset((here, address.peer))
        self.ended = False
        self._limits = limits
        self._latency_s = latency_s
        self._pipes: list[Pipe] = []
        self._waiting: list[MemoryOffer] = []
        self._offer, self._offered = trio.open_memory_channel[MemoryOffer](OFFERS)

    async def run(self, offered: Callable[[Offer], Awaitable[None]]) -> None:
        """Hand on the streams that the other end opens, until the end."""
        async for offer in self._offered:
            await offered(offer)

    async def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream to the other end."""
        out, back = self._pipe(), self.twin._pipe()  # noqa: SLF001 — of the same class
        mine, theirs = MemoryStream(back, out), MemoryStream(out, back)
        offer = MemoryOffer(
            theirs,
            protocols,
            self.twin.address.peer,
            self.twin._limits,  # noqa: SLF001
            self.twin.bandwidth,
        )
        try:
            await trio.sleep(self._latency_s)
            await self.twin.take(offer)
            protocol = await offer.answer()
            await trio.sleep(self.twin._latency_s)  # noqa: SLF001
        except BaseException:  # cancelled, too: it would stay open
            mine.drop()
            raise
        return GuardedStream(
            mine, self.address.peer, protocol, self._limits, self.bandwidth
        )

    async def take(self, offer: MemoryOffer) -> None:
        """Queue a stream that the other end opens; waits while the queue is full."""
        self._waiting = [each for each in self._waiting if not each.answered]
        self._waiting.append(offer)
        try:
            await self._offer.send(offer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise PeerError("stream-reset", "the connection has ended") from None

    async def close(self) -> None:
        """End the connection, on both ends."""
        self.sever()

    def sever(self) -> None:
        """End the connection at once, on both ends, with every stream on it."""
        for half in (self, self.twin):
            half.ended = True
            half._offer.close()  # noqa: SLF001
            for pipe in half._pipes:  # noqa: SLF001
                pipe.break_off()
            for offer in half._waiting:  # noqa: SLF001
                offer.withdraw()

    def _pipe(self) -> Pipe:
        """Return a new pipe away from this end."""
        self._pipes = [each for each in self._pipes if not each.spent]
        pipe = Pipe(self._latency_s)
        if self.ended:
            pipe.break_off()
        self._pipes.append(pipe)
        return pipe


@asynccontextmanager
async def open_memory_network(
    hub: MemoryHub,
    name: bytes,
    *,
    endpoint: Endpoint | None = None,
    limits: ConnectionLimits | None = None,
    on_fault: FaultHandler | None = None,
) -> AsyncIterator[Network]:
    """Run a node of `hub` for the length of the block.

    Args:
        hub: the world it lives in.
        name: what its peer id is made from; the same name gives the same id.
        endpoint: where it listens; by default anywhere free.
        limits: what strangers may hold.
        on_fault: told of each fault of a peer.

    Raises:
        LocalError: `port-in-use`.
    """
    signer = memory_signer(name)
    where = endpoint or hub.free_endpoint()
    if where in hub.nodes:
        raise LocalError("port-in-use", f"another node listens on {where}")
    async with open_switch(signer, limits or ConnectionLimits(), on_fault) as (
        switch,
        nursery,
    ):
        node = MemoryNode(hub, Address(where, switch.peer_id), switch, nursery)
        switch.transport = node
        hub.nodes[where] = node
        try:
            yield switch
        finally:
            del hub.nodes[where]
