"""Dialling: keeps bootstrap peers connected, and finds more through them.

What to dial and when is decided by `proto/peers/`; here it is done. Nodes that know
one bootstrap peer learn of each other through it (`exchanging.py`), so that the mesh is
not a star; and a node that was here before needs none (`Shelf`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

import trio

from moltp2p.core.errors import MoltError
from moltp2p.net.background import open_background
from moltp2p.net.base import PeerDown, PeerUp
from moltp2p.net.finding.autonat import PROTOCOL as AUTONAT
from moltp2p.net.finding.autonat import AutoNat
from moltp2p.net.finding.book_keeping import BookKeeper, Shelf
from moltp2p.net.finding.exchanging import Exchange
from moltp2p.net.finding.first_peers import FirstPeers
from moltp2p.net.finding.names import Names
from moltp2p.net.finding.neighbours import (
    NeighbourSettings,
    is_at_home,
    open_neighbours,
)
from moltp2p.net.finding.punching import Puncher
from moltp2p.net.finding.relay_seeking import RelaySeeker
from moltp2p.net.finding.relaying import RelayService
from moltp2p.net.log import get_logger
from moltp2p.proto.address import Address, Endpoint, parse_address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.bootstrap import parse_bootstrap
from moltp2p.proto.peers.dial_plan import DialPlan
from moltp2p.proto.peers.peer_exchange import PROTOCOL
from moltp2p.proto.peers.relay_desk import RelayLimits
from moltp2p.proto.peers.status import AddressStatus, FindingStatus

if TYPE_CHECKING:
    import random

    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import Network, PeerInfo

log = get_logger(__name__)

ASK_AGAIN_S: Final = (1.0, 60.0)
"""A node short of peers asks again after this, doubling up to the second."""

LOOK_AGAIN_S: Final = 0.1
"""How long to wait before it is decided anew whom to dial. The book is looked through
each time, and strangers who come and go could have that done without end."""

NEWS_S: Final = 10.0
"""How often a node that has enough peers looks whether it must sign anew."""


@dataclass(frozen=True, slots=True)
class Means:
    """What discovery takes from outside.

    Attributes:
        clock_ms: the wall clock, milliseconds since 1970 UTC.
        shelf: where the book is from one run to the next; None to begin anew.
        names: looks up first peers; by default at the system's name servers.
    """

    clock_ms: Callable[[], int]
    shelf: Shelf | None = None
    names: Names = field(default_factory=Names)


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """What an operator may choose.

    Attributes:
        target_peers: how many peers to look for.
        max_dials: how many dials at once.
        announce: where to tell others that we can be dialled; empty for where we
            listen, and where peers see us.
        neighbours: how to look around on the local network; None for not at all.
        relay: how much to carry for peers that nobody can dial; None for nothing.
        punch: whether to look for direct ways to relayed peers.
    """

    target_peers: int = 10
    max_dials: int = 4
    announce: tuple[Endpoint, ...] = ()
    neighbours: NeighbourSettings | None = None
    relay: RelayLimits | None = None
    punch: bool = True


class Discovery:
    """Dials and asks, for as long as `open_discovery` lasts.

    Args:
        network: where to dial.
        plan: decides whom.
        exchange: asks and answers.
        first: looks up first peers.
        rng: for whom to ask, and when.

    Attributes:
        book: the addresses.
        autonat: finds out whether others can dial us.
        relay: carries for others, if this node does.
        puncher: looks for direct ways to relayed peers, if this node does.
    """

    def __init__(
        self,
        network: Network,
        book: AddressBook,
        plan: DialPlan,
        exchange: Exchange,
        first: FirstPeers,
        rng: random.Random,
    ) -> None:
        self.book = book
        self._network = network
        self._plan = plan
        self._exchange = exchange
        self._first = first
        self.relay: RelayService | None = None
        self.puncher: Puncher | None = None
        self.autonat = AutoNat(network, exchange.candidates, rng)
        exchange.reach = self.autonat.reach
        self._rng = rng
        self._changed = trio.Event()

    def status(self) -> list[AddressStatus]:
        """Return known addresses and what goes on with each, bootstrap first."""
        return self._plan.status(trio.current_time())

    def finding(self) -> FindingStatus:
        """Return how peers are found."""
        return FindingStatus(
            book=self._plan.figures(trio.current_time()),
            announced=[str(each) for each in self._exchange.endpoints()],
            relayed=[str(each) for each in self._exchange.relayed],
            seen=[str(each) for each in self._exchange.sightings.believed()],
            clock_ahead_ms=self._exchange.sightings.clock_ahead_ms(),
            relay=None if self.relay is None else self.relay.stats(),
            punched=None if self.puncher is None else self.puncher.stats(),
            names=self._first.status(),
            reach=self.autonat.reach.verdict,
            reached_at=[str(each) for each in self.autonat.reach.confirmed],
        )

    def start(self, nursery: trio.Nursery, settings: DiscoverySettings) -> None:
        """Begin with all that goes on for ever."""
        nursery.start_soon(self.watch, nursery)
        nursery.start_soon(self.dial, nursery)
        nursery.start_soon(self.ask_again)
        nursery.start_soon(self.autonat.run)
        nursery.start_soon(RelaySeeker(self._network, self._exchange, self._rng).run)
        for name in self._first.names:
            nursery.start_soon(self._first.keep, name, self.wake)
        if self.relay is not None:
            nursery.start_soon(self.relay.run)
        if self.puncher is not None:
            nursery.start_soon(self.puncher.run)
        if settings.neighbours is not None:
            nursery.start_soon(self.look_around, settings.neighbours)

    def heed_bans(self) -> None:
        """Forget the addresses that the operator bans, and learn them no more."""
        access = self._network.access
        self.book.keep_out(lambda each: access.is_banned(each.endpoint.ip, each.peer))

    def wake(self) -> None:
        """Look again whom to dial: something is known that was not."""
        self._changed.set()

    # -- dialling --------------------------------------------------------------

    async def dial(self, nursery: trio.Nursery) -> None:
        """Dial what is due, for ever."""
        while True:
            self._changed = trio.Event()
            now = trio.current_time()
            for address in self._plan.due(now):
                nursery.start_soon(self._dial_one, address)
            with trio.move_on_at(self._plan.wake_at(now)):
                await self._changed.wait()
            await trio.sleep(LOOK_AGAIN_S)

    async def _dial_one(self, address: Address) -> None:
        try:
            await self._network.dial(str(address))
        except MoltError as error:
            # Also what is the caller's or this machine's fault: the address is
            # tried again later, and `status` says what is wrong with it.
            # Peers name many addresses where nobody is any more.
            tell = log.info if self.book.is_configured(address) else log.debug
            tell("dial-failed", address=str(address), code=error.code)
            self._plan.failed(address, error.code, trio.current_time())
            if error.code == "banned":
                self.heed_bans()
        else:
            surplus = self._plan.reached(address, trio.current_time())
            if surplus is not None:
                await self._network.disconnect(surplus)
        self._changed.set()

    # -- who is there ----------------------------------------------------------

    async def watch(self, nursery: trio.Nursery) -> None:
        """Keep the plan told of who is connected, for ever."""
        while True:
            self._notice_absent()
            async for event in self._network.watch():
                match event:
                    case PeerUp(info):
                        self._came(info, nursery)
                    case PeerDown(peer):
                        self._gone(peer)
                    case _:
                        assert_never(event)
                self._changed.set()
            await trio.lowlevel.checkpoint()

    def _came(self, info: PeerInfo, nursery: trio.Nursery) -> None:
        # A direct way that was opened leads nowhere without the peer: it is found
        # again, and counted, by where it was dialled first.
        is_dialled = info.outbound and not info.punched
        address = parse_address(info.address) if is_dialled else None
        self._plan.connected(info.peer, trio.current_time(), outbound=address)
        if address is not None:
            self._exchange.reached(address)
        if info.outbound or self._plan.wants_peers:
            nursery.start_soon(self._ask, info)

    def _notice_absent(self) -> None:
        """Forget peers that left while we had fallen behind the notices."""
        present = {info.peer for info in self._network.peers()}
        for peer in self._plan.peers - present:
            self._gone(peer)
        self._exchange.forget_absent()

    def _gone(self, peer: PeerId) -> None:
        self._plan.disconnected(peer, trio.current_time())
        self._exchange.gone(peer)

    # -- asking ----------------------------------------------------------------

    async def ask_again(self) -> None:
        """Ask somebody for more peers while there are too few, for ever.

        Who has enough still asks when it has something new to say of itself.
        """
        first_s, most_s = ASK_AGAIN_S
        rounds = 0
        while True:
            delay_s = min(first_s * 2**rounds, most_s)
            await trio.sleep(self._rng.uniform(delay_s / 2, delay_s))
            peers = self._network.peers()
            if self._plan.wants_peers and peers:
                await self._ask(self._rng.choice(peers))
                rounds = min(rounds + 1, 16)
                continue
            rounds = 0
            if self._exchange.has_news:
                for info in peers:
                    await self._ask(info)
            await trio.sleep(NEWS_S)

    async def _ask(self, info: PeerInfo) -> None:
        await self._exchange.ask(info)
        self._changed.set()

    async def look_around(self, settings: NeighbourSettings) -> None:
        """Learn of peers on the local network, for ever; anew where we listen anew."""

        def found(address: Address) -> None:
            if self.book.suggest(address, "neighbour", trio.current_time()):
                log.info("neighbour", address=str(address))
                self.wake()

        while True:
            listening = self._network.addresses()
            async with AsyncExitStack() as looking:
                if settings.anywhere or is_at_home(listening):
                    await looking.enter_async_context(
                        open_neighbours(self._network, settings, found)
                    )
                while self._network.addresses() == listening:  # noqa: ASYNC110
                    await trio.sleep(NEWS_S)


@asynccontextmanager
async def open_discovery(
    network: Network,
    bootstrap: Sequence[str],
    rng: random.Random,
    means: Means,
    settings: DiscoverySettings | None = None,
) -> AsyncIterator[Discovery]:
    """Keep a network connected for the length of the block.

    Args:
        network: where to dial; it outlives the block.
        bootstrap: multiaddrs to keep connected, names among them; this node's own
            is passed over.
        rng: for jitter, for whom to choose and ask, and for the book's secret.
        means: the clock, the disk and the name servers.
        settings: what an operator may choose.

    Raises:
        UsageError: `bad-address` for a bootstrap address nobody could dial.
    """
    settings = settings or DiscoverySettings()
    configured = [parse_bootstrap(text) for text in bootstrap]
    keeper = BookKeeper(means.shelf, means.clock_ms)
    book, saved = await keeper.open(network.peer_id, rng)
    first = FirstPeers(configured, book, means.names, rng)
    keeper.restore(book, saved)
    plan = DialPlan(book, rng, settings.target_peers, settings.max_dials)
    exchange = Exchange(network, book, rng, means.clock_ms, settings.announce)
    discovery = Discovery(network, book, plan, exchange, first, rng)
    if settings.relay is not None:
        discovery.relay = RelayService(network, settings.relay, means.clock_ms)
    if settings.punch:
        discovery.puncher = Puncher(network, exchange, book, rng)
    discovery.heed_bans()
    network.handle(PROTOCOL, exchange.answer)
    network.handle(AUTONAT, discovery.autonat.answer)
    async with open_background() as nursery:
        nursery.start_soon(keeper.keep, book, plan)
        discovery.start(nursery, settings)
        try:
            yield discovery
        finally:
            await keeper.finish(book, plan)
