"""Peer scores: who is let into meshes, gossiped with, heard at all (spec 05).

A score is our own opinion of a peer, told to nobody, made of what it did to us:

    credit   P1  time in our meshes         blame   P4  messages judged REJECT
             P2  messages brought first             P5  what other layers report
                                                    P6  many at one address
                                                    P7  gossip's rules broken

P3 of gossipsub v1.1, too few messages, is off: quiet communities are not guilty.
Blame outlives a connection: `Scores` keeps it, so that coming back, or coming
under another name from the same address, is no way around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import IpAddress, IpNetwork, origin_of, unmapped
from moltp2p.proto.gossip.score_settings import LOOPBACK, MAX_RETAINED, RETENTION_S
from moltp2p.proto.gossip.standing import Standing


class Scores:
    """The standings of the peers that are here, and of those that left with counts.

    A standing is handed out by `arrive` and belongs to the peer until `leave`;
    what happens to the peer is counted on it directly.

    Args:
        shared: networks whose addresses many honest peers share; nobody is blamed
            for how many come from there.
    """

    def __init__(self, shared: Collection[IpNetwork] = LOOPBACK) -> None:
        self._shared = shared
        self._present: dict[PeerId, Standing] = {}
        self._gone: dict[PeerId, tuple[float, Standing]] = {}  # oldest first
        self._residents: dict[IpNetwork, set[PeerId]] = {}  # present ones
        self._fled: Counter[IpNetwork] = Counter()  # gone ones

    @property
    def retained(self) -> int:
        """How many peers that left are remembered for what they did."""
        return len(self._gone)

    def arrive(self, peer: PeerId, ip: IpAddress | None, now: float) -> Standing:
        """Return the standing of a peer that came, or came back.

        Args:
            peer: who came; not here already.
            ip: its address, where that is known.
            now: seconds; blame older than `RETENTION_S` is forgotten.
        """
        self._forget(now)
        standing = self._recall(peer)
        standing.origin = self._counted_origin(ip)
        self._present[peer] = standing
        if standing.origin is not None:
            self._residents.setdefault(standing.origin, set()).add(peer)
            self._recount(standing.origin)
        standing.settle()
        return standing

    def leave(self, peer: PeerId, now: float) -> None:
        """Keep what a peer that left is to blame for, and no more; harmless twice.

        It does not fade until the peer is back, or `RETENTION_S` have passed.
        """
        standing = self._present.pop(peer, None)
        if standing is None:
            return
        origin = standing.origin
        if origin is not None:
            self._residents[origin].discard(peer)
        if standing.depart():
            self._retain(peer, standing, now)
        elif origin is not None:
            self._recount(origin)

    def reject(self, peer: PeerId, standing: Standing, now: float) -> None:
        """Count a REJECTed message, also where its sender left before the verdict.

        Args:
            peer: who sent it.
            standing: the peer's when it did; it may be back with another by now.
            now: seconds.
        """
        if peer in self._present:
            self._present[peer].reject()
            return
        if kept := self._gone.get(peer):
            standing = kept[1]
            self._drop(peer)
        standing.reject()
        self._retain(peer, standing, now)

    def of(self, peer: PeerId) -> float:
        """Return a peer's score; 0 when it is not here."""
        standing = self._present.get(peer)
        return standing.score if standing else 0.0

    def heartbeat(self, meshes: Mapping[str, Iterable[PeerId]], now: float) -> None:
        """Let every count fade, count the time in meshes, and settle every score.

        Args:
            meshes: the peers in each topic's mesh.
            now: seconds.
        """
        self._forget(now)
        in_mesh: dict[PeerId, dict[str, None]] = {}
        for topic, peers in meshes.items():
            for peer in peers:
                in_mesh.setdefault(peer, {})[topic] = None
        for peer, standing in self._present.items():
            standing.fade()
            standing.note_meshes(in_mesh.get(peer, _NOWHERE))
            standing.settle()

    def _retain(self, peer: PeerId, standing: Standing, now: float) -> None:
        if len(self._gone) >= MAX_RETAINED:
            self._drop(next(iter(self._gone)))
        self._gone[peer] = now, standing
        self._count_fled(standing, 1)

    def _counted_origin(self, ip: IpAddress | None) -> IpNetwork | None:
        if ip is None:
            return None
        ip = unmapped(ip)
        return None if any(ip in network for network in self._shared) else origin_of(ip)

    def _recall(self, peer: PeerId) -> Standing:
        kept = self._gone.get(peer)
        if kept is None:
            return Standing()
        self._drop(peer)
        return kept[1]

    def _forget(self, now: float) -> None:
        """Drop the blame that is too old, from the front: they left in that order."""
        limit = now - RETENTION_S
        items = self._gone.items()
        for peer in [key for key, _ in takewhile(lambda i: i[1][0] <= limit, items)]:
            self._drop(peer)

    def _drop(self, peer: PeerId) -> None:
        _, standing = self._gone.pop(peer)
        self._count_fled(standing, -1)

    def _count_fled(self, standing: Standing, change: int) -> None:
        """Count who left with a score below zero among its former neighbours."""
        origin = standing.origin
        if origin is None:
            return
        if standing.score < 0:
            self._fled[origin] += change
        self._recount(origin)

    def _recount(self, origin: IpNetwork) -> None:
        """Tell all peers of an origin how many they are."""
        residents = self._residents.get(origin, set())
        fled = self._fled[origin]
        if not residents:
            self._residents.pop(origin, None)
        if not fled:
            del self._fled[origin]
        for peer in residents:
            self._present[peer].neighbours = len(residents) + fled
            self._present[peer].settle()


_NOWHERE: Mapping[str, None] = {}
