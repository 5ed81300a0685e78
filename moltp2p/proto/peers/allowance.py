"""How often we dial because a peer asks us to, who might mean somebody else's harm."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from moltp2p.proto.ratelimit import Rate, RateLimiter

MAX_KEYS: Final = 1_024
"""Peers, or sites, whose rate is kept apart."""

Key = TypeVar("Key", bound=Hashable)


class Allowance(Generic[Key]):
    """What is left for one who asks, and for all together.

    Args:
        per_one: for each.
        in_all: for all together.
    """

    def __init__(self, per_one: Rate, in_all: Rate) -> None:
        self._of_one: RateLimiter[Key] = RateLimiter(per_one, MAX_KEYS)
        self._of_all: RateLimiter[None] = RateLimiter(in_all, 1)

    def take(self, who: Key, now: float) -> bool:
        """Take one request's worth; return False when there were too many."""
        return self._of_one.take(who, 1, now) and self._of_all.take(None, 1, now)
