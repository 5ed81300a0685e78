"""Whom to dial, and when: the addresses that a node knows, and what it made of them.

Pure bookkeeping (spec 04, section 5). Bootstrap addresses are kept connected for
ever; those learned from peers only until there are enough peers. Everything that
a stranger can add is bounded, and hearsay is not passed on.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moltp2p.core.errors import UsageError
from moltp2p.proto.address import Address, Endpoint, parse_address, scope_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from moltp2p.core.ids import PeerId
    from moltp2p.proto.address import IpAddress

BASE_DELAY_S: Final = 1.0
MAX_DELAY_S: Final = 300.0

MAX_ENTRIES: Final = 1_000  # SPEC 04: "at most 1,000 addresses"
MAX_PER_SOURCE: Final = 64  # SPEC 04: "at most 64 of them from one peer"
MAX_PER_PEER: Final = 4  # SPEC 04: "at most 4 of one peer"
MAX_OFFERED: Final = 32  # SPEC 04: "at most 32 addresses"

FORGET_AFTER: Final = 8
"""Failures after which an address from a peer is dropped: some four minutes."""

STABLE_S: Final = 30.0
"""A connection that ends sooner counts as a failed dial: a peer that is full takes
us in and hangs up, and would otherwise be dialled every second."""


def redial_delay_s(failures: int, rng: random.Random) -> float:
    """Return how long to leave an address alone after it failed `failures` times.

    Doubles up to five minutes; the jitter keeps a restarted bootstrap peer from
    being dialled by everybody in the same second.
    """
    ceiling = min(MAX_DELAY_S, BASE_DELAY_S * 2 ** min(failures, 10))
    return rng.uniform(ceiling / 2, ceiling)


class DialState(enum.StrEnum):
    """What goes on with an address."""

    CONNECTED = "connected"
    DIALLING = "dialling"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """One address, for `status`.

    Attributes:
        address: its text.
        bootstrap: whether it is from the configuration.
        state: what goes on with it.
        failures: failed dials since the last lasting connection.
        next_attempt_s: seconds until it may be dialled again; 0 unless waiting.
        last_error: the code of the last failure, or "".
    """

    address: str
    bootstrap: bool
    state: DialState
    failures: int
    next_attempt_s: float
    last_error: str


@dataclass(slots=True, eq=False)
class _Entry:
    """An address, and what came of it.

    `source` is the peer that named it; None for the configuration. `proven` says
    that we reached the peer there, or that the peer itself named the address.
    """

    address: Address
    source: PeerId | None
    proven: bool = False
    failures: int = 0
    not_before: float = 0.0
    dialling: bool = False
    last_error: str = ""


class AddressBook:
    """Knows addresses, and decides which to dial.

    Args:
        own: this node, which is never dialled.
        rng: for jitter, and for whom to choose.
        target_peers: how many peers to look for among learned addresses.
        max_dials: how many dials at once.
    """

    def __init__(
        self, own: PeerId, rng: random.Random, target_peers: int, max_dials: int
    ) -> None:
        self._own = own
        self._rng = rng
        self._target_peers = target_peers
        self._max_dials = max_dials
        self._entries: dict[Address, _Entry] = {}
        self._connected: dict[PeerId, float] = {}  # since when

    # -- what is known ---------------------------------------------------------

    def add_bootstrap(self, address: Address) -> None:
        """Keep `address` connected for ever; our own is passed over."""
        if address.peer != self._own:
            self._entries[address] = _Entry(address, None)

    def learn(self, source: PeerId, source_ip: IpAddress, texts: Iterable[str]) -> int:
        """Take addresses that a peer names; return how many were new and usable.

        Unusable ones are passed over, since later versions may name other kinds;
        an address is believed only from a peer that could reach it as we would.
        """
        return sum(self._learn_one(source, source_ip, text) for text in texts)

    def _learn_one(self, source: PeerId, source_ip: IpAddress, text: str) -> bool:
        try:
            address = parse_address(text)
        except UsageError:
            return False
        if scope_of(address.endpoint.ip) < scope_of(source_ip):
            return False
        return self._add(_Entry(address, source))

    def announced(self, peer: PeerId, ip: IpAddress, ports: Iterable[int]) -> None:
        """Take the ports on which a peer says that it listens, at the IP we see."""
        for port in ports:
            address = Address(Endpoint(ip, port), peer)
            if (known := self._entries.get(address)) is not None:
                known.proven = True
            else:
                self._add(_Entry(address, peer, proven=True))

    def _add(self, new: _Entry) -> bool:
        if new.address.peer == self._own or new.address in self._entries:
            return False
        entries = self._entries.values()
        of_peer = sum(each.address.peer == new.address.peer for each in entries)
        of_source = sum(each.source == new.source for each in entries)
        if of_peer >= MAX_PER_PEER or of_source >= MAX_PER_SOURCE:
            return False
        if len(entries) >= MAX_ENTRIES and not self._evict():
            return False
        self._entries[new.address] = new
        return True

    def _evict(self) -> bool:
        """Drop the learned address that failed most, if one has failed at all."""
        failed = [
            entry
            for entry in self._entries.values()
            if entry.source is not None and entry.failures and not entry.dialling
        ]
        if failed:
            worst = max(failed, key=lambda entry: entry.failures)
            del self._entries[worst.address]
        return bool(failed)

    def offer(self, asker: PeerId, asker_ip: IpAddress) -> list[str]:
        """Return addresses of connected peers that `asker` could reach, one of each.

        Only what we know ourselves: hearsay would let one liar fill every book.
        """
        found: dict[PeerId, str] = {}
        for entry in self._entries.values():
            address = entry.address
            reachable = scope_of(address.endpoint.ip) >= scope_of(asker_ip)
            if entry.proven and reachable and address.peer in self._connected:
                found.setdefault(address.peer, str(address))
        found.pop(asker, None)
        chosen = self._rng.sample(list(found), min(len(found), MAX_OFFERED))
        return [found[peer] for peer in chosen]

    # -- what happens ----------------------------------------------------------

    def connected(self, peer: PeerId, now: float) -> None:
        """Note that a peer is connected, whoever dialled."""
        self._connected.setdefault(peer, now)

    def disconnected(self, peer: PeerId, now: float) -> None:
        """Note that a peer is gone; it is dialled again after a moment."""
        lasted = now - self._connected.pop(peer, now)
        for entry in self._entries.values():
            if entry.address.peer == peer:
                entry.failures = 0 if lasted >= STABLE_S else entry.failures + 1
                entry.not_before = now + redial_delay_s(entry.failures, self._rng)

    def reached(self, address: Address) -> None:
        """Note that a dial has succeeded."""
        if (entry := self._entries.get(address)) is not None:
            entry.dialling = False
            entry.proven = True
            entry.last_error = ""

    def failed(self, address: Address, code: str, now: float) -> None:
        """Note that a dial has failed."""
        entry = self._entries.get(address)
        if entry is None:
            return
        entry.dialling = False
        entry.failures += 1
        entry.last_error = code
        entry.not_before = now + redial_delay_s(entry.failures, self._rng)
        if entry.source is not None and entry.failures >= FORGET_AFTER:
            del self._entries[address]

    def is_configured(self, address: Address) -> bool:
        """Tell whether an address is the operator's own, and not from a peer."""
        entry = self._entries.get(address)
        return entry is not None and entry.source is None

    # -- what to do ------------------------------------------------------------

    @property
    def peers(self) -> frozenset[PeerId]:
        """Who is connected."""
        return frozenset(self._connected)

    @property
    def wants_peers(self) -> bool:
        """Whether there are fewer peers than looked for."""
        return len(self._connected) < self._target_peers

    def due(self, now: float) -> list[Address]:
        """Return the addresses to dial now; each is `reached` or `failed` later."""
        entries = self._entries.values()
        dialling = sum(entry.dialling for entry in entries)
        ready = [entry for entry in self._candidates() if entry.not_before <= now]
        self._rng.shuffle(ready)
        ready.sort(key=lambda entry: entry.source is not None)  # bootstrap first
        missing = self._target_peers - len(self._connected) - dialling
        chosen: dict[PeerId, _Entry] = {}
        for entry in ready:
            if len(chosen) >= self._max_dials - dialling:
                break
            if entry.source is None or len(chosen) < missing:
                chosen.setdefault(entry.address.peer, entry)
        for entry in chosen.values():
            entry.dialling = True
        return [entry.address for entry in chosen.values()]

    def wake_at(self, now: float) -> float:
        """Return when `due`, asked just now, may next have something by itself.

        What is due already and was not returned waits for something to happen.
        """
        times = [entry.not_before for entry in self._candidates()]
        return min((time for time in times if time > now), default=math.inf)

    def _candidates(self) -> list[_Entry]:
        entries = self._entries.values()
        busy = {entry.address.peer for entry in entries if entry.dialling}
        return [
            entry
            for entry in entries
            if entry.address.peer not in self._connected
            and entry.address.peer not in busy
            and (entry.source is None or self.wants_peers)
        ]

    def status(self, now: float) -> list[AddressStatus]:
        """Return every address and what goes on with it, bootstrap first."""
        found = [self._status(entry, now) for entry in self._entries.values()]
        return sorted(found, key=lambda each: not each.bootstrap)

    def _status(self, entry: _Entry, now: float) -> AddressStatus:
        state = DialState.WAITING
        if entry.address.peer in self._connected:
            state = DialState.CONNECTED
        elif entry.dialling:
            state = DialState.DIALLING
        waiting = state is DialState.WAITING
        return AddressStatus(
            address=str(entry.address),
            bootstrap=entry.source is None,
            state=state,
            failures=entry.failures,
            next_attempt_s=max(0.0, entry.not_before - now) if waiting else 0.0,
            last_error=entry.last_error,
        )
