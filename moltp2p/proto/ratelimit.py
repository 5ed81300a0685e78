"""Token buckets: how much may pass for each peer, or for each agent.

A limit on a rate says what is passed on at once, and never what is valid (D11):
two nodes with other limits, or other clocks, must still agree on every record.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

UNIT_BYTES: Final = 1024  # SPEC 05: "one unit for each 1,024 bytes begun"

SWEEP_S: Final = 1.0
"""How often a limiter that is full of keys looks for those it need not keep."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rate:
    """How much may pass.

    Attributes:
        per_s: units a second, in the long run; more than 0.
        burst: units at once, after a pause; what costs more never passes.
    """

    per_s: float
    burst: float


def units(size_bytes: int) -> int:
    """Return what a message of so many bytes costs."""
    return (size_bytes - 1) // UNIT_BYTES + 1 if size_bytes else 1


class RateLimiter(Generic[Key]):
    """One bucket for each key, and a bound on how many there are.

    A bucket is kept as the time at which it will be full again (GCRA), and is
    not kept at all once it is full. When there are too many that are not full,
    whoever comes new shares one last bucket with all others who do: inventing
    keys wins nobody anything.

    Args:
        rate: of each bucket.
        max_keys: buckets kept.
    """

    def __init__(self, rate: Rate, max_keys: int) -> None:
        self._unit_s = 1 / rate.per_s
        # The slack is for sums that floats get wrong by less than a thousandth.
        self._burst_s = (rate.burst + 1e-3) / rate.per_s
        self._max_keys = max_keys
        self._full_at: dict[Key | None, float] = {}
        self._sweep_at = 0.0

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Key, cost: float, now: float) -> bool:
        """Take `cost` units from a key's bucket; return False, and take none, if empty.

        Args:
            key: whose bucket.
            cost: units.
            now: seconds on a clock that never goes back.
        """
        slot: Key | None = key
        full_at = self._full_at.get(key)
        if full_at is None:
            slot = self._slot(key, now)
            full_at = self._full_at.get(slot, now)
        full_at = max(now, full_at) + cost * self._unit_s
        if full_at - now > self._burst_s:
            return False
        self._full_at[slot] = full_at
        return True

    def wait_s(self, key: Key, cost: float, now: float) -> float:
        """Take `cost` units, into debt if need be; return how long to wait then."""
        slot = key if key in self._full_at else self._slot(key, now)
        full_at = max(now, self._full_at.get(slot, now)) + cost * self._unit_s
        self._full_at[slot] = full_at
        return max(0.0, full_at - now - self._burst_s)

    def _slot(self, key: Key, now: float) -> Key | None:
        """Return the key under which a new bucket is kept; None for the last one."""
        if len(self._full_at) < self._max_keys:
            return key
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            kept = {each: at for each, at in self._full_at.items() if at > now}
            self._full_at = kept
        return key if len(self._full_at) < self._max_keys else None
