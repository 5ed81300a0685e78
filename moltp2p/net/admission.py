"""Who may connect: the count of connections held, and the limits on it.

Pure bookkeeping, without sockets. Upstream's own is wrong in two ways (C3, H15
of libp2p 0.8.1: an inbound slot is never given back, and IPv6 addresses are
unknown), which is why a slot here is a context manager and takes the address.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moltp2p.core.errors import LocalError
from moltp2p.proto.address import Scope, scope_of, subnet_of, unmapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moltp2p.net.base import ConnectionLimits
    from moltp2p.proto.address import IpAddress


class Slot:
    """One connection's share of the limits."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._handshaking = True

    def secured(self) -> None:
        """Give back the share of the handshakes: the peer has proven who it is."""
        if self._handshaking:
            self._handshaking = False
            self._slots.handshakes -= 1


class Slots:
    """Counts connections, and refuses those beyond the limits.

    Attributes:
        total: connections and dials now.
        inbound: how many of them others opened.
        handshakes: inbound ones not secured yet.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._addresses: Counter[object] = Counter()
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

    def refusal(self, ip: IpAddress) -> str | None:
        """Return the code with which an inbound connection is refused, if it is."""
        limits = self._limits
        if self.total >= limits.total or self.inbound >= limits.inbound:
            return "too-many-connections"
        if self.handshakes >= limits.handshakes:
            return "too-many-handshakes"
        if limits.exempt_loopback and scope_of(ip) is Scope.MACHINE:
            return None
        if self._addresses[unmapped(ip)] >= limits.per_address:
            return "too-many-from-address"
        if self._addresses[subnet_of(ip)] >= limits.per_subnet:
            return "too-many-from-subnet"
        return None

    @contextmanager
    def hold_inbound(self, ip: IpAddress) -> Iterator[Slot]:
        """Hold a slot for a connection that `refusal` let pass."""
        groups = (unmapped(ip), subnet_of(ip))
        self.total += 1
        self.inbound += 1
        self.handshakes += 1
        self._addresses.update(groups)
        slot = Slot(self)
        try:
            yield slot
        finally:
            slot.secured()
            self.inbound -= 1
            self.total -= 1
            for group in groups:
                self._addresses[group] -= 1
                if not self._addresses[group]:
                    del self._addresses[group]
