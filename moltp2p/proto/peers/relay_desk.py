"""Whom a relay serves, and how much: reservations and circuits, counted.

A *reservation* lets others reach a peer through us; a *circuit* is one connection
that we carry between two peers (libp2p's circuit relay, version 2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import IpAddress, IpNetwork, site_of


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How much of a machine relaying may take. Times are seconds.

    Attributes:
        reservations: peers served at once.
        per_site: of those, from one /24 (IPv4) or /48 (IPv6).
        reservation_s: how long a reservation lasts, unless it is renewed.
        circuits: connections carried at once.
        circuits_per_peer: of those, to or from one peer.
        circuits_per_site: of those, from one site: peer ids cost nothing.
        circuit_s: how long one may last.
        circuit_bytes: what one may carry, both directions together.
    """

    reservations: int = 128
    per_site: int = 8
    reservation_s: float = 3_600.0
    circuits: int = 64
    circuits_per_peer: int = 8
    circuits_per_site: int = 16
    circuit_s: float = 3_600.0
    circuit_bytes: int = 64 * 2**20


@dataclass(frozen=True, slots=True)
class RelayStats:
    """What a relay carries.

    Attributes:
        reservations: peers that can be reached through us now.
        circuits: connections carried now.
        carried_bytes: since the relay was opened.
        refused: requests turned away since then.
        limits: how much of it there may be.
    """

    reservations: int
    circuits: int
    carried_bytes: int
    refused: int
    limits: RelayLimits


class RelayDesk:
    """Counts, and refuses what is beyond the limits."""

    def __init__(self, limits: RelayLimits) -> None:
        self.limits = limits
        self.carried_bytes = 0
        self.refused = 0
        self._ends: dict[PeerId, tuple[float, IpNetwork]] = {}
        self._circuits: Counter[PeerId | IpNetwork] = Counter()
        self._count = 0

    def reserve(self, peer: PeerId, ip: IpAddress, now: float) -> bool:
        """Let a peer be reached through us from now on, or renew that."""
        self._forget_ended(now)
        site = site_of(ip)
        others = [each for who, (_, each) in self._ends.items() if who != peer]
        full = len(others) >= self.limits.reservations
        if full or others.count(site) >= self.limits.per_site:
            self.refused += 1
            return False
        self._ends[peer] = (now + self.limits.reservation_s, site)
        return True

    def gone(self, peer: PeerId) -> None:
        """End the reservation of a peer that left."""
        self._ends.pop(peer, None)

    def keep(self, present: Callable[[PeerId], bool]) -> None:
        """End the reservations of all who left, some of whom nobody told us about."""
        self._ends = {who: each for who, each in self._ends.items() if present(who)}

    def is_reserved(self, peer: PeerId, now: float) -> bool:
        """Tell whether a peer can be reached through us."""
        return peer in self._ends and self._ends[peer][0] > now

    @contextmanager
    def hold_circuit(
        self, source: PeerId, ip: IpAddress, target: PeerId
    ) -> Iterator[bool]:
        """Hold a circuit's place for the length of the block; yields whether it may.

        Args:
            source: who wants to be connected.
            ip: where it comes from.
            target: with whom.
        """
        site = site_of(ip)
        if self._is_full(source, site, target):
            self.refused += 1
            yield False
            return
        self._count += 1
        shares = (source, target, site)
        self._circuits.update(shares)
        try:
            yield True
        finally:
            self._count -= 1
            self._circuits.subtract(shares)
            self._circuits = +self._circuits

    def _is_full(self, source: PeerId, site: IpNetwork, target: PeerId) -> bool:
        limits, circuits = self.limits, self._circuits
        return (
            self._count >= limits.circuits
            or max(circuits[source], circuits[target]) >= limits.circuits_per_peer
            or circuits[site] >= limits.circuits_per_site
        )

    def stats(self, now: float) -> RelayStats:
        """Return what is carried."""
        self._forget_ended(now)
        return RelayStats(
            len(self._ends),
            self._count,
            self.carried_bytes,
            self.refused,
            self.limits,
        )

    def _forget_ended(self, now: float) -> None:
        self._ends = {who: each for who, each in self._ends.items() if each[0] > now}
