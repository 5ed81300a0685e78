"""Reading records out, in an order in which anybody can take them in again.

Oldest first, and before an agent's first record its whole key chain: without that
nobody could verify what a later key signed.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId, RecordId, record_text
from moltp2p.core.kinds import CHAIN_KINDS
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.store.base import Order, Query, Store

PAGE_RECORDS: Final = 256

CHAINS_TOLD: Final = 65_536
"""Agents whose key chain is known to be out already; of an agent that was forgotten
it comes once more, and is then a duplicate."""


class Export:
    """One reading of a store, a page at a time. Its calls block.

    Args:
        store: read only.
        selection: which records; the key chains of their authors come too.
        after: the record to go on behind, as an export that was cut short left it;
            it is no record of a key chain, since those come out of turn.

    Raises:
        UsageError: `not-found` when `after` is not held, and `bad-query` when it is
            part of a key chain.
    """

    def __init__(
        self, store: Store, selection: Selection, after: RecordId | None = None
    ) -> None:
        self._store = store
        self._selection = selection
        self._told: OrderedDict[AgentId, None] = OrderedDict()
        self._damaged = 0
        self._query: Query | None = self._first(after)

    def next(self) -> list[Record] | None:
        """Return the next records, perhaps none; None at the end.

        Raises:
            LocalError: `store-failed`; `damaged-record` at the end when some could
                not be read.
        """
        if self._query is None:
            if self._damaged:
                raise _incomplete(self._damaged)
            return None
        page = self._store.page(self._query)
        self._damaged += len(page.damaged)
        records = [stored.record for stored in page.records]
        self._query = self._following(page.cursor) if page.more else None
        if records and self._is_past(records[-1]):
            self._query = None
        return list(self._in_order(records))

    def _first(self, after: RecordId | None) -> Query:
        wanted = self._selection
        query = Query(
            agent=wanted.agent,
            # One index serves a query; what the other says is picked out below.
            community=wanted.community if wanted.agent is None else None,
            kinds=None if wanted.kinds is None else wanted.kinds | CHAIN_KINDS,
            deleted=True,
            order=Order.OLDEST_FIRST,
            limit=PAGE_RECORDS,
        )
        if after is not None:
            return dataclasses.replace(query, after=self._place(after))
        if wanted.agent is None and wanted.since_ms:
            before = (wanted.since_ms, RecordId(bytes(32)))
            return dataclasses.replace(query, after=before)
        return query

    def _place(self, after: RecordId) -> tuple[int, RecordId]:
        stored = self._store.get(after)
        if stored is None:
            raise UsageError(
                "not-found",
                f"this node does not hold {record_text(after)}, to go on behind it",
                "begin the export anew",
            )
        header = stored.record.header
        if header.kind in CHAIN_KINDS:
            raise UsageError(
                "bad-query",
                "a record of a key chain is no place to go on behind",
                "name the last record that is neither inception nor rotation",
            )
        by_agent = self._selection.agent is not None
        return (header.seq if by_agent else header.time_ms), after

    def _following(self, cursor: str | None) -> Query | None:
        if self._query is None:
            return None
        return dataclasses.replace(self._query, cursor=cursor, after=None)

    def _is_past(self, record: Record) -> bool:
        """Tell whether all that follows a record is too late; by `seq` none is."""
        until = self._selection.until_ms
        in_time = self._selection.agent is None
        return in_time and until is not None and record.header.time_ms >= until

    def _in_order(self, records: list[Record]) -> Iterator[Record]:
        for record in records:
            if not self._selection.has(record.header):
                continue
            yield from self._chain(record.header.agent)
            if record.header.kind not in CHAIN_KINDS:
                yield record

    def _chain(self, agent: AgentId) -> Iterator[Record]:
        """Yield an agent's key chain, unless it is out already."""
        if agent in self._told:
            self._told.move_to_end(agent)
            return
        self._told[agent] = None
        if len(self._told) > CHAINS_TOLD:
            self._told.popitem(last=False)
        chain = self._store.key_chain(agent)
        for link in () if chain is None else chain.links:
            try:
                stored = self._store.get(link.record)
            except LocalError as error:
                if error.code != "damaged-record":
                    raise
                stored = None
            if stored is None:
                self._damaged += 1
            else:
                yield stored.record


def _incomplete(count: int) -> LocalError:
    return LocalError(
        "damaged-record",
        f"{count} records could not be read, and are not in the export",
        "moltp2p verify-store names them",
    )
