"""From a relayed connection to a direct one: both ends dial at the same moment.

libp2p's DCUtR. Alice has dialled Bob through a relay, so Bob begins::

    BOB ── CONNECT, where he may be ──────▶ ALICE
        ◀──────── CONNECT, where she may be ──
        ── SYNC ──────────────────────────▶       both dial: Bob half a round trip
        ◀═══════════ one connection ═══════▶      after he has said so, Alice at once
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import trio
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch

from moltp2p.core.errors import MoltError, PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerInfo, PeerUp, Stream
from moltp2p.net.circuits import receive_message, send_message
from moltp2p.net.finding.exchanging import Exchange
from moltp2p.net.log import get_logger
from moltp2p.proto.address import (
    Address,
    Endpoint,
    IpAddress,
    endpoint_bytes,
    parse_address,
    read_endpoint,
    without_peer,
)
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.allowance import Allowance
from moltp2p.proto.peers.punching import (
    ATTEMPTS,
    PUNCHES_IN_ALL,
    PUNCHES_PER_PEER,
    PunchStats,
    predicted,
    usable,
)

log = get_logger(__name__)

PROTOCOL: Final = "/libp2p/dcutr"
MAX_TOLD: Final = 16
"""Addresses looked at of those that a peer tells."""

PUNCH_S: Final = 5.0
"""How long one attempt dials: TCP sends again after one second, and after three."""

PAUSE_S: Final = (1.0, 2.0)
"""Before each attempt, by chance: peers that have just met first say who they are."""


class Puncher:
    """Looks for direct ways to relayed peers.

    Args:
        network: where the peers are.
        exchange: knows how others see us.
        book: knows where peers say that they are.
        rng: for when.
    """

    def __init__(
        self,
        network: Network,
        exchange: Exchange,
        book: AddressBook,
        rng: random.Random,
    ) -> None:
        self._network = network
        self._exchange = exchange
        self._book = book
        self._rng = rng
        # Strangers that come are as many as they like: they leave us what we need to
        # come to those that we look for.
        self._for_guests: Allowance[PeerId] = Allowance(
            PUNCHES_PER_PEER, PUNCHES_IN_ALL
        )
        self._for_chosen: Allowance[PeerId] = Allowance(
            PUNCHES_PER_PEER, PUNCHES_IN_ALL
        )
        self._busy: set[PeerId] = set()
        self._tried = 0
        self._opened = 0
        network.handle(PROTOCOL, self.answer)

    def stats(self) -> PunchStats:
        """Return what came of it."""
        return PunchStats(self._tried, self._opened)

    # -- Bob -------------------------------------------------------------------

    async def run(self) -> None:
        """Look for a way to each peer that dials us through a relay, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                async for event in self._network.watch():
                    if isinstance(event, PeerUp) and not event.info.outbound:
                        nursery.start_soon(self._begin, event.peer)
                await trio.lowlevel.checkpoint()

    async def _begin(self, peer: PeerId) -> None:
        if peer in self._busy or self._relayed(peer, outbound=False) is None:
            return
        self._busy.add(peer)
        try:
            for attempt in range(ATTEMPTS):
                await trio.sleep(self._rng.uniform(*PAUSE_S))
                if not await self._try(peer, is_first=not attempt):
                    return
        finally:
            self._busy.discard(peer)

    async def _try(self, peer: PeerId, *, is_first: bool) -> bool:
        """Try once; return whether to try again."""
        relay = self._relayed(peer, outbound=False)
        if relay is None or not self._for_guests.take(peer, trio.current_time()):
            return False
        self._tried += 1
        ip = relay.endpoint.ip
        try:
            known = self._known(peer, ip) if is_first else []
            if known:
                await self._punch(peer, known, leads=True)
            else:
                theirs = await self._agree(peer, relay)
                await self._punch(peer, theirs, leads=False)
        except PeerError as error:
            log.debug("not-punched", peer=peer, code=error.code)
            return error.code != "protocol-unsupported"
        finally:
            self._note(peer)
        return self._relayed(peer, outbound=False) is not None

    def _known(self, peer: PeerId, relay: IpAddress) -> list[Endpoint]:
        """Return where a peer says that anybody may dial it."""
        entries = self._book.of_peer(peer)
        direct = [each.address for each in entries if each.address.relay is None]
        return usable([each.endpoint for each in direct], relay)

    async def _agree(self, peer: PeerId, relay: Address) -> list[Endpoint]:
        """Say where we are, and return where the peer is, at the moment to dial."""
        stream = await self._network.open_stream(peer, [PROTOCOL])
        try:
            asked_at = trio.current_time()
            await self._say(stream, HolePunch.CONNECT, self._own(relay))
            answer = await receive_message(stream, HolePunch)
            round_trip_s = trio.current_time() - asked_at
            if answer.type != HolePunch.CONNECT:
                raise PeerError("malformed", f"{peer} does not say where it is")
            await self._say(stream, HolePunch.SYNC)
        finally:
            await stream.close()
        await trio.sleep(round_trip_s / 2)
        return _read(answer, relay, peer)

    # -- Alice -----------------------------------------------------------------

    async def answer(self, stream: Stream) -> None:
        """Say where we are, and dial the peer when it says so."""
        peer = stream.peer
        ask = await receive_message(stream, HolePunch)
        relay = self._relayed(peer, outbound=True)
        if relay is None or ask.type != HolePunch.CONNECT or peer in self._busy:
            return
        if not self._for_chosen.take(peer, trio.current_time()):
            return
        self._busy.add(peer)
        try:
            await self._say(stream, HolePunch.CONNECT, self._own(relay))
            sync = await receive_message(stream, HolePunch)
            if sync.type != HolePunch.SYNC:
                raise PeerError("malformed", f"{peer} does not say when to dial")
            self._tried += 1
            await self._punch(peer, _read(ask, relay, peer), leads=True)
            self._note(peer)
        finally:
            self._busy.discard(peer)

    # -- both ------------------------------------------------------------------

    async def _punch(
        self, peer: PeerId, where: Sequence[Endpoint], *, leads: bool
    ) -> None:
        """Dial, until we are connected directly, or time is up.

        The peer's dial may get through where ours does not.
        """
        info = self._info(peer)
        if info is None or _is_direct(info, peer):
            return  # it left while we talked, or found another way
        with trio.move_on_after(PUNCH_S), self._network.watch() as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._dial, peer, where, leads)
                async for event in events:
                    if isinstance(event, PeerUp) and _is_direct(event.info, peer):
                        nursery.cancel_scope.cancel()

    async def _dial(self, peer: PeerId, where: Sequence[Endpoint], leads: bool) -> None:
        try:
            await self._network.punch(peer, where, leads=leads)
        except MoltError as error:
            log.debug("not-punched", peer=peer, code=error.code)

    def _own(self, relay: Address) -> list[Endpoint]:
        """Return where we may be dialled, as the relay and others see us."""
        listening = [parse_address(each).endpoint for each in self._network.addresses()]
        sightings = self._exchange.sightings
        seen = sightings.seen_by(relay.relay) if relay.relay else None
        guesses = predicted([seen] if seen else [], listening)
        return usable([*guesses, *self._exchange.candidates()], relay.endpoint.ip)

    async def _say(
        self,
        stream: Stream,
        what: HolePunch.Type.ValueType,
        where: Sequence[Endpoint] = (),
    ) -> None:
        addresses = [endpoint_bytes(each) for each in where]
        await send_message(stream, HolePunch(type=what, ObsAddrs=addresses))

    def _relayed(self, peer: PeerId, *, outbound: bool) -> Address | None:
        """Return where a relayed peer is that we, or that itself, dialled."""
        info = self._info(peer)
        if info is None or info.outbound is not outbound:
            return None
        address = parse_address(info.address)
        return None if address.relay is None else address

    def _note(self, peer: PeerId) -> None:
        """Count a peer that is connected directly now."""
        info = self._info(peer)
        if info is not None and _is_direct(info, peer):
            self._opened += 1
            log.info("punched", address=info.address)

    def _info(self, peer: PeerId) -> PeerInfo | None:
        return self._network.info(peer)


def _is_direct(info: PeerInfo, peer: PeerId) -> bool:
    return info.peer == peer and parse_address(info.address).relay is None


def _read(told: HolePunch, relay: Address, peer: PeerId) -> list[Endpoint]:
    addresses = [without_peer(each, peer) for each in told.ObsAddrs[:MAX_TOLD]]
    return usable(map(read_endpoint, addresses), relay.endpoint.ip)
