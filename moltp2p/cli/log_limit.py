"""A limit on logs that strangers cause, so that they cannot fill the disk.

What is logged about a peer, an agent or an address is somebody else's doing, and may
be done again at will. Each of them may say so much, and all together so much; what is
left out is counted, and the next line that passes says how many they were.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from moltp2p.proto.ratelimit import Rate, RateLimiter

NAMES: Final = ("peer", "source", "agent", "address", "remote")
"""Fields that name somebody else; the first that is there counts."""

EACH: Final = Rate(per_s=1 / 30, burst=10)
ALL: Final = Rate(per_s=2, burst=100)
"""Lines. At 2 a second of 300 bytes, all strangers together write 52 MB a day."""

MAX_NAMES: Final = 4_096
"""Who is counted apart; all others share."""

EVERYBODY: Final = "everybody"


class LogLimit(logging.Filter):
    """Lets through what is ours, and of strangers only so much.

    Args:
        clock: seconds, never going back.

    Attributes:
        left_out: lines that did not pass, in all.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.left_out = 0
        self._clock = clock
        self._each: RateLimiter[str] = RateLimiter(EACH, MAX_NAMES)
        self._all: RateLimiter[str] = RateLimiter(ALL, 1)
        self._untold = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is written (`logging.Filter`)."""
        name = next((vars(record)[n] for n in NAMES if n in vars(record)), None)
        if name is not None and not self._passes(str(name)):
            self.left_out += 1
            self._untold += 1
            return False
        if self._untold:
            record.left_out = self._untold
            self._untold = 0
        return True

    def _passes(self, name: str) -> bool:
        now = self._clock()
        return self._each.take(name, 1, now) and self._all.take(EVERYBODY, 1, now)
