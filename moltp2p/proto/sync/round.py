"""One round with one peer: compare, fetch, compare again until nothing differs.

    probe ── same ───────────────────────────────────────────▶ over, agreed
      │ differs
      ▼
    window ── reconcile ──┬─ same, or nothing worth fetching ─▶ next window
      ▲  ▲                ├─ too big ─▶ the part that is not, then the rest
      │  │                └─ lacks ─▶ fetch … fetch
      │  └───────────────────────────────┘ again, while it gains
      └── next window …                                      ▶ over

The driver fetches while there is what to fetch, then asks for the next step, does it,
and says what came of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.proto.sync.ledger import Ledger
from moltp2p.proto.sync.messages import Window
from moltp2p.proto.sync.responder import AGENTS
from moltp2p.proto.sync.window import is_part, ladder, without

MAX_COMPARISONS: Final = 1_024
"""Sessions in one round without a gain between them; honest peers need dozens."""

MAX_VAIN: Final = 2
"""Comparisons of one window that bring nothing, after which it is left."""

MAX_HOLLOW: Final = 64
HOLLOW_SHARE: Final = 0.25
"""Ids that a peer may name without holding them: so many, or this share of all that
it was asked for. Records are let go of, so an honest peer names some."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask only whether the window differs."""

    window: Window


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Find out what of the window we lack."""

    window: Window


@dataclass(frozen=True, slots=True)
class Fetch:
    """There is something to fetch."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What is left is being fetched from others: look again once that is done."""


@dataclass(frozen=True, slots=True)
class Over:
    """The round is over.

    Attributes:
        agreed: whether nothing worth fetching differs any more.
    """

    agreed: bool


Step = Probe | Reconcile | Fetch | Wait | Over


class Round:
    """Decides what to do next with one peer.

    Args:
        peer: who it is.
        windows: all that is to be compared.
        ledger: what is known of ids; shared with the rounds that run beside this.
        fresh: whether the peers may differ in much, so that it pays to ask first
            whether they do, and to go by recent windows.

    Attributes:
        behind: ids that the peer has and we lack, as far as they are known.
        gained: records that came and are kept.
        hollow: ids that the peer named and did not hold.
        asked: ids asked for.
    """

    def __init__(
        self, peer: PeerId, windows: Sequence[Window], ledger: Ledger, *, fresh: bool
    ) -> None:
        self.peer = peer
        self.behind = 0
        self.gained = 0
        self.hollow = 0
        self.asked = 0
        self._ledger = ledger
        self._unprobed = set(windows) if fresh else set()
        self._windows = [*reversed(windows)]
        self._current: Window | None = None
        self._queue: deque[RecordId] = deque()
        self._elsewhere: list[RecordId] = []
        self._absent: set[RecordId] = set()
        self._claimed: set[RecordId] = set()
        self._comparisons = 0
        self._vain = 0
        self._gained_before = 0
        self._fetching = False
        self._unfinished = False

    def fetch(self, most: int, now: float) -> tuple[RecordId, ...]:
        """Return what to ask the peer for next, claimed for it; nothing when done.

        Asks may follow one another before it is told what came of the first.

        Args:
            most: how many ids at most.
            now: seconds on a clock that never goes back.
        """
        ids: list[RecordId] = []
        while self._queue and len(ids) < most:
            record = self._queue.popleft()
            if not self._ledger.is_missing(record, now):
                self.behind = max(0, self.behind - 1)
            elif self._ledger.claim(record, self.peer):
                ids.append(record)
            else:
                self._elsewhere.append(record)
        self._claimed.update(ids)
        return tuple(ids)

    def step(self) -> Step:
        """Return what to do when there is nothing to fetch, and all that was came.

        Raises:
            PeerError: `no-progress` when comparing comes to no end.
        """
        if self._elsewhere:
            if any(map(self._ledger.is_in_flight, self._elsewhere)):
                return Wait()
            self._queue.extend(self._elsewhere)
            self._elsewhere = []
            return Fetch()
        self._weigh()
        if self._current is None:
            if not self._windows:
                return Over(not self._unfinished)
            self._current = self._windows.pop()
            self._vain = 0
        return self._compare(self._current)

    def same(self) -> None:
        """Take it that both have the same in the window."""
        self._current = None

    def differs(self, now_ms: int) -> None:
        """Take it that the probe found a difference."""
        if self._current is not None:
            self._windows += reversed(ladder(self._current, now_ms))
            self._current = None

    def narrower(self, window: Window, *, rest: bool) -> None:
        """Take it that the peer compares no more than a part of the window.

        Args:
            window: that part.
            rest: whether the peer compares the rest too, in windows of its own; if
                not, it keeps no more, but of the agents' topic.
        """
        current, self._current = self._current, None
        if current is None or not is_part(window, current):
            self._unfinished = True  # what it would do is nothing, or no less
            return
        for each in without(current, window):
            left = each.topics if rest else tuple({AGENTS} & set(each.topics))
            if left:
                self._windows.append(replace(each, topics=left))
        self._windows.append(window)

    def lacks(self, need: Sequence[tuple[int, RecordId]], now: float) -> None:
        """Take what of the window the peer has and we lack.

        Args:
            need: topics and ids, oldest first as far as that is known.
            now: seconds on a clock that never goes back.
        """
        wanted = [
            (topic, record)
            for topic, record in need
            if record not in self._absent and self._ledger.is_missing(record, now)
        ]
        self.behind = len(wanted)
        if not wanted:
            self._current = None
            return
        chains = [record for topic, record in wanted if topic == AGENTS]
        others = [record for topic, record in wanted if topic != AGENTS]
        self._queue = deque([*chains, *reversed(others)])
        self._fetching = True

    def came(
        self, answered: Sequence[RecordId], absent: Collection[RecordId], kept: int
    ) -> None:
        """Count what an ask brought.

        Args:
            answered: the ids asked for that the answer reached.
            absent: those of them that the peer does not hold; it is asked for them
                no more.
            kept: how many records of the answer are held now.

        Raises:
            PeerError: `not-held` when the peer named too much that it does not hold.
        """
        self.asked += len(answered)
        self.gained += kept
        self.hollow += len(absent)
        self.behind = max(0, self.behind - len(answered))
        self._absent.update(absent)
        self._give_back(answered)
        if kept:
            self._comparisons = 0
        if self.hollow > max(MAX_HOLLOW, HOLLOW_SHARE * self.asked):
            raise PeerError("not-held", f"named {self.hollow} records it has not")

    def left_out(self, ids: Sequence[RecordId]) -> None:
        """Ask later for ids that an answer did not reach."""
        self._give_back(ids)
        self._queue.extendleft(reversed(ids))

    def close(self) -> None:
        """Let others fetch what was to be fetched here."""
        self._give_back(tuple(self._claimed))

    def _give_back(self, ids: Sequence[RecordId]) -> None:
        self._ledger.release(ids, self.peer)
        self._claimed.difference_update(ids)

    def _weigh(self) -> None:
        """Leave a window once fetching what it lacks has been in vain too often."""
        if self._fetching and self.gained == self._gained_before:
            self._vain += 1
        self._fetching = False
        if self._vain >= MAX_VAIN:
            self._unfinished = True
            self._current = None

    def _compare(self, window: Window) -> Probe | Reconcile:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise PeerError("no-progress", "comparing with it comes to no end")
        self._gained_before = self.gained
        if window in self._unprobed:
            self._unprobed.remove(window)
            return Probe(window)
        return Reconcile(window)
