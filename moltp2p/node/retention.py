"""Letting go of what is too old: the node's horizon moves on, a little at a time.

    by age      now, less as many days as the operator wants
    by room     the oldest posts, while more is held than the operator's budget

Both concern what names a community (spec 11, section 2). Quotas need no service: they
are settled with each batch that is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from moltp2p.core.errors import LocalError
from moltp2p.core.limits import MAX_GOSSIP_AGE_MS
from moltp2p.net.log import get_logger
from moltp2p.store.base import Policy, Store

PAUSE_S: Final = 10.0
"""Between two looks at what is too old."""
STEP_RECORDS: Final = 512
"""Looked at in one transaction, about 50 ms, so that nobody waits long to write."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionStatus:
    """What is kept, and how much of it there is.

    Attributes:
        keep: `quota`, or `all`: beyond their authors' quotas too.
        used_bytes: what the records take, their indexes not counted.
        budget_bytes: above which the oldest posts go; None for no end.
        horizon_ms: posts from before it are gone, and not taken; None for none.
    """

    keep: str
    used_bytes: int
    budget_bytes: int | None
    horizon_ms: int | None


class Retention:
    """Removes what the operator's policy lets go of.

    Args:
        store: whose records.
        policy: what the operator chose.
        clock_ms: our clock, milliseconds since 1970 UTC.
    """

    def __init__(
        self, store: Store, policy: Policy, clock_ms: Callable[[], int]
    ) -> None:
        self.policy = policy
        self._store = store
        self._clock_ms = clock_ms

    def horizon_ms(self) -> int:
        """Return the time below which nothing that names a community is kept.

        It reads the store, which takes some microseconds. 0 is no horizon.
        """
        return max(self._too_old_ms(), self._store.horizon_ms())

    async def run(self) -> None:
        """Remove what is too old until cancelled; a disk that fails is tried again."""
        while True:
            try:
                while await trio.to_thread.run_sync(self._step):
                    await trio.lowlevel.checkpoint()
            except LocalError as error:
                log.warning("cannot remove what is too old", code=error.code)
            await trio.sleep(PAUSE_S)

    def status(self) -> RetentionStatus:
        """Return how things are; reads the store."""
        return RetentionStatus(
            keep="all" if self.policy.keep_all else "quota",
            used_bytes=self._store.bytes_held(),
            budget_bytes=self.policy.budget_bytes or None,
            horizon_ms=self.horizon_ms() or None,
        )

    def _step(self) -> bool:
        """Remove some; tell whether there is more."""
        if not (self.policy.budget_bytes or self.policy.max_age_ms):
            return False
        # What gossip still brings stays, or it would be fetched and lost in turns.
        cap_ms = self._clock_ms() - MAX_GOSSIP_AGE_MS
        return self._store.retire(self._too_old_ms(), cap_ms, STEP_RECORDS).more

    def _too_old_ms(self) -> int:
        if not self.policy.max_age_ms:
            return 0
        return max(0, self._clock_ms() - self.policy.max_age_ms)
