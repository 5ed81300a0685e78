"""Who may connect, and open streams: the counts of both, and the limits on them.

Pure bookkeeping, without sockets. Upstream's own is wrong in two ways (C3, H15
of libp2p 0.8.1: an inbound slot is never given back, and IPv6 addresses are
unknown), which is why a slot here is a context manager and takes the address.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from moltp2p.core.errors import LocalError
from moltp2p.net.base import HANDSHAKE_BURST_S, LimitUse
from moltp2p.proto.access import AccessRules
from moltp2p.proto.address import (
    Scope,
    origin_of,
    scope_of,
    site_of,
    subnet_of,
    unmapped,
)
from moltp2p.proto.rate_meter import RateMeter
from moltp2p.proto.ratelimit import Rate, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import ConnectionLimits
    from moltp2p.proto.address import IpAddress, IpNetwork

MAX_ADDRESSES: Final = 16_384
"""Origins, addresses of IPv4 or a /64, whose rate is kept apart; beyond, newcomers
share one bucket."""

HANDSHAKE_SHARES: Final = 4
"""One address has at most one of so many shares of the handshakes at once: whoever
connects and says nothing would keep all others out for `handshake_s`."""

SITE_SHARES: Final = 2
"""One site, which has many addresses, has at most one of so many shares of them, and
of how many may come in a second; and of connections at most so many times what one
of its subnets has, as a /48 of IPv6 has 65,536 of those."""

EVERYBODY: Final = "everybody"


class Slot:
    """One connection's share of the limits."""

    def __init__(self, slots: Slots, ip: IpAddress) -> None:
        self._slots = slots
        self._ip = ip
        self._handshaking = True

    def secured(self) -> None:
        """Give back the share of the handshakes: the peer has proven who it is."""
        if self._handshaking:
            self._handshaking = False
            self._slots.end_handshake(self._ip)


