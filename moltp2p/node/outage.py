"""A store that cannot be written for a while: what is refused, and when to look again.

    writing ──disk-full, store-failed──▶ read-only ──a look finds room──▶ writing
                                            └──it finds none: the next in LOOK_S

While read-only, whoever wants to write is refused at once and nothing is judged, so
that neither a full disk nor what peers go on sending costs processor time. Reading
goes on. Nobody has to write for it to end.
"""

from __future__ import annotations

from typing import Final

import trio

from moltp2p.core.errors import LocalError
from moltp2p.net.log import get_logger

LOOK_S: Final = 5.0
"""Between two looks. A look reserves what the store needs in order to go on, and lets
go of it; where that succeeds, the store is opened anew, which takes some 50 ms."""

PASSING: Final = frozenset({"disk-full", "store-failed"})
"""What may be over by itself, and concerns all that is written. Damage concerns what
is written in its place, and is told of each time."""

log = get_logger(__name__)


class Outage:
    """Whether the store can be written now.

    Attributes:
        error: why it cannot; None when it can.
        since: when that began, on trio's clock.
        look_at: when to look next.
    """

    def __init__(self) -> None:
        self.error: LocalError | None = None
        self.since = 0.0
        self.look_at = 0.0
        self._over = trio.Event()

    @property
    def is_read_only(self) -> bool:
        """Tell whether writing is refused until a look finds that it can go on."""
        return self.error is not None and self.error.code in PASSING

    def note(self, error: LocalError) -> None:
        """Remember a failure to write; one that may pass refuses what comes next."""
        now = trio.current_time()
        if self.error is None:
            self.since = now
            self._over = trio.Event()
            log.warning("cannot write", code=error.code, why=error.message)
        self.error = error
        self.look_at = now + LOOK_S

    def end(self) -> None:
        """Go on writing; harmless when nothing failed."""
        if self.error is None:
            return
        failed_s = round(trio.current_time() - self.since, 1)
        log.info("writing again", failed_s=failed_s)
        self.error = None
        self._over.set()

    async def wait_over(self) -> None:
        """Return once nothing keeps the store from being written; at once, mostly."""
        while self.is_read_only:
            await self._over.wait()
