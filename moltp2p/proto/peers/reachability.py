"""Whether others can dial us, by what those say that have tried (AutoNAT)."""

from __future__ import annotations

import enum
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Endpoint
from moltp2p.proto.ratelimit import Rate

MAX_REPORTS: Final = 8
"""Peers whose last word counts; the oldest goes first."""

UNSURE_S: Final = 30.0
SURE_S: Final = 300.0
"""How often to ask another peer: while nobody has said, and after that."""

DIALS_PER_SITE: Final = Rate(per_s=1 / 20, burst=4)
DIALS_IN_ALL: Final = Rate(per_s=0.5, burst=16)
"""How often we dial back, for one site and for all together: dials are not free,
and whoever makes up peer ids must not have all of them."""

MAX_DIAL_BACKS: Final = 4
"""Addresses tried for one request."""


class Reach(enum.StrEnum):
    """Whether others can dial us."""

    UNKNOWN = "unknown"
    OPEN = "open"
    CLOSED = "closed"


class Reachability:
    """What those said that were asked to dial us, each once."""

    def __init__(self) -> None:
        self._reports: dict[PeerId, Endpoint | None] = {}

    def report(self, peer: PeerId, reached: Endpoint | None) -> None:
        """Note where a peer reached us; None when it could not."""
        self._reports.pop(peer, None)
        self._reports[peer] = reached
        if len(self._reports) > MAX_REPORTS:
            del self._reports[next(iter(self._reports))]

    @property
    def verdict(self) -> Reach:
        """Return what most of them say; one liar among three changes nothing."""
        reached = sum(each is not None for each in self._reports.values())
        if not self._reports:
            return Reach.UNKNOWN
        return Reach.OPEN if 2 * reached >= len(self._reports) else Reach.CLOSED

    @property
    def confirmed(self) -> list[Endpoint]:
        """Return where somebody reached us."""
        found = [each for each in self._reports.values() if each is not None]
        return list(dict.fromkeys(found))

    @property
    def ask_again_s(self) -> float:
        """Return how long to wait before the next peer is asked."""
        return UNSURE_S if self.verdict is Reach.UNKNOWN else SURE_S

    def has_asked(self, peer: PeerId) -> bool:
        """Tell whether that peer's word counts already."""
        return peer in self._reports
