"""What peers say of us: from which IP we come, and how our clock stands."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Endpoint, IpAddress, Scope, group_of, scope_of

MAX_TELLERS: Final = 64
"""Peers whose last word is kept; the oldest goes first."""

AGREEING: Final = 2
"""Network groups of tellers that must name the same IP before we believe it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one peer said.

    Attributes:
        teller: its network group.
        seen: the IP that our connection comes from.
        ahead_ms: how far its clock is ahead of ours; negative when behind.
    """

    teller: str
    seen: IpAddress
    ahead_ms: int


class Sightings:
    """What peers said last, each once."""

    def __init__(self) -> None:
        self._last: dict[PeerId, Sighting] = {}

    def hear(self, peer: PeerId, ip: IpAddress, seen: IpAddress, ahead_ms: int) -> None:
        """Note what the peer at `ip` said."""
        self._last.pop(peer, None)
        self._last[peer] = Sighting(group_of(Endpoint(ip, 0)), seen, ahead_ms)
        if len(self._last) > MAX_TELLERS:
            del self._last[next(iter(self._last))]

    def seen_by(self, peer: PeerId) -> IpAddress | None:
        """Return our IP as one peer sees it; None when it did not say."""
        found = self._last.get(peer)
        return None if found is None else found.seen

    def believed(self) -> list[IpAddress]:
        """Return our IPs in the world, each named by several unrelated peers.

        One peer alone could name somebody else's, to whom we would then send all
        that want to dial us.
        """
        tellers: dict[IpAddress, set[str]] = {}
        for each in self._last.values():
            if scope_of(each.seen) is Scope.WORLD:
                tellers.setdefault(each.seen, set()).add(each.teller)
        return [ip for ip, groups in tellers.items() if len(groups) >= AGREEING]

    def clock_ahead_ms(self) -> int | None:
        """Return by how much peers' clocks are ahead of ours, their median.

        None while nobody has said anything.
        """
        ahead = [each.ahead_ms for each in self._last.values()]
        return round(statistics.median(ahead)) if ahead else None
