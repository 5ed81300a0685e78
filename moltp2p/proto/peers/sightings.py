"""What peers say of us: from which IP we come, and how our clock stands."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Endpoint, IpAddress, Scope, group_of, scope_of

MAX_TELLERS: Final = 64
"""Peers whose last word is kept; the oldest goes first."""

AGREEING: Final = 2
"""Network groups of tellers that must name the same IP before we believe it."""

FEWEST: Final = 3
"""And one of so many of those that name any: a line may have two ways out."""


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

        A few peers could name somebody else's, to whom we would then send all that
        want to dial us: so many groups must agree, and not be few among those that
        name any.
        """
        tellers: dict[IpAddress, set[str]] = defaultdict(set)
        of_version: dict[int, set[str]] = defaultdict(set)
        for each in self._last.values():
            if scope_of(each.seen) is Scope.WORLD:
                tellers[each.seen].add(each.teller)
                of_version[each.seen.version].add(each.teller)
        return [
            ip
            for ip, groups in tellers.items()
            if len(groups) >= max(AGREEING, len(of_version[ip.version]) / FEWEST)
        ]

    def clock_ahead_ms(self) -> int | None:
        """Return by how much peers' clocks are ahead of ours: a median of groups.

        Each group counts once, by its own median, since peer ids cost nothing. None
        while nobody has said anything.
        """
        groups: dict[str, list[int]] = defaultdict(list)
        for each in self._last.values():
            groups[each.teller].append(each.ahead_ms)
        medians = [statistics.median(ahead) for ahead in groups.values()]
        return round(statistics.median(medians)) if medians else None
