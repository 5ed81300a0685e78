"""Whom a challenger has time for: sessions, slots and tickets (spec 07)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from moltp2p.core.challenge.testimony import SLOTS, slots_of
from moltp2p.core.challenge.work import Ticket, epoch_of, is_current, least_size
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.proto.ratelimit import Rate, RateLimiter

MAX_ADDRESSES: Final = 1_024
"""Addresses whose rates are kept apart; whoever comes new then shares one rate."""
VISITS: Final = Rate(per_s=0.1, burst=8)
HASHES: Final = Rate(per_s=2.0, burst=16)
KEPT_EPOCHS: Final = 48
"""For how long used slots are remembered: a clock may be set back by two days."""


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What an operator may choose; beyond each of them the answer is `busy`.

    Attributes:
        sessions: at once, in all.
        sessions_per_peer: at once with one peer.
        sessions_per_address: at once from one IP address.
        visits: applications from one IP address.
        hashes: tickets that are computed, in all.
        sessions_per_epoch: begun for the tickets of one epoch; beyond it `no-slots`.
        slots: that may be signed for in one epoch.
    """

    sessions: int = 8
    sessions_per_peer: int = 1
    sessions_per_address: int = 2
    visits: Rate = VISITS
    hashes: Rate = HASHES
    sessions_per_epoch: int = 8 * SLOTS
    slots: int = SLOTS

    @classmethod
    def of(cls, network: str) -> DeskSettings:
        """Return what is usual on a network."""
        slots = slots_of(network)
        return cls(sessions_per_epoch=8 * slots, slots=slots)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has opened a stream: its peer id, proven, and its IP address."""

    peer: PeerId
    address: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A slot that is held for a session, or was.

    Attributes:
        epoch: of the ticket.
        slot: from 0.
        value: the ticket's value.
    """

    epoch: int
    slot: int
    value: bytes


class Desk:
    """Shared by all sessions of a challenger.

    Args:
        settings: the operator's.
        challengers: how many are known; it sets the least `size` of a ticket.
    """

    def __init__(self, settings: DeskSettings, challengers: int = 0) -> None:
        self.challengers = challengers
        self._settings = settings
        self._visitors: Counter[Visitor] = Counter()
        self._visits = RateLimiter[str](settings.visits, MAX_ADDRESSES)
        self._hashes = RateLimiter[None](settings.hashes, 1)
        self._taken: dict[int, set[int]] = {}
        self._used: dict[int, set[tuple[AgentId, Ticket]]] = {}
        self._attested: dict[int, set[bytes]] = {}

    def restore(self, seats: Iterable[Seat]) -> None:
        """Take slots and tickets for used: of attestations given before a restart."""
        for seat in seats:
            self._taken.setdefault(seat.epoch, set()).add(seat.slot)
            self._attested.setdefault(seat.epoch, set()).add(seat.value)

    def slots_left(self, epoch: int) -> int:
        """Return how many slots of an epoch are neither used nor held."""
        return self._settings.slots - len(self._taken.get(epoch, ()))

    def enter(self, visitor: Visitor, now: float) -> None:
        """Let somebody in, until `leave`.

        Raises:
            PeerError: `busy`.
        """
        limits = self._settings
        with_peer = sum(
            count for who, count in self._visitors.items() if who.peer == visitor.peer
        )
        from_address = sum(
            count
            for who, count in self._visitors.items()
            if who.address == visitor.address
        )
        if (
            self._visitors.total() >= limits.sessions
            or with_peer >= limits.sessions_per_peer
            or from_address >= limits.sessions_per_address
            or not self._visits.take(visitor.address, 1, now)
        ):
            raise PeerError("busy", "too many sessions now", "try again in a minute")
        self._visitors[visitor] += 1

    def leave(self, visitor: Visitor) -> None:
        """Let somebody go who was let in."""
        self._visitors[visitor] -= 1
        if not self._visitors[visitor]:
            del self._visitors[visitor]

    def weigh(self, subject: AgentId, ticket: Ticket, time_ms: int) -> None:
        """Refuse a ticket for what can be seen without computing it.

        Raises:
            PeerError: `stale-ticket`, `weak-ticket`, `ticket-used` or `no-slots`.
        """
        if not is_current(ticket.epoch, time_ms):
            raise PeerError("stale-ticket", "the ticket's epoch is over, or to come")
        if ticket.size < (least := least_size(self.challengers)):
            raise PeerError("weak-ticket", f"its size is less than {least}")
        used = self._used.get(ticket.epoch, set())
        if (subject, ticket) in used:
            raise PeerError("ticket-used", "one session for one ticket")
        full = len(used) >= self._settings.sessions_per_epoch
        if full or not self.slots_left(ticket.epoch):
            raise PeerError("no-slots", "no slot of that epoch is left")

    def pay_hash(self, now: float) -> None:
        """Take the cost of one Argon2id.

        Raises:
            PeerError: `busy`.
        """
        if not self._hashes.take(None, 1, now):
            raise PeerError("busy", "too many tickets now", "try again in a minute")

    def reserve(
        self, subject: AgentId, ticket: Ticket, value: bytes, time_ms: int
    ) -> Seat:
        """Hold a slot for a session, and take its ticket for used.

        Raises:
            PeerError: as `weigh`: others may have been faster; or `ticket-used` by
                what was attested before a restart.
        """
        self.weigh(subject, ticket, time_ms)
        if value in self._attested.get(ticket.epoch, ()):
            raise PeerError("ticket-used", "it was attested before a restart")
        self._forget(time_ms)
        taken = self._taken.setdefault(ticket.epoch, set())
        slots = range(self._settings.slots)
        slot = next(slot for slot in slots if slot not in taken)
        taken.add(slot)
        self._used.setdefault(ticket.epoch, set()).add((subject, ticket))
        return Seat(ticket.epoch, slot, value)

    def release(self, seat: Seat) -> None:
        """Free a slot for which nothing was signed."""
        self._taken.get(seat.epoch, set()).discard(seat.slot)

    def _forget(self, time_ms: int) -> None:
        """Drop what no ticket can ask for any more."""
        oldest = epoch_of(time_ms) - KEPT_EPOCHS
        for table in (self._taken, self._used, self._attested):
            for epoch in [each for each in table if each < oldest]:
                del table[epoch]
