"""Whom to dial, and when.

Bootstrap addresses are kept connected for ever. Those that peers told of fill the
slots for outbound peers, spread over the network, so that whoever owns a range of
addresses owns few of our peers (spec 04, section 5).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address
from moltp2p.proto.peers.address_book import AddressBook, source_group
from moltp2p.proto.peers.choosing import choose, group_limit, pick
from moltp2p.proto.peers.entry import FORGET_AFTER, Entry, redial_delay_s
from moltp2p.proto.peers.status import AddressStatus, BookStatus, DialState

MAX_ANCHORS: Final = 4
"""Outbound peers, each of another group, that are dialled first after a restart."""

STABLE_S: Final = 30.0
"""A connection that ends sooner counts as a failed dial: a peer that is full takes
us in and hangs up, and would otherwise be dialled every second."""

FEELER_S: Final = 120.0
"""How often, with all slots full, one address is tried that we know by hearsay."""

MAX_STATUS: Final = 200
"""Addresses in `status`: the operator's, those in use, and then some."""


class DialPlan:
    """Decides which addresses of a book to dial.

    Args:
        book: what is known.
        rng: for jitter, and for whom to choose.
        target_peers: how many peers to look for; two thirds of them by dialling,
            however many dial us: inbound peers choose us, not we them.
        max_dials: how many dials at once.
    """

    def __init__(
        self, book: AddressBook, rng: random.Random, target_peers: int, max_dials: int
    ) -> None:
        self._book = book
        self._rng = rng
        self._target = target_peers
        self._slots = math.ceil(target_peers * 2 / 3)
        self._max_dials = max_dials
        self._connected: dict[PeerId, float] = {}  # since when
        self._outbound: dict[PeerId, Entry] = {}
        self._dialling: dict[Address, Entry] = {}
        self._let_go: set[PeerId] = set()
        self._feel_at = math.inf

    # -- what happens ----------------------------------------------------------

    def connected(self, peer: PeerId, now: float, *, outbound: Address | None) -> None:
        """Note that a peer is connected.

        Args:
            peer: who.
            now: when.
            outbound: where we dialled it; None when it dialled us.
        """
        self._connected.setdefault(peer, now)
        if outbound is not None:
            entry = self._book.get(outbound) or Entry(
                outbound, source_group(outbound.endpoint.ip)
            )
            self._outbound[peer] = entry

    def disconnected(self, peer: PeerId, now: float) -> None:
        """Note that a peer is gone; it is dialled again after a moment."""
        lasted = now - self._connected.pop(peer, now)
        self._outbound.pop(peer, None)
        meant = peer in self._let_go
        self._let_go.discard(peer)
        for entry in self._book.of_peer(peer):
            if not meant:
                entry.failures = 0 if lasted >= STABLE_S else entry.failures + 1
                entry.last_error = "" if lasted >= STABLE_S else "hung-up"
            entry.not_before = now + redial_delay_s(entry.failures, self._rng)

    def reached(self, address: Address, now: float) -> PeerId | None:
        """Note that a dial has succeeded.

        Returns:
            Whom to hang up on, when that dial was one too many: the feeler that
            made it, or a peer whose network group has more than one.
        """
        entry = self._dialled(address)
        if entry is None:
            return None
        entry.last_error = ""
        entry.succeeded_at = now
        if self._book.tables.get(address) is entry:
            self._book.tables.promote(entry, now)
        if not entry.is_feeler:
            return None
        entry.is_feeler = False
        return self._one_too_many(entry)

    def _one_too_many(self, feeler: Entry) -> PeerId | None:
        others = [
            (peer, each)
            for peer, each in self._outbound.items()
            if not each.is_bootstrap and peer != feeler.address.peer
        ]
        taken = Counter(each.group for _, each in others)
        worst = [peer for peer, each in others if taken[each.group] > 1]
        gone = feeler.address.peer
        if worst and not taken[feeler.group]:
            gone = max(worst, key=lambda peer: self._connected.get(peer, 0.0))
        self._let_go.add(gone)
        return gone

    def failed(self, address: Address, code: str, now: float) -> None:
        """Note that a dial has failed."""
        entry = self._dialled(address)
        if entry is None:
            return
        entry.is_feeler = False
        # With nobody connected the fault may be our own line's.
        if self._connected or entry.failures < FORGET_AFTER - 1:
            entry.failures += 1
        entry.last_error = code
        entry.not_before = now + redial_delay_s(entry.failures, self._rng)
        if not entry.is_bootstrap and entry.is_worthless(now):
            self._book.tables.remove(entry)

    # -- what to do ------------------------------------------------------------

    @property
    def peers(self) -> frozenset[PeerId]:
        """Who is connected."""
        return frozenset(self._connected)

    @property
    def wants_peers(self) -> bool:
        """Whether there are fewer peers, or fewer that we dialled, than looked for."""
        return self._missing > 0

    @property
    def _missing(self) -> int:
        of_all = self._target - len(self._connected)
        return max(of_all, self._slots - len(self._outbound))

    def due(self, now: float) -> list[Address]:
        """Return the addresses to dial now; each is `reached` or `failed` later."""
        room = self._max_dials - len(self._dialling)
        chosen = self._due_bootstrap(now)[: max(0, room)]
        missing = self._missing - len(self._dialling) - len(chosen)
        chosen += self._due_told(now, min(missing, room - len(chosen)), chosen)
        if not chosen and self._missing <= 0 < min(room, self._slots):
            chosen = self._feeler(now)
        for entry in chosen:
            entry.dialling = True
        self._dialling |= {each.address: each for each in chosen}
        return [entry.address for entry in chosen]

    def _due_told(self, now: float, count: int, but: list[Entry]) -> list[Entry]:
        """Choose some of what peers told of, spread over the network."""
        if count <= 0:  # looking through the book takes milliseconds
            return []
        taken = Counter(
            each.group
            for each in (*self._outbound.values(), *self._dialling.values(), *but)
        )
        limit = group_limit(self._target, self._book.tables)
        ready = self._ready(now, but)
        chosen: list[Entry] = []
        while len(chosen) < count and (entry := choose(ready, taken, limit, self._rng)):
            chosen.append(entry)
            taken[entry.group] += 1
            peer = entry.address.peer
            ready = [each for each in ready if each.address.peer != peer]
        return chosen

    def _due_bootstrap(self, now: float) -> list[Entry]:
        busy, ready = self._busy, dict[PeerId, Entry]()
        for entry in self._book.bootstrap.values():
            if entry.not_before <= now and entry.address.peer not in busy:
                ready.setdefault(entry.address.peer, entry)
        return self._rng.sample(list(ready.values()), len(ready))

    def _ready(self, now: float, but: list[Entry]) -> list[Entry]:
        peers = {each.address.peer for each in but}
        return [
            entry
            for entry in self._free()
            if entry.not_before <= now and entry.address.peer not in peers
        ]

    def _feeler(self, now: float) -> list[Entry]:
        """Choose an address to see whether it works: a peer that is not needed yet."""
        is_time = self._feel_at <= now
        if is_time or self._feel_at == math.inf:
            self._feel_at = now + self._rng.uniform(FEELER_S / 2, FEELER_S)
        if not is_time:
            return []
        told = [each for each in self._ready(now, []) if not each.tried]
        if not told:
            return []
        entry = pick(told, self._rng)
        entry.is_feeler = True
        return [entry]

    def wake_at(self, now: float) -> float:
        """Return when `due`, asked just now, may next have something by itself.

        What is due already and was not returned waits for something to happen.
        """
        busy = self._busy
        times = [
            each.not_before
            for each in self._book.bootstrap.values()
            if each.address.peer not in busy
        ]
        if self.wants_peers:
            times += [each.not_before for each in self._free()]
        elif any(not each.tried for each in self._free()):
            times.append(self._feel_at)
        return min((time for time in times if time > now), default=math.inf)

    def _free(self) -> Iterator[Entry]:
        busy = self._busy
        return (each for each in self._book.tables if each.address.peer not in busy)

    @property
    def _busy(self) -> set[PeerId]:
        """Whom not to dial: who is connected, or being dialled."""
        return {each.peer for each in self._dialling} | self._connected.keys()

    def _dialled(self, address: Address) -> Entry | None:
        """Return the entry of an address that was being dialled, or that is known."""
        entry = self._dialling.pop(address, None) or self._book.get(address)
        if entry is not None:
            entry.dialling = False
        return entry

    # -- what there is to say --------------------------------------------------

    def anchors(self, now: float) -> list[Entry]:
        """Return the oldest lasting outbound peers, each of another network group."""
        found: dict[str, Entry] = {}
        for peer in sorted(self._outbound, key=lambda each: self._connected[each]):
            entry = self._outbound[peer]
            if (
                entry.succeeded_at is not None
                and now - self._connected[peer] >= STABLE_S
            ):
                found.setdefault(entry.group, entry)
        return list(found.values())[:MAX_ANCHORS]

    def figures(self, now: float) -> BookStatus:
        """Return the book in figures."""
        tried = [each for each in self._book.tables if each.tried]
        return BookStatus(
            told=len(self._book.tables) - len(tried),
            tried=len(tried),
            groups=len({each.group for each in tried}),
            outbound=len(self._outbound),
            slots=self._slots,
            anchors=len(self.anchors(now)),
        )

    def status(self, now: float) -> list[AddressStatus]:
        """Return addresses and what goes on with each, bootstrap first."""
        found = [
            each.status(now, connected=each.address.peer in self._connected)
            for each in self._book
        ]
        found.sort(
            key=lambda each: (not each.bootstrap, each.state is DialState.WAITING)
        )
        return found[:MAX_STATUS]
