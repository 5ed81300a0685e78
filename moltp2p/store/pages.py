"""Reading records a page at a time, along one index.

A cursor names the last entry passed, not a number of entries, so a page goes on
where the one before ended, whatever was added or removed meanwhile. Its text:

    base64url( version:1 place:40 check:8 )     place: how the entry's key ends
                                                check: of all that, and the index
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import can_be_deleted
from moltp2p.core.topics import check_community
from moltp2p.store import layout, shelf_layout
from moltp2p.store.base import MAX_PAGE_RECORDS, Damage, Order, Page, Query, Stored
from moltp2p.store.engine import Hole, Reader
from moltp2p.store.layout import Mark

MAX_SCANNED: Final = 10_000
"""Index entries read for one page, about 20 ms, however few of them match."""

CURSOR_VERSION: Final = b"\x01"
MAX_CURSOR_CHARS: Final = 100
_CHECK_BYTES: Final = 8


def load(record: RecordId, reader: Reader) -> Stored | None:
    """Return one record, or None.

    Raises:
        LocalError: `damaged-record`, `store-failed`.
    """
    value = _value(record, reader)
    if value is None:
        return None
    parsed, received_at_ms = layout.unpack_record(record, value)
    header = parsed.header
    grave = reader.get(layout.tombstone_key(record, header.agent))
    deleted = grave is not None and can_be_deleted(header)
    lacks_body = header.body_hash is not None and parsed.body is None and not deleted
    dropped = lacks_body and reader.get(shelf_layout.dropped_key(record)) is not None
    forked = has_forked(header.agent, reader)
    return Stored(parsed, received_at_ms, deleted, dropped, forked)


def load_sound(record: RecordId, reader: Reader) -> Stored | None:
    """Return one record, or None when it is not held whole.

    Raises:
        LocalError: `store-failed`.
    """
    try:
        return load(record, reader)
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        return None


def has_forked(agent: AgentId, reader: Reader) -> bool:
    """Tell whether a proof is held that an agent has forked.

    Raises:
        LocalError: `store-failed`.
    """
    return next(reader.scan(shelf_layout.forks_prefix(agent)), None) is not None


def read_page(query: Query, reader: Reader) -> Page:
    """Return one page of records.

    Raises:
        UsageError: `bad-cursor`, `bad-query`, `bad-community`.
        LocalError: `store-failed`.
    """
    prefix = _index(query)
    return _Reading(query, prefix, _start(query, prefix)).run(reader)


def _start(query: Query, prefix: bytes) -> bytes | None:
    """Return the key behind which a page begins; None at the index's own begin."""
    if query.cursor is not None and query.after is not None:
        raise UsageError(
            "bad-query", "a cursor and a place to begin behind", "give one of them"
        )
    if query.cursor is not None:
        return prefix + _parse_cursor(query.cursor, prefix, query.order)
    if query.after is not None:
        number, record = query.after
        return prefix + layout.number(number) + _whole(record)
    return None


class _Reading:
    """One page while it is read."""

    def __init__(self, query: Query, prefix: bytes, after: bytes | None) -> None:
        self._query = query
        self._prefix = prefix
        self._after = after
        self._records: list[Stored] = []
        self._damaged: list[Damage] = []
        self._forked: dict[AgentId, bool] = {}

    def run(self, reader: Reader) -> Page:
        reverse = self._query.order is Order.NEWEST_FIRST
        entries = reader.scan(self._prefix, self._after, reverse=reverse)
        for scanned, entry in enumerate(entries):
            if isinstance(entry, Hole):
                self._damaged.append(Damage("damaged-index", None, entry.message))
                continue
            key, value = entry
            mark = Mark.unpack(value)
            matches = mark is None or self._wants(mark)
            is_full = len(self._records) == self._query.limit
            if scanned == MAX_SCANNED or (is_full and matches):
                return self._page(more=True)
            if matches:
                self._take(layout.indexed_record(key), mark, reader)
            # A full page ends at its last record: what was read on for `more` is
            # read again, and a record that comes there meanwhile is not missed.
            if not is_full:
                self._after = key
        return self._page(more=False)

    def _wants(self, mark: Mark) -> bool:
        query = self._query
        if (mark.deleted or mark.dropped) and not query.deleted:
            return False
        return query.kinds is None or mark.kind in query.kinds

    def _take(self, record: RecordId, mark: Mark | None, reader: Reader) -> None:
        """Put a record on the page, or say what is wrong with it."""
        try:
            value = _value(record, reader)
            if mark is None or value is None:
                why = "not held" if value is None else "its index entry is damaged"
                self._damaged.append(Damage("damaged-index", record, why))
                return
            parsed, received_at_ms = layout.unpack_record(record, value)
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            self._damaged.append(Damage(error.code, record, error.message))
            return
        agent = parsed.header.agent
        if agent not in self._forked:
            self._forked[agent] = has_forked(agent, reader)
        self._records.append(
            Stored(
                parsed,
                received_at_ms,
                mark.deleted,
                mark.dropped,
                self._forked[agent],
            )
        )

    def _page(self, *, more: bool) -> Page:
        cursor = None
        if self._after is not None and (self._records or more):
            place = self._after[len(self._prefix) :]
            cursor = _cursor(place, self._prefix, self._query.order)
        return Page(self._records, cursor, more, self._damaged)


def _value(record: RecordId, reader: Reader) -> bytes | None:
    try:
        return reader.get(layout.record_key(record))
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        raise layout.damaged(record, "where it stands cannot be read") from None


def _index(query: Query) -> bytes:
    """Return how the keys of the index begin that a query reads along."""
    if not 1 <= query.limit <= MAX_PAGE_RECORDS:
        raise UsageError(
            "bad-query",
            f"a page of {query.limit} records",
            f"ask for 1 to {MAX_PAGE_RECORDS}",
        )
    prefixes = []
    if query.community is not None:
        prefixes.append(layout.community_prefix(check_community(query.community)))
    if query.agent is not None:
        prefixes.append(layout.agent_prefix(AgentId(_whole(query.agent))))
    if query.parent is not None:
        prefixes.append(layout.parent_prefix(RecordId(_whole(query.parent))))
    if len(prefixes) > 1:
        raise UsageError(
            "bad-query",
            "more than one of community, agent and parent",
            "ask for one of them, and pick from what it gives",
        )
    return prefixes[0] if prefixes else layout.BY_TIME


def _whole(name: bytes) -> bytes:
    """Return an agent's or a record's id, and no shorter one that names many."""
    if len(name) != layout.ID_BYTES:
        raise UsageError("bad-query", f"an id of {len(name)} bytes", "ids have 32")
    return name


def _cursor(place: bytes, index: bytes, order: Order) -> str:
    body = CURSOR_VERSION + place
    bound = b"moltp2p/cursor" + order.value.encode() + b"\0" + index + body
    check = hashlib.sha256(bound).digest()[:_CHECK_BYTES]
    return base64.urlsafe_b64encode(body + check).decode().rstrip("=")


def _parse_cursor(text: str, index: bytes, order: Order) -> bytes:
    """Return the place that a cursor names in this index and order."""
    place = _decode(text)[1:-_CHECK_BYTES]
    if len(place) != layout.PLACE_BYTES or text != _cursor(place, index, order):
        raise UsageError(
            "bad-cursor",
            f"not a cursor of this query: {text[:80]!r}",
            "pass the cursor of the page before, with the same community, agent or "
            "parent and the same order; or none, to begin anew",
        )
    return place


def _decode(text: str) -> bytes:
    if len(text) > MAX_CURSOR_CHARS or not text.isascii():
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
