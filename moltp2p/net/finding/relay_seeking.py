"""Finding relays, for a node that others cannot dial."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerInfo
from moltp2p.net.finding.exchanging import Exchange
from moltp2p.net.log import get_logger
from moltp2p.proto.address import Address, IpAddress, parse_address, scope_of
from moltp2p.proto.peers.reachability import Reach

log = get_logger(__name__)

MAX_RELAYS: Final = 2
LOOK_S: Final = 10.0
"""How often to look whether a relay is needed, gone, or to be asked again."""

RENEW_S: Final = (60.0, 1_800.0)
"""A reservation is renewed after half its time, within these bounds: the relay's
clock may be off."""

REFUSED_S: Final = 600.0
"""How long a peer is left alone that would not be our relay."""


@dataclass(slots=True)
class _Relay:
    """A relay of ours: where it is, and when to ask it again."""

    address: Address
    renew_at: float


class RelaySeeker:
    """Keeps reservations at relays, while the node needs them.

    Args:
        network: where the relays are.
        exchange: tells others that we are reached through them.
        rng: for whom to ask.
    """

    def __init__(
        self,
        network: Network,
        exchange: Exchange,
        rng: random.Random,
    ) -> None:
        self._network = network
        self._exchange = exchange
        self._rng = rng
        self._relays: dict[PeerId, _Relay] = {}
        self._not_before: dict[PeerId, float] = {}

    async def run(self) -> None:
        """Look for relays, for ever."""
        while True:
            await trio.sleep(self._rng.uniform(0.5, 1.0) * LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Let go of relays that left, renew reservations, and ask for more."""
        now = trio.current_time()
        direct = [
            (info, address)
            for info in self._network.peers()
            if (address := parse_address(info.address)).relay is None
            and info.outbound
            and not info.punched
        ]
        present = {info.peer for info, _ in direct}
        self._relays = {k: each for k, each in self._relays.items() if k in present}
        self._not_before = {k: t for k, t in self._not_before.items() if t > now}
        self._rng.shuffle(direct)
        for info, address in direct:
            await self._consider(info, address, now)
        relays = sorted(self._relays.values(), key=lambda each: str(each.address))
        self._exchange.relayed = [each.address for each in relays]

    async def _consider(self, info: PeerInfo, address: Address, now: float) -> None:
        known = self._relays.get(info.peer)
        if known is None:
            is_full = len(self._relays) >= MAX_RELAYS
            if is_full or info.peer in self._not_before:
                return
            if not self._needs_relay(address.endpoint.ip):
                return
        elif known.renew_at > now:
            return
        await self._reserve(address)

    async def _reserve(self, relay: Address) -> None:
        now = trio.current_time()
        try:
            ends_s = await self._network.reserve(relay.peer)
        except PeerError as error:
            log.debug("no-relay", peer=relay.peer, code=error.code)
            self._relays.pop(relay.peer, None)
            self._not_before[relay.peer] = now + REFUSED_S
            return
        least_s, most_s = RENEW_S
        half_s = (ends_s - self._exchange.clock_ms() / 1000) / 2
        renew_at = now + max(least_s, min(most_s, half_s))
        own = Address(relay.endpoint, self._network.peer_id, relay.peer)
        if relay.peer not in self._relays:
            log.info("relay-found", address=str(own))
        self._relays[relay.peer] = _Relay(own, renew_at)

    def _needs_relay(self, ip: IpAddress) -> bool:
        """Tell whether nobody where that peer is could dial us."""
        if self._exchange.reach.verdict is Reach.CLOSED:
            return True
        least = scope_of(ip)
        own = self._exchange.endpoints()
        return not any(scope_of(each.ip) >= least for each in own)
