"""What is being fetched, what has just come, and what is not worth fetching.

One for the whole node, so that rounds with several peers at once fetch nothing
twice, and what was judged and not kept is not fetched again and again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from moltp2p.core.ids import AgentId, PeerId, RecordId

UNWANTED_S: Final = 600.0  # SPEC 06: "for 600 seconds"
MAX_UNWANTED: Final = 65_536  # SPEC 06: "65,536 of them"
"""Ids remembered as not kept; about 12 MB. Above it, the oldest is forgotten."""

PUT_OFF_S: Final = 5.0
"""Until a record is looked at again that waits for a link of its key chain."""

SETTLED_S: Final = 60.0
MAX_SETTLED: Final = 65_536
"""Ids remembered as held by now. Another round may have found them missing before;
but what is let go of again, after a rotation, must be free to come back."""


class Ledger:
    """Ids by what is known of them.

    It is changed from one thread; `is_missing` may be asked from any.
    """

    def __init__(self) -> None:
        self._in_flight: dict[RecordId, PeerId] = {}
        self._unwanted = _Memory(UNWANTED_S, MAX_UNWANTED)
        self._put_off = _Memory(PUT_OFF_S, MAX_UNWANTED)
        self._settled = _Memory(SETTLED_S, MAX_SETTLED)
        self._authors: OrderedDict[RecordId, AgentId] = OrderedDict()
        self._of: dict[AgentId, set[RecordId]] = {}

    @property
    def in_flight(self) -> int:
        """Return how many ids are being fetched."""
        return len(self._in_flight)

    @property
    def unwanted(self) -> int:
        """Return how many ids are remembered as not kept."""
        return len(self._unwanted)

    def is_missing(self, record: RecordId, now: float) -> bool:
        """Tell whether a record that we lack is worth fetching."""
        return not (
            self._settled.has(record, now)
            or self._unwanted.has(record, now)
            or self._put_off.has(record, now)
        )

    def is_in_flight(self, record: RecordId) -> bool:
        """Tell whether somebody is fetching a record."""
        return record in self._in_flight

    def claim(self, record: RecordId, peer: PeerId) -> bool:
        """Say that a record is fetched from `peer` now; False if from another."""
        return self._in_flight.setdefault(record, peer) == peer

    def release(self, records: Iterable[RecordId], peer: PeerId) -> None:
        """Say that these are no longer being fetched from `peer`."""
        for record in records:
            if self._in_flight.get(record) == peer:
                del self._in_flight[record]

    def settle(self, record: RecordId, now: float) -> None:
        """Say that a record is held now."""
        self._settled.add(record, now)

    def refuse(self, record: RecordId, now: float) -> None:
        """Say that a record was judged, and is not kept."""
        self._unwanted.add(record, now)

    def put_off(self, record: RecordId, agent: AgentId, now: float) -> None:
        """Say that a record may be kept later; if not even then, it is refused.

        Args:
            record: which.
            agent: its author, for whose key chain or proof it waits.
            now: seconds on a clock that never goes back.
        """
        if self._put_off.knows(record):
            self._unwanted.add(record, now)
        else:
            self._put_off.add(record, now)
        self._authors[record] = agent
        self._of.setdefault(agent, set()).add(record)
        if len(self._authors) > MAX_UNWANTED:
            self._drop(next(iter(self._authors)))

    def let_in(self, agent: AgentId) -> None:
        """Say that what an agent wrote may be kept by now: all of it is missing."""
        for record in list(self._of.get(agent, ())):
            self._drop(record)
            self._unwanted.forget(record)
            self._put_off.forget(record)

    def _drop(self, record: RecordId) -> None:
        agent = self._authors.pop(record)
        self._of[agent].discard(record)
        if not self._of[agent]:
            del self._of[agent]


class _Memory:
    """Ids for a while; bounded, oldest out."""

    def __init__(self, keep_s: float, most: int) -> None:
        self._keep_s = keep_s
        self._most = most
        self._until: OrderedDict[RecordId, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def has(self, record: RecordId, now: float) -> bool:
        until = self._until.get(record)
        return until is not None and now < until

    def forget(self, record: RecordId) -> None:
        self._until.pop(record, None)

    def knows(self, record: RecordId) -> bool:
        return record in self._until

    def add(self, record: RecordId, now: float) -> None:
        self._until[record] = now + self._keep_s
        self._until.move_to_end(record)
        if len(self._until) > self._most:
            self._until.popitem(last=False)
