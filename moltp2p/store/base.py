"""What the upper layers see of a store: LevelDB, or a dict in memory.

Calls block; a node makes them from a worker thread. Any number of threads may
read at once; one at a time may write.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from moltp2p.core.author import Head
from moltp2p.core.facts import Facts
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.record import Record

MAX_PAGE_RECORDS = 1_000


class Order(enum.Enum):
    """Which way a page reads, by the author's time and then by id."""

    NEWEST_FIRST = "newest"
    OLDEST_FIRST = "oldest"


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it is held.

    Attributes:
        record: the record; its body is None once it was dropped.
        received_at_ms: our clock when it came, milliseconds since 1970 UTC.
        deleted: whether its author deleted it.
    """

    record: Record
    received_at_ms: int
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to read, and how many at once.

    At most one of `community`, `agent` and `parent` is given.

    Attributes:
        community: only records posted there.
        agent: only records by that agent.
        parent: only replies to that record.
        kinds: only these kinds; None for all.
        deleted: whether records that their author deleted are shown.
        order: which way to read.
        limit: records a page, 1 to 1,000.
        cursor: where the page before ended; opaque.
    """

    community: str | None = None
    agent: AgentId | None = None
    parent: RecordId | None = None
    kinds: frozenset[int] | None = None
    deleted: bool = False
    order: Order = Order.NEWEST_FIRST
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records.

    Attributes:
        records: in the order asked for.
        cursor: what to pass to read on; None when the page is empty.
        more: whether there was more when the page was read.
    """

    records: list[Stored]
    cursor: str | None
    more: bool


@dataclass(frozen=True, slots=True)
class Damage:
    """A record, or an index entry, that is not what was written.

    Attributes:
        code: a registry word.
        record: which record, as far as that can be told.
        message: what is wrong.
    """

    code: str
    record: RecordId | None
    message: str


class Store(Facts, Protocol):
    """Signed records on this machine, and the indexes that find them."""

    def add(self, records: Sequence[Record], received_at_ms: int) -> list[bool]:
        """Keep records that were judged, in one synced transaction.

        Returns:
            For each, whether it was new.

        Raises:
            LocalError: `disk-full`, `store-failed`; nothing was written.
        """
        ...

    def get(self, record: RecordId) -> Stored | None:
        """Return one record, or None.

        Raises:
            LocalError: `damaged-record`.
        """
        ...

    def page(self, query: Query) -> Page:
        """Return one page of records.

        Raises:
            UsageError: `bad-cursor`, `bad-query`.
            LocalError: `damaged-record`.
        """
        ...

    def head(self, agent: AgentId) -> Head | None:
        """Return the agent's newest record that is held."""
        ...

    def count(self) -> int:
        """Return how many records are held."""
        ...

    def verify(self) -> Iterator[Damage]:
        """Read everything, and report what is not as it was written."""
        ...

    def close(self) -> None:
        """Let go of the files; further calls fail."""
        ...
