"""Dialling: keeps bootstrap peers connected, and finds more through them.

What to dial and when is decided by `proto/address_book.py`; here it is done.
Nodes that know one bootstrap peer learn of each other through it, by the protocol
`/moltp2p/peers/1.0.0` (spec 04), so that the mesh is not a star.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

import trio

from moltp2p.core.errors import MoltError, PeerError
from moltp2p.net.background import open_background
from moltp2p.net.base import PeerDown, PeerUp
from moltp2p.net.log import get_logger
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.address import Address, Scope, parse_address, scope_of
from moltp2p.proto.address_book import (
    MAX_PER_PEER,
    AddressBook,
    AddressStatus,
)
from moltp2p.proto.peer_exchange import (
    ANSWER_FACTOR,
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    Ask,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Sequence

    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import Network, PeerInfo, Stream
    from moltp2p.proto.address import IpAddress

log = get_logger(__name__)

EXCHANGE_S: Final = 5.0
"""How long one ask and its answer may take, on either side."""

# SPEC 04: "again within 0.5 seconds"
ASK_GAP_S: Final = 0.5

ASK_AGAIN_S: Final = (1.0, 60.0)
"""A node short of peers asks again after this, doubling up to the second."""


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """What an operator may choose.

    Attributes:
        target_peers: how many peers to look for.
        max_dials: how many dials at once.
    """

    target_peers: int = 10
    max_dials: int = 4


class Discovery:
    """Dials, asks and answers, for as long as `open_discovery` lasts.

    Args:
        network: where to dial.
        book: decides whom.
        rng: for whom to ask, and when.
    """

    def __init__(self, network: Network, book: AddressBook, rng: random.Random) -> None:
        self._network = network
        self._book = book
        self._rng = rng
        self._changed = trio.Event()
        self._answered_at: dict[PeerId, float] = {}

    def status(self) -> list[AddressStatus]:
        """Return every known address and what goes on with it, bootstrap first."""
        return self._book.status(trio.current_time())

    # -- dialling --------------------------------------------------------------

    async def dial(self, nursery: trio.Nursery) -> None:
        """Dial what is due, for ever."""
        while True:
            self._changed = trio.Event()
            now = trio.current_time()
            for address in self._book.due(now):
                nursery.start_soon(self._dial_one, address)
            with trio.move_on_at(self._book.wake_at(now)):
                await self._changed.wait()

    async def _dial_one(self, address: Address) -> None:
        try:
            await self._network.dial(str(address))
        except MoltError as error:
            # Also what is the caller's or this machine's fault: the address is
            # tried again later, and `status` says what is wrong with it.
            # Peers name many addresses where nobody is any more.
            tell = log.info if self._book.is_configured(address) else log.debug
            tell("dial-failed", address=str(address), code=error.code)
            self._book.failed(address, error.code, trio.current_time())
        else:
            self._book.reached(address)
        self._changed.set()

    # -- who is there ----------------------------------------------------------

    async def watch(self, nursery: trio.Nursery) -> None:
        """Keep the book told of who is connected, for ever."""
        while True:
            self._notice_absent()
            async for event in self._network.watch():
                match event:
                    case PeerUp(info):
                        self._book.connected(info.peer, trio.current_time())
                        if info.outbound or self._book.wants_peers:
                            nursery.start_soon(self._ask, info)
                    case PeerDown(peer):
                        self._gone(peer)
                    case _:
                        assert_never(event)
                self._changed.set()
            await trio.lowlevel.checkpoint()

    def _notice_absent(self) -> None:
        """Forget peers that left while we had fallen behind the notices."""
        present = {info.peer for info in self._network.peers()}
        for peer in self._book.peers - present:
            self._gone(peer)

    def _gone(self, peer: PeerId) -> None:
        self._book.disconnected(peer, trio.current_time())
        self._answered_at.pop(peer, None)

    # -- asking ----------------------------------------------------------------

    async def ask_again(self) -> None:
        """Ask somebody for more peers while there are too few, for ever."""
        first_s, most_s = ASK_AGAIN_S
        rounds = 0
        while True:
            delay_s = min(first_s * 2**rounds, most_s)
            await trio.sleep(self._rng.uniform(delay_s / 2, delay_s))
            peers = self._network.peers()
            if self._book.wants_peers and peers:
                await self._ask(self._rng.choice(peers))
                rounds = min(rounds + 1, 16)
            else:
                rounds = 0

    async def _ask(self, info: PeerInfo) -> None:
        try:
            await self._exchange(info)
        except PeerError as error:
            log.info("peer-exchange-failed", peer=info.peer, code=error.code)
            self._network.report(info.peer, error.code)

    async def _exchange(self, info: PeerInfo) -> None:
        ip = parse_address(info.address).endpoint.ip
        stream = await self._network.open_stream(info.peer, [PROTOCOL])
        try:
            await FrameWriter(stream, MAX_MESSAGE_BYTES).send(
                encode_ask(self._own_ports(ip))
            )
            data = await FrameReader(stream, MAX_MESSAGE_BYTES).receive(EXCHANGE_S)
        finally:
            await stream.close()
        learned = self._book.learn(info.peer, ip, decode_answer(data))
        log.debug("peers-learned", source=info.peer, count=learned)
        self._changed.set()

    def _own_ports(self, remote: IpAddress) -> Ask:
        """Return where we listen, loopback ports only for peers on this machine."""
        endpoints = [parse_address(each).endpoint for each in self._network.addresses()]
        ports: dict[int, list[int]] = {4: [], 6: []}
        for endpoint in endpoints:
            local = scope_of(endpoint.ip) is Scope.MACHINE
            if not local or scope_of(remote) is Scope.MACHINE:
                ports[endpoint.ip.version].append(endpoint.port)
        return Ask(_distinct(ports[4]), _distinct(ports[6]))

    # -- answering -------------------------------------------------------------

    async def answer(self, stream: Stream) -> None:
        """Serve one ask."""
        data = await FrameReader(stream, MAX_MESSAGE_BYTES).receive(EXCHANGE_S)
        ask = decode_ask(data)
        answer = encode_answer(self._offer(stream.peer, ask), ANSWER_FACTOR * len(data))
        await FrameWriter(stream, MAX_MESSAGE_BYTES).send(answer)
        self._changed.set()

    def _offer(self, peer: PeerId, ask: Ask) -> list[str]:
        now = trio.current_time()
        ip = self._ip_of(peer)
        if ip is None or now - self._answered_at.get(peer, -ASK_GAP_S) < ASK_GAP_S:
            return []
        self._answered_at[peer] = now
        self._book.announced(peer, ip, ask.ip4 if ip.version == 4 else ask.ip6)
        return self._book.offer(peer, ip)

    def _ip_of(self, peer: PeerId) -> IpAddress | None:
        for info in self._network.peers():
            if info.peer == peer:
                return parse_address(info.address).endpoint.ip
        return None


def _distinct(ports: list[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ports))[:MAX_PER_PEER]


@asynccontextmanager
async def open_discovery(
    network: Network,
    bootstrap: Sequence[str],
    rng: random.Random,
    settings: DiscoverySettings | None = None,
) -> AsyncIterator[Discovery]:
    """Keep a network connected for the length of the block.

    Args:
        network: where to dial; it outlives the block.
        bootstrap: multiaddrs to keep connected; this node's own is passed over.
        rng: for jitter, and for whom to choose and ask.
        settings: what an operator may choose.

    Raises:
        UsageError: `bad-address` for a bootstrap address nobody could dial.
    """
    settings = settings or DiscoverySettings()
    book = AddressBook(network.peer_id, rng, settings.target_peers, settings.max_dials)
    for text in bootstrap:
        book.add_bootstrap(parse_address(text))
    discovery = Discovery(network, book, rng)
    network.handle(PROTOCOL, discovery.answer)
    async with open_background() as nursery:
        nursery.start_soon(discovery.watch, nursery)
        nursery.start_soon(discovery.dial, nursery)
        nursery.start_soon(discovery.ask_again)
        yield discovery
