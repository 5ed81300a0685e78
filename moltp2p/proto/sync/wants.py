"""What is fetched on its own, because something that came shows that it is missing.

    a record by a key that we do not know     the agent's key chain
    a record whose `prev` we do not hold      the agent's sequence, before it
    a record held damaged                     that record
    a header held without its body            its body

Whoever brought what shows it is asked first, and then others, a few.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.ids import PeerId, RecordId
from moltp2p.proto.ratelimit import Rate, RateLimiter
from moltp2p.proto.sync.fetch import Ask

MAX_WANTS: Final = 1_024
"""Wants at once; further ones are dropped and counted, for rounds to bring."""

GRACE_S: Final = 3.0  # SPEC 06: "for 3 seconds"
"""Gossip brings records out of order, and late ones by request."""

MAX_TRIES: Final = 3  # SPEC 06: "at most 3 peers"
REPEAT_S: Final = 60.0  # SPEC 06: "again within 60 seconds"
MAX_REMEMBERED: Final = 4_096
"""Wants that were tried and are not tried again at once; oldest out."""

WANT_RATE: Final = Rate(per_s=4, burst=64)
"""Of what one peer's messages make us want: a stranger can name any agent."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One ask of one peer; to be followed by `done`.

    Attributes:
        peer: whom.
        ask: for what.
        unless: needless when this record is held by now.
    """

    peer: PeerId
    ask: Ask
    unless: RecordId | None = None


@dataclass(slots=True, eq=False)
class _Want:
    source: PeerId | None
    after: float
    unless: RecordId | None
    tried: set[PeerId] = field(default_factory=set)
    running: bool = False


class Wants:
    """What is wanted, and whom to ask for it.

    Args:
        rng: whom of several.

    Attributes:
        dropped: wants for which there was no room.
    """

    def __init__(self, rng: random.Random) -> None:
        self.dropped = 0
        self._rng = rng
        self._wants: OrderedDict[Ask, _Want] = OrderedDict()
        self._tried: OrderedDict[Ask, float] = OrderedDict()
        self._limiter: RateLimiter[PeerId] = RateLimiter(WANT_RATE, MAX_WANTS)

    def __len__(self) -> int:
        """Return how much is wanted."""
        return len(self._wants)

    def add(
        self,
        ask: Ask,
        source: PeerId | None,
        now: float,
        *,
        unless: RecordId | None = None,
    ) -> bool:
        """Want something; tell whether that is new.

        Args:
            ask: what.
            source: who brought what shows that it is missing; None when we did.
            now: seconds on a clock that never goes back.
            unless: a record that may be on its way; there is a moment's grace, and
                nothing is asked once it is held.
        """
        if ask in self._wants or now < self._tried.get(ask, now):
            return False
        is_flood = source is not None and not self._limiter.take(source, 1, now)
        if is_flood or len(self._wants) >= MAX_WANTS:
            self.dropped += 1
            return False
        after = now if unless is None else now + GRACE_S
        self._wants[ask] = _Want(source, after, unless)
        return True

    def next(self, peers: Collection[PeerId], now: float) -> Errand | None:
        """Return what to ask whom now, or None.

        Args:
            peers: who is there, and speaks the protocol.
            now: seconds on a clock that never goes back.
        """
        for ask, want in list(self._wants.items()):
            if want.running or now < want.after:
                continue
            peer = self._whom(want, peers)
            if peer is not None:
                want.running = True
                want.tried.add(peer)
                return Errand(peer, ask, want.unless)
            if want.tried:
                self._forget(ask, now)
        return None

    def wake_at(self) -> float:
        """Return when `next` may return something that it did not return before."""
        waiting = (want.after for want in self._wants.values() if not want.running)
        return min(waiting, default=math.inf)

    def done(self, errand: Errand, *, satisfied: bool, now: float) -> None:
        """Take what came of an errand: enough, or another peer is to be asked."""
        want = self._wants[errand.ask]
        want.running = False
        if satisfied or len(want.tried) >= MAX_TRIES:
            self._forget(errand.ask, now)

    def _whom(self, want: _Want, peers: Collection[PeerId]) -> PeerId | None:
        left = sorted(peer for peer in peers if peer not in want.tried)
        if want.source in left:
            return want.source
        return self._rng.choice(left) if left else None

    def _forget(self, ask: Ask, now: float) -> None:
        del self._wants[ask]
        self._tried[ask] = now + REPEAT_S
        self._tried.move_to_end(ask)
        while len(self._tried) > MAX_REMEMBERED:
            self._tried.popitem(last=False)
