"""The addresses that a node knows, and from whom.

Pure bookkeeping (spec 04, section 5). Whom to dial of them, and when, is decided in
`dial_plan.py`. Everything that a stranger can add is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address, Endpoint, IpAddress, group_of, scope_of
from moltp2p.proto.peers.entry import Entry
from moltp2p.proto.peers.peer_record import PeerRecord
from moltp2p.proto.peers.tables import Tables
from moltp2p.proto.ratelimit import Rate, RateLimiter

# SPEC 04: "1,000 addresses of one peer at once, and one every 10 seconds after that"
INTAKE: Final = Rate(per_s=0.1, burst=1_000)
MAX_SOURCES: Final = 1_024
"""Peers of whom we remember how much they told; all others share one limit."""


class AddressBook:
    """Knows addresses.

    Args:
        own: this node, which is never dialled.
        secret: known to this node alone (`Tables`).

    Attributes:
        bootstrap: the operator's own, to be kept connected for ever.
        tables: those that peers told of.
    """

    def __init__(self, own: PeerId, secret: bytes) -> None:
        self.own = own
        self.tables = Tables(secret)
        self.bootstrap: dict[Address, Entry] = {}
        self._intake: RateLimiter[PeerId] = RateLimiter(INTAKE, MAX_SOURCES)
        self._refuses: Callable[[Address], bool] = lambda _: False

    def add_bootstrap(self, address: Address) -> None:
        """Keep `address` connected for ever; our own is passed over."""
        if address.peer != self.own and address not in self.bootstrap:
            self.bootstrap[address] = Entry(address, None)

    def drop_bootstrap(self, keep: Callable[[Address], bool]) -> None:
        """Let go of bootstrap addresses that are no longer in a list of names."""
        kept = {each: entry for each, entry in self.bootstrap.items() if keep(each)}
        self.bootstrap = kept

    def learn(
        self,
        source: PeerId,
        source_ip: IpAddress,
        records: Iterable[PeerRecord],
        now: float,
        wall_ms: int,
    ) -> int:
        """Take what a peer passes on; return how many addresses were new and usable.

        An address is believed only from a peer that could reach it as we would, and
        only so many of one peer. What is passed over is nobody's fault.
        """
        count = 0
        for record in records:
            wide = record.scope >= scope_of(source_ip)
            if wide and record.peer != self.own and record.is_current(wall_ms):
                count += self._learn_record(source, source_ip, record, now)
        return count

    def _learn_record(
        self, source: PeerId, source_ip: IpAddress, record: PeerRecord, now: float
    ) -> int:
        known = [
            each
            for each in self.tables.of_peer(record.peer)
            if scope_of(each.address.endpoint.ip) is record.scope
        ]
        if record.seq < max((each.seq for each in known), default=0):
            return 0
        for entry in known:
            entry.seq = record.seq
            if entry.address not in record.addresses and not entry.tried:
                self.tables.remove(entry)
        group = source_group(source_ip)
        new = [each for each in record.addresses if self.get(each) is None]
        return sum(
            self._intake.take(source, 1, now)
            and not self._refuses(address)
            and self.tables.add(Entry(address, group, record.seq), now)
            for address in new
        )

    def suggest(self, address: Address, teller: str, now: float) -> bool:
        """Take an address that nobody signed; return whether it is new.

        Args:
            address: to be dialled, whereupon the peer proves itself.
            teller: where it is from, in place of a network group.
            now: when.
        """
        if address.peer == self.own or self.get(address) or self._refuses(address):
            return False
        return self.tables.add(Entry(address, teller), now)

    def restore(self, entry: Entry, now: float) -> None:
        """Take an address from before the node's last end."""
        address = entry.address
        known = self.get(address) is not None
        if not known and address.peer != self.own and not self._refuses(address):
            self.tables.add(entry, now)

    def keep_out(self, refuses: Callable[[Address], bool]) -> None:
        """Forget the addresses that `refuses` names, now and for ever."""
        self._refuses = refuses
        for entry in [each for each in self.tables if refuses(each.address)]:
            self.tables.remove(entry)

    def forget(self, peer: PeerId) -> None:
        """Forget every address of a peer but the operator's own."""
        for entry in self.tables.of_peer(peer):
            self.tables.remove(entry)

    def get(self, address: Address) -> Entry | None:
        """Return what is known of an address."""
        return self.bootstrap.get(address) or self.tables.get(address)

    def is_configured(self, address: Address) -> bool:
        """Tell whether an address is the operator's own, and not from a peer."""
        return address in self.bootstrap

    def of_peer(self, peer: PeerId) -> list[Entry]:
        """Return every address of a peer."""
        own = [each for each in self.bootstrap.values() if each.address.peer == peer]
        return own + self.tables.of_peer(peer)

    def __iter__(self) -> Iterator[Entry]:
        return chain(self.bootstrap.values(), self.tables)


def source_group(ip: IpAddress) -> str:
    """Return the network group of a teller: on this machine or site, its address."""
    return group_of(Endpoint(ip, 0))
