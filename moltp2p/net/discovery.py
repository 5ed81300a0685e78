"""Dialling: keeps bootstrap peers connected, and finds more through them.

What to dial and when is decided by `proto/peers/`; here it is done. Nodes that know
one bootstrap peer learn of each other through it (`net/exchanging.py`), so that the
mesh is not a star; and a node that was here before needs none (`Shelf`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import trio

from moltp2p.core.errors import LocalError, MoltError
from moltp2p.net.background import open_background
from moltp2p.net.base import PeerDown, PeerUp
from moltp2p.net.exchanging import Exchange
from moltp2p.net.log import get_logger
from moltp2p.proto.address import Address, Endpoint, parse_address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.book_file import encode_book, read_secret, restore_book
from moltp2p.proto.peers.dial_plan import DialPlan
from moltp2p.proto.peers.peer_exchange import PROTOCOL
from moltp2p.proto.peers.status import AddressStatus, FindingStatus
from moltp2p.proto.peers.tables import SECRET_BYTES

if TYPE_CHECKING:
    import random

    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import Network, PeerInfo

log = get_logger(__name__)

ASK_AGAIN_S: Final = (1.0, 60.0)
"""A node short of peers asks again after this, doubling up to the second."""

NEWS_S: Final = 10.0
"""How often a node that has enough peers looks whether it must sign anew."""

KEEP_S: Final = (60.0, 300.0)
"""The book is written after the first, and then every so often: what is learned in
between is lost when the machine loses power."""

GOODBYE_S: Final = 5.0
"""How long writing the book may take at the end."""


class Shelf(Protocol):
    """Where the book lies while the node does not run; both calls block."""

    def read(self) -> bytes:
        """Return what was written last; `b""` if nothing was.

        Raises:
            LocalError: `home-failed`.
        """

    def write(self, data: bytes) -> None:
        """Put the book in place whole, or not at all.

        Raises:
            LocalError: `home-failed`.
        """


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """What an operator may choose.

    Attributes:
        target_peers: how many peers to look for.
        max_dials: how many dials at once.
        announce: where to tell others that we can be dialled; empty for where we
            listen, and where peers see us.
    """

    target_peers: int = 10
    max_dials: int = 4
    announce: tuple[Endpoint, ...] = ()


class Discovery:
    """Dials and asks, for as long as `open_discovery` lasts.

    Args:
        network: where to dial.
        plan: decides whom.
        exchange: asks and answers.
        rng: for whom to ask, and when.

    Attributes:
        book: the addresses.
    """

    def __init__(
        self,
        network: Network,
        book: AddressBook,
        plan: DialPlan,
        exchange: Exchange,
        rng: random.Random,
    ) -> None:
        self.book = book
        self._network = network
        self._plan = plan
        self._exchange = exchange
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
            seen=[str(each) for each in self._exchange.sightings.believed()],
            clock_ahead_ms=self._exchange.sightings.clock_ahead_ms(),
        )

    def heed_bans(self) -> None:
        """Forget the addresses that the operator bans, and learn them no more."""
        access = self._network.access
        self.book.keep_out(lambda each: access.is_banned(each.endpoint.ip, each.peer))

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
        address = parse_address(info.address) if info.outbound else None
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

    # -- keeping ---------------------------------------------------------------

    async def keep(self, shelf: Shelf, clock_ms: Callable[[], int]) -> None:
        """Write the book to its shelf every now and then, for ever."""
        first_s, then_s = KEEP_S
        await trio.sleep(first_s)
        while True:
            await self.put_away(shelf, clock_ms)
            await trio.sleep(then_s)

    async def put_away(self, shelf: Shelf, clock_ms: Callable[[], int]) -> None:
        """Write the book to its shelf now; a node goes on without."""
        now, wall_s = trio.current_time(), clock_ms() // 1000
        data = encode_book(self.book, self._plan, now, wall_s)
        try:
            await trio.to_thread.run_sync(shelf.write, data)
        except LocalError as error:
            log.warning("address book not written", error=error.message)


@asynccontextmanager
async def open_discovery(
    network: Network,
    bootstrap: Sequence[str],
    rng: random.Random,
    clock_ms: Callable[[], int],
    settings: DiscoverySettings | None = None,
    shelf: Shelf | None = None,
) -> AsyncIterator[Discovery]:
    """Keep a network connected for the length of the block.

    Args:
        network: where to dial; it outlives the block.
        bootstrap: multiaddrs to keep connected; this node's own is passed over.
        rng: for jitter, for whom to choose and ask, and for the book's secret.
        clock_ms: the wall clock, milliseconds since 1970 UTC.
        settings: what an operator may choose.
        shelf: where the book is from one run to the next; None to begin anew.

    Raises:
        UsageError: `bad-address` for a bootstrap address nobody could dial.
    """
    settings = settings or DiscoverySettings()
    configured = [parse_address(text) for text in bootstrap]
    saved = await _read(shelf)
    secret = read_secret(saved) or rng.randbytes(SECRET_BYTES)
    book = AddressBook(network.peer_id, secret)
    for address in configured:
        book.add_bootstrap(address)
    damaged = restore_book(book, saved, trio.current_time(), clock_ms() // 1000)
    if damaged:
        log.warning("address book damaged", lines=damaged)
    plan = DialPlan(book, rng, settings.target_peers, settings.max_dials)
    exchange = Exchange(network, book, rng, clock_ms, settings.announce)
    discovery = Discovery(network, book, plan, exchange, rng)
    discovery.heed_bans()
    network.handle(PROTOCOL, exchange.answer)
    async with open_background() as nursery:
        nursery.start_soon(discovery.watch, nursery)
        nursery.start_soon(discovery.dial, nursery)
        nursery.start_soon(discovery.ask_again)
        if shelf is not None:
            nursery.start_soon(discovery.keep, shelf, clock_ms)
        try:
            yield discovery
        finally:
            if shelf is not None:
                with trio.move_on_after(GOODBYE_S, shield=True):
                    await discovery.put_away(shelf, clock_ms)


async def _read(shelf: Shelf | None) -> bytes:
    """Return the book as it was saved; `b""` when there is none to be had."""
    if shelf is None:
        return b""
    try:
        return await trio.to_thread.run_sync(shelf.read)
    except LocalError as error:
        log.warning("address book not read", error=error.message)
        return b""
