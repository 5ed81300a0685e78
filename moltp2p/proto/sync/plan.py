"""With whom to begin a round, and when (spec 06, section 5).

a peer came, or came back   soon; all of it
somebody wants it now       at once; all of it
it asked us, and differed   soon
others may have news        soon: we have learnt what gossip did not bring
a round brought something   again, once what was then too young has settled
every interval              the peer with which we agreed the longest ago
a round failed              later, and later still
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from moltp2p.core.codec import MAX_INT
from moltp2p.core.ids import PeerId

MAX_ROUNDS: Final = 3
"""Rounds at once; further peers wait for one to end."""

SETTLE_MS: Final = 5_000  # SPEC 06: "the last 5 seconds"
AGAIN_S: Final = 6.0
"""When to look at what was too young in a round that brought something."""

MET_S: Final = (0.2, 1.0)
HINT_S: Final = (0.3, 1.5)
"""Between what makes a round due and the round: from, to; by chance, so that those
who heard of something at once do not all begin at once."""

MIN_GAP_S: Final = 2.0
"""From the end of a round with a peer to the next, unless it is asked for."""

HINTED_PEERS: Final = 6
"""Peers asked for news after we got some."""

BACKOFF_S: Final = (5.0, 3_600.0)
"""After a round that failed: from the first, doubling, to the second."""

_GIVEN_UP: Final = frozenset({"protocol-unsupported"})
"""Codes after which a peer is not tried again before it has left and come back."""

MAX_KNOWN: Final = 1_024
"""Peers that left and are remembered; above it, those that left first are not."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What an operator may choose.

    Attributes:
        interval_s: seconds between the rounds that nothing else calls for; 0 for no
            rounds but those that are asked for.
    """

    interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a round.

    Attributes:
        peer: with whom.
        fresh: whether the two may differ in much.
        lag_ms: how young what is left to gossip may be; 0 for nothing.
    """

    peer: PeerId
    fresh: bool
    lag_ms: int

    def until_ms(self, now_ms: int) -> int:
        """Return where the window of the round ends."""
        return now_ms - self.lag_ms if self.lag_ms else MAX_INT


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a round.

    Attributes:
        code: of the failure that ended it; empty when none did.
        agreed: whether nothing worth fetching differs any more.
        gained: records that it brought.
        is_news: whether gossip should have brought some of them long before.
        behind: records that the peer has and we still lack, as far as we know.
        is_ours: whether it failed because we cannot write now, which is no reason to
            wait longer for this peer.
    """

    code: str = ""
    agreed: bool = False
    gained: int = 0
    is_news: bool = False
    behind: int = 0
    is_ours: bool = False


@dataclass(slots=True, eq=False)
class PeerSync:
    """How we stand with one peer.

    Attributes:
        here: whether it is connected.
        running: whether a round with it is under way.
        behind: records that it has and we lack, as far as we know; None before the
            first comparison.
        agreed_at: when we last found nothing that differed, seconds; None if never.
        failures: rounds that failed, one after the other.
        code: of the last failure; empty after a round without one.
        gained: records that it brought by rounds.
        due_at: when the next round is due.
        fresh: whether the next round is to expect much.
        urgent: whether somebody waits for a round that is still to begin or to end.
    """

    here: bool = True
    running: bool = False
    behind: int | None = None
    agreed_at: float | None = None
    failures: int = 0
    code: str = ""
    gained: int = 0
    due_at: float = math.inf
    fresh: bool = True
    urgent: bool = False
    _answers: bool = False  # whether the round under way is what somebody waits for
    _rested_at: float = -math.inf

    @property
    def speaks(self) -> bool:
        """Whether it is there, and speaks the protocol as far as we know."""
        return self.here and self.code not in _GIVEN_UP

    def begin(self) -> bool:
        """Take it that a round begins; tell whether it is to be a whole one."""
        self.running = True
        self.due_at = math.inf
        self._answers = self.urgent
        return self.fresh or self.urgent

    def end(self) -> None:
        """Take it that the round is over."""
        self.running = False
        if self._answers:
            self.urgent = False

    def call(self, at: float) -> None:
        """Have a round begin at this time, or when it has rested, or before."""
        self.due_at = min(self.due_at, max(at, self._rested_at))

    def rest(self, until: float) -> None:
        """Begin no further round before this time, unless somebody asks for it."""
        self._rested_at = until


class SyncPlan:
    """Says when to begin a round with whom.

    Args:
        settings: what the operator chose.
        rng: jitter, and whom to choose.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, settings: SyncSettings, rng: random.Random, now: float) -> None:
        self._settings = settings
        self._rng = rng
        self._peers: OrderedDict[PeerId, PeerSync] = OrderedDict()
        self._running = 0
        self._tick_at = math.inf
        self._wind(now)

    def peers(self) -> dict[PeerId, PeerSync]:
        """Return how we stand with each peer that is connected."""
        return {peer: each for peer, each in self._peers.items() if each.here}

    def willing(self) -> list[PeerId]:
        """Return who is connected and can be asked."""
        return [peer for peer, each in self.peers().items() if not each.failures]

    # -- what happens ----------------------------------------------------------

    def connected(self, peer: PeerId, now: float) -> None:
        """Take it that a peer is there, for the first time or again."""
        known = self._peers.setdefault(peer, PeerSync())
        self._peers.move_to_end(peer)
        known.here = known.fresh = True
        if known.code in _GIVEN_UP:
            known.failures, known.code = 0, ""  # it may have learnt to
            known.rest(now)
        if self._settings.interval_s:
            known.call(now + self._rng.uniform(*MET_S))

    def disconnected(self, peer: PeerId) -> None:
        """Take it that a peer has left."""
        if known := self._peers.get(peer):
            known.here = known.urgent = False
            known.due_at = math.inf
        self._forget()

    def asked_for(self, now: float) -> set[PeerId]:
        """Have a round begin at once with everybody who can; return with whom."""
        chosen = {peer for peer, each in self._peers.items() if each.speaks}
        for peer in chosen:
            each = self._peers[peer]
            each.urgent = True
            each.due_at = now
        return chosen

    def differed(self, peer: PeerId, now: float) -> None:
        """Take it that a peer compared with us, and has not what we have."""
        known = self._peers.get(peer)
        if known is not None and known.speaks and self._is_on:
            known.call(now + self._rng.uniform(*HINT_S))

    def ended(self, peer: PeerId, result: Result, now: float) -> None:
        """Take it that a round is over."""
        self._running -= 1
        known = self._peers[peer]
        known.end()
        known.behind = result.behind
        known.gained += result.gained
        known.rest(now + MIN_GAP_S)
        if result.is_ours:
            known.code = result.code
            if self._is_on:
                known.call(now + AGAIN_S)
        elif result.code:
            self._failed(known, result.code, now)
        else:
            known.code, known.failures = "", 0
            if result.agreed:
                known.agreed_at = now
                known.fresh = False
        if result.gained and not result.code and self._is_on:
            known.call(now + AGAIN_S)
        if result.is_news and self._is_on:
            self._hint(peer, now)

    # -- what to do ------------------------------------------------------------

    def due(self, now: float) -> list[Begin]:
        """Return the rounds to begin now; each is to be followed by `ended`."""
        if now >= self._tick_at:
            self._wind(now)
            self._tick(now)
        waiting = [
            (not each.urgent, each.due_at, peer)
            for peer, each in self._peers.items()
            if each.here and not each.running and each.due_at <= now
        ]
        begun = [
            self._begin(peer)
            for _, _, peer in sorted(waiting)[: MAX_ROUNDS - self._running]
        ]
        self._running += len(begun)
        return begun

    def wake_at(self) -> float:
        """Return when `due` is worth asking again, unless something happens before."""
        if self._running >= MAX_ROUNDS:
            return math.inf
        waiting = (
            each.due_at
            for each in self._peers.values()
            if each.here and not each.running
        )
        return min(self._tick_at, *waiting, math.inf)

    # -- how -------------------------------------------------------------------

    @property
    def _is_on(self) -> bool:
        return self._settings.interval_s > 0

    def _begin(self, peer: PeerId) -> Begin:
        known = self._peers[peer]
        return Begin(peer, known.fresh, 0 if known.begin() else SETTLE_MS)

    def _failed(self, known: PeerSync, code: str, now: float) -> None:
        known.code = code
        known.failures += 1
        first_s, most_s = BACKOFF_S
        wait_s = min(most_s, first_s * 2 ** min(known.failures - 1, 20))
        known.rest(now + self._rng.uniform(wait_s / 2, wait_s))
        if self._is_on and code not in _GIVEN_UP:
            known.call(now)

    def _tick(self, now: float) -> None:
        """Make the round due that is worth most, with a peer that has none due."""
        idle = [
            (-math.inf if each.agreed_at is None else each.agreed_at, peer)
            for peer, each in self.peers().items()
            if not each.running and not each.failures and each.due_at > now
        ]
        if idle:
            self._peers[min(idle)[1]].call(now)

    def _hint(self, source: PeerId, now: float) -> None:
        """Let peers compare with us soon: what we have learnt they may lack too."""
        speaking = (peer for peer, each in self._peers.items() if each.speaks)
        others = [peer for peer in speaking if peer != source]
        for peer in self._rng.sample(others, min(HINTED_PEERS, len(others))):
            self._peers[peer].call(now + self._rng.uniform(*HINT_S))

    def _wind(self, now: float) -> None:
        interval_s = self._settings.interval_s
        if interval_s:
            self._tick_at = now + self._rng.uniform(0.5, 1.5) * interval_s

    def _forget(self) -> None:
        gone = [peer for peer, each in self._peers.items() if not each.here]
        for peer in gone[: max(0, len(gone) - MAX_KNOWN)]:
            if not self._peers[peer].running:
                del self._peers[peer]
