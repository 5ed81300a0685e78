"""Removing what is older than the operator wants, or than there is room for.

The horizon is a time. What names a community and is dated before it was removed, and
`judge` lets none of it in again; so each step goes on where the one before ended.
"""

from __future__ import annotations

from typing import Final

from moltp2p.core.ids import RecordId
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout
from moltp2p.store.base import Policy, Retired
from moltp2p.store.changes import Batch
from moltp2p.store.engine import Hole, Reader
from moltp2p.store.pending import Pending

_TIME_BYTES: Final = 8


def read_horizon(value: bytes, policy: Policy) -> int:
    """Return the horizon in M "horizon"; 0 when it was made by other settings."""
    return int.from_bytes(_place(value, policy)[:_TIME_BYTES], "big")


def retire(
    before_ms: int,
    cap_ms: int,
    max_records: int,
    held: Reader,
    network: NetworkParams,
    policy: Policy,
) -> tuple[Batch, Retired]:
    """Return a batch that is one step, and what it does; see `Store.retire`.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    step = _Step(before_ms, cap_ms, held, policy)
    is_done = step.run(max_records)
    batch = Batch(held, network, policy)
    for record in step.doomed:
        batch.remove(record)
    value = _settings(policy) + step.place
    if value != held.get(layout.HORIZON_KEY):
        batch.put(layout.HORIZON_KEY, value)
    return batch, Retired(len(step.doomed), not is_done)


class _Step:
    """Passing records in order of time, from the place of the step before on.

    Attributes:
        doomed: what is to be removed.
        place: where the next step begins: a time, and perhaps an id.
    """

    def __init__(
        self, before_ms: int, cap_ms: int, held: Reader, policy: Policy
    ) -> None:
        self.doomed: list[RecordId] = []
        self.place = _place(held.get(layout.HORIZON_KEY) or b"", policy)
        self._before_ms = before_ms
        self._cap_ms = cap_ms
        self._held = held
        self._pending = Pending(held)
        held_bytes = int.from_bytes(held.get(layout.BYTES_KEY) or b"", "big")
        self._excess = held_bytes - policy.budget_bytes if policy.budget_bytes else 0
        # In the middle of a time; all of it goes, so that the horizon can stand there.
        is_within = len(self.place) > _TIME_BYTES
        self._last_ms = int.from_bytes(self.place[:_TIME_BYTES]) if is_within else -1

    def run(self, max_records: int) -> bool:
        """Pass so many records; tell whether nothing more is to be removed."""
        passed = 0
        for entry in self._held.scan(layout.BY_TIME, layout.BY_TIME + self.place):
            if isinstance(entry, Hole):
                continue
            place = entry[0][len(layout.BY_TIME) :]
            if not self._goes(int.from_bytes(place[:_TIME_BYTES], "big")):
                break
            self._pass(layout.indexed_record(entry[0]), place)
            passed += 1
            if passed == max_records:
                return False
        # All before these times is gone, whatever comes there now.
        ends = (self._before_ms, self._last_ms + 1)
        self.place = max(self.place, *(layout.number(max(end, 0)) for end in ends))
        return True

    def _goes(self, time_ms: int) -> bool:
        """Tell whether what names a community has to go, at that time."""
        is_over_budget = self._excess > 0 and time_ms < self._cap_ms
        return time_ms < self._before_ms or time_ms == self._last_ms or is_over_budget

    def _pass(self, record: RecordId, place: bytes) -> None:
        self.place = place
        found = self._pending.find(record)
        if found is not None and found[0].header.community is not None:
            self.doomed.append(record)
            self._excess -= len(found[0].wire())
            self._last_ms = int.from_bytes(place[:_TIME_BYTES], "big")


def _place(value: bytes, policy: Policy) -> bytes:
    """Return where the last step ended: a time, and perhaps an id."""
    settings = _settings(policy)
    if not value.startswith(settings):
        return layout.number(0)
    return value[len(settings) :]


def _settings(policy: Policy) -> bytes:
    return layout.number(policy.budget_bytes) + layout.number(policy.max_age_ms)
