"""What is asked of a store, and the pages that it answers with."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.record import Record

MAX_PAGE_RECORDS: Final = 1_000


class Order(enum.Enum):
    """Which way a page reads: by the author's time and then by id.

    One agent's records are read by `seq` and then by id: that is the order in
    which it wrote them, whatever its clock said.
    """

    NEWEST_FIRST = "newest"
    OLDEST_FIRST = "oldest"


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it is held.

    Attributes:
        record: the record; its body is None once it was dropped.
        received_at_ms: our clock when it came, milliseconds since 1970 UTC.
        deleted: whether its author deleted it. Deleting drops a body, so a record
            that never had one is not deleted by it.
        dropped: whether its body was dropped by the operator of this node.
        forked: whether a fork of its author is known.
    """

    record: Record
    received_at_ms: int
    deleted: bool
    dropped: bool = False
    forked: bool = False

    @property
    def lacks_body(self) -> bool:
        """Whether it is held without a body that would be welcome."""
        is_unwanted = self.deleted or self.dropped
        header, body = self.record.header, self.record.body
        return body is None and header.body_hash is not None and not is_unwanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to read, and how many at once.

    At most one of `community`, `agent` and `parent` is given.

    Attributes:
        community: only records posted there.
        agent: only records by that agent.
        parent: only replies to that record.
        kinds: only these kinds; None for all.
        deleted: whether records that their author deleted, or the operator dropped,
            are shown.
        order: which way to read.
        limit: records a page, 1 to 1,000.
        cursor: where the page before ended; opaque. It belongs to the `community`,
            `agent` or `parent`, and to the `order`, that it was given for; `kinds`,
            `deleted` and `limit` may change from page to page.
        after: a place to begin behind, instead of a cursor: a time in milliseconds
            (of one agent's records a `seq`), and an id; no record need stand there.
    """

    community: str | None = None
    agent: AgentId | None = None
    parent: RecordId | None = None
    kinds: frozenset[int] | None = None
    deleted: bool = False
    order: Order = Order.NEWEST_FIRST
    limit: int = 50
    cursor: str | None = None
    after: tuple[int, RecordId] | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """A record, or an index entry, that is not what was written.

    Attributes:
        code: `damaged-record`, `damaged-index` or `store-damaged`.
        record: which record, as far as that can be told.
        message: what is wrong.
    """

    code: str
    record: RecordId | None
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records.

    Reading stops where too many entries were passed over (by `kinds`, by `deleted`,
    as damaged): the page then has fewer records than the limit, perhaps none, and
    `more` says to read on, though nothing may come of it. Else `more` is exact.

    Attributes:
        records: in the order asked for.
        cursor: what to pass to read on; None when there is neither a record nor
            more to read.
        more: whether there was more when the page was read.
        damaged: what should have been on this page and cannot be read.
    """

    records: list[Stored]
    cursor: str | None
    more: bool
    damaged: list[Damage] = field(default_factory=list)
