"""What a node passes on about others: peer records that it can stand in for."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address, IpAddress, Scope, scope_of
from moltp2p.proto.peers.peer_exchange import MAX_OFFERED
from moltp2p.proto.peers.peer_record import PeerRecord


class Offers:
    """The records of connected peers, from those peers themselves.

    A peer may sign that it listens where somebody else does. So a record is passed
    on only once we reached its peer at one of its addresses, or when the peer's own
    connection comes from the IP of one, or when it names us as its relay, where we are.

    Args:
        own: this node.
    """

    def __init__(self, own: PeerId) -> None:
        self._own = own
        self._records: dict[PeerId, dict[Scope, PeerRecord]] = {}
        self._reached: dict[PeerId, IpAddress] = {}

    def reached(self, address: Address) -> None:
        """Note that we dialled a peer there, and it answered."""
        self._reached[address.peer] = address.endpoint.ip

    def heard(self, peer: PeerId, ip: IpAddress, records: Iterable[PeerRecord]) -> None:
        """Keep what a connected peer says of itself, from where it says so."""
        self._reached.setdefault(peer, ip)
        own = self._records.setdefault(peer, {})
        for record in records:
            known = own.get(record.scope)
            if record.peer == peer and (known is None or known.seq <= record.seq):
                own[record.scope] = record

    def peers(self) -> set[PeerId]:
        """Return of whom anything is kept."""
        return {*self._records, *self._reached}

    def gone(self, peer: PeerId) -> None:
        """Forget a peer that is no longer connected."""
        self._records.pop(peer, None)
        self._reached.pop(peer, None)

    def sample(
        self,
        asker: PeerId,
        asker_ip: IpAddress,
        wall_ms: int,
        rng: random.Random,
        ours: Collection[IpAddress],
    ) -> list[bytes]:
        """Return records of other peers that the asker could reach, one of each.

        Args:
            asker: who asks.
            asker_ip: from where.
            wall_ms: our clock, milliseconds since 1970 UTC.
            rng: for whom to name.
            ours: the IPs at which others reach this node.
        """
        least = scope_of(asker_ip)
        found = [
            record
            for peer in self._records
            if peer != asker and (record := self._best(peer, least, wall_ms, ours))
        ]
        chosen = rng.sample(found, min(len(found), MAX_OFFERED))
        return [record.wire for record in chosen]

    def _best(
        self, peer: PeerId, least: Scope, wall_ms: int, ours: Collection[IpAddress]
    ) -> PeerRecord | None:
        """Return a peer's record of the narrowest scope that is wide enough."""
        proven = self._reached[peer]
        usable = [
            record
            for scope, record in self._records[peer].items()
            if scope >= least
            and record.is_current(wall_ms)
            and (record.names(proven) or self._relays(record, ours))
        ]
        return min(usable, key=lambda each: each.scope, default=None)

    def _relays(self, record: PeerRecord, ours: Collection[IpAddress]) -> bool:
        return any(
            each.relay == self._own and each.endpoint.ip in ours
            for each in record.addresses
        )