class Slots:
    """Counts connections, and refuses those beyond the limits.

    Attributes:
        access: whom the operator bans or allows.
        refused: how often each code was given.
        total: connections and dials now.
        inbound: how many of them others opened.
        handshakes: inbound ones not secured yet.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._addresses: Counter[object] = Counter()
        self._shaking: Counter[IpNetwork] = Counter()
        self._rate = _limiter(limits.handshakes_per_s, 1)
        self._address_rate = _limiter(limits.address_per_s, MAX_ADDRESSES)
        site_per_s = limits.handshakes_per_s // SITE_SHARES
        self._site_rate = _limiter(
            max(SITE_SHARES * limits.address_per_s, site_per_s), MAX_ADDRESSES
        )
        self._sites: Counter[IpNetwork] = Counter()
        self._come = RateMeter()
        self.access = AccessRules()
        self.refused: Counter[str] = Counter()
        self.total = 0
        self.inbound = 0
        self.handshakes = 0

    @contextmanager
    def hold_outbound(self) -> Iterator[None]:
        """Hold a slot for a connection of ours.

        Raises:
            LocalError: `too-many-connections`.
        """
        if self.total >= self._limits.total:
            raise LocalError(
                "too-many-connections",
                f"{self.total} connections are open, and no more are allowed",
                "raise the limit on connections, or wait for one to end",
            )
        self.total += 1
        try:
            yield
        finally:
            self.total -= 1

    def refusal(self, ip: IpAddress, now: float) -> str | None:
        """Return the code with which an inbound connection is refused, if it is.

        One that is not counts against the rates.

        Args:
            ip: where it comes from.
            now: seconds on a clock that never goes back.
        """
        code = self._banned(ip) or self._crowded() or self._neighbourhood(ip, now)
        if code is not None:
            self.refused[code] += 1
        return code

    def _banned(self, ip: IpAddress) -> str | None:
        return "banned" if self.access.is_banned(ip) else None

    def _crowded(self) -> str | None:
        limits = self._limits
        if self.total >= limits.total or self.inbound >= limits.inbound:
            return "too-many-connections"
        if self.handshakes >= limits.handshakes:
            return "too-many-handshakes"
        return None

    def _neighbourhood(self, ip: IpAddress, now: float) -> str | None:
        """Return why one stranger is refused who asks for more than a share."""
        ip = unmapped(ip)
        if self._limits.exempt_loopback and scope_of(ip) is Scope.MACHINE:
            return None
        # Before the rate of all: what one asks for in vain costs others nothing.
        if not self.access.is_allowed(ip) and (code := self._shares(ip, now)):
            return code
        if not self._rate.take(EVERYBODY, 1, now):
            return "too-often"
        self._come.add(1, now)
        return None

    def _shares(self, ip: IpAddress, now: float) -> str | None:
        """Return of which share a stranger has too much already."""
        limits, origin, site = self._limits, origin_of(ip), site_of(ip)
        if self._addresses[ip] >= limits.per_address or self._hogs(
            origin, HANDSHAKE_SHARES
        ):
            return "too-many-from-address"
        full = self._addresses[subnet_of(ip)] >= limits.per_subnet
        crowd = self._sites[site] >= SITE_SHARES * limits.per_subnet
        if full or crowd or self._hogs(site, SITE_SHARES):
            return "too-many-from-subnet"
        if not self._address_rate.take(origin, 1, now):
            return "too-often-from-address"
        if not self._site_rate.take(site, 1, now):
            return "too-often-from-subnet"
        return None

    def _hogs(self, group: IpNetwork, shares: int) -> bool:
        """Tell whether a group has one of so many shares of all handshakes already."""
        least = HANDSHAKE_SHARES // shares
        return self._shaking[group] >= max(least, self._limits.handshakes // shares)

    def end_handshake(self, ip: IpAddress) -> None:
        """Count a handshake no more: it was done, or came to nothing."""
        self.handshakes -= 1
        _forget(self._shaking, {origin_of(ip), site_of(ip)})

    def use(self, now: float) -> dict[str, LimitUse]:
        """Return each limit, and what of it is in use."""
        limits, refused = self._limits, self.refused
        used: dict[str, tuple[int, int | None, str]] = {
            "total": (limits.total, self.total, "too-many-connections"),
            "inbound": (limits.inbound, self.inbound, "too-many-connections"),
            "per_address": (
                limits.per_address, self._most(hosts=True), "too-many-from-address",
            ),
            "per_subnet": (
                limits.per_subnet, self._most(hosts=False), "too-many-from-subnet",
            ),
            "handshakes": (limits.handshakes, self.handshakes, "too-many-handshakes"),
            "handshakes_per_s": (
                limits.handshakes_per_s, self._come.per_s(now), "too-often",
            ),
            "address_per_s": (limits.address_per_s, None, "too-often-from-address"),
        }  # fmt: skip
        return {
            name: LimitUse(limit, count, refused[code])
            for name, (limit, count, code) in used.items()
        }

    def _most(self, *, hosts: bool) -> int:
        counts = (
            count
            for group, count in self._addresses.items()
            if isinstance(group, IPv4Address | IPv6Address) is hosts
        )
        return max(counts, default=0)

    @contextmanager
    def hold_inbound(self, ip: IpAddress) -> Iterator[Slot]:
        """Hold a slot for a connection that `refusal` let pass."""
        groups = (unmapped(ip), subnet_of(ip))
        self.total += 1
        self.inbound += 1
        self.handshakes += 1
        self._addresses.update(groups)
        self._sites[site_of(ip)] += 1
        self._shaking.update({origin_of(ip), site_of(ip)})
        slot = Slot(self, ip)
        try:
            yield slot
        finally:
            slot.secured()
            self.inbound -= 1
            self.total -= 1
            _forget(self._addresses, groups)
            _forget(self._sites, [site_of(ip)])


class StreamSlots:
    """Counts the streams that peers opened, and refuses those beyond the limits.

    A peer that has two connections for a moment may open no more than on one.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._open: Counter[PeerId] = Counter()
        self._refused: Counter[str] = Counter()

    def take(self, peer: PeerId) -> bool:
        """Count one more; return False when that would be too many."""
        limits = self._limits
        full = self._open.total() >= limits.streams
        if full or self._open[peer] >= limits.streams_per_peer:
            self._refused["streams" if full else "streams_per_peer"] += 1
            return False
        self._open[peer] += 1
        return True

    def give_back(self, peer: PeerId) -> None:
        """Count one less."""
        _forget(self._open, [peer])

    def use(self) -> dict[str, LimitUse]:
        """Return each limit, and what of it is in use."""
        limits, refused = self._limits, self._refused
        most = max(self._open.values(), default=0)
        return {
            "streams": LimitUse(limits.streams, self._open.total(), refused["streams"]),
            "streams_per_peer": LimitUse(
                limits.streams_per_peer, most, refused["streams_per_peer"]
            ),
        }


def _forget(counts: Counter[Any], keys: Iterable[object]) -> None:
    """Count each of the keys once less."""
    for key in keys:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]


def _limiter(per_s: int, max_keys: int) -> RateLimiter[object]:
    return RateLimiter(Rate(per_s, per_s * HANDSHAKE_BURST_S), max_keys)
