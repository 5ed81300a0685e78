"""From a frame to rows: what records say, as tables have it.

A frame is read without looking at any other, so that several processes can read at
once, and the rows are the same whoever reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from moltp2p.core.challenge.attested import Attested, Proof
from moltp2p.core.challenge.fraud import Fraud
from moltp2p.core.forks import Fork, place_of
from moltp2p.core.kinds import Kind, parse_body
from moltp2p.study import tables
from moltp2p.study.held import Held, arrivals_in, records_in
from moltp2p.study.names import Names
from moltp2p.study.tables import Table

DAY_MS: Final = 86_400_000
KEY_BYTES: Final = 8
"""Of an id, to know it by; two of a million that begin alike are not to be expected."""
LAST_DAY: Final = 2_932_896
"""9999-12-31, where calendars end; a clock may claim more."""
LAST_MS: Final = (LAST_DAY + 1) * DAY_MS - 1
"""The last moment of it: later ones are written as this, or nothing reads the file."""

_KINDS: Final = {kind.value: kind.name.lower() for kind in Kind}

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one table, and where days begin in them.

    Attributes:
        table: its name.
        batch: the rows.
        days: for each run of rows of a day: the day since 1970, the first row, and
            how many there are.
    """

    table: str
    batch: pa.RecordBatch
    days: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Read:
    """What a frame of records came to.

    Attributes:
        pieces: of each table that has rows.
        records: how many there were.
        total: their ids as little-endian numbers, added up (spec 06, section 1).
        agents: whose they are, as did:key.
        keys: the first eight bytes of each id, one behind the other.
        newest_ms: the node's clock when the last of them came.
    """

    pieces: list[Piece]
    records: int
    total: int
    agents: frozenset[str]
    keys: bytes
    newest_ms: int


_names: Final = Names()
"""One to a process: what one frame names, the next names again."""


def read_records(payload: bytes, *, bodies: bool) -> Read:
    """Return the rows of a frame of records.

    Args:
        payload: the frame's.
        bodies: whether texts are wanted.
    """
    rows: dict[str, list[Row]] = {name: [] for name in _ROWS}
    records = total = newest_ms = 0
    keys = bytearray()
    for held in records_in(payload):
        records += 1
        total += int.from_bytes(held.id, "little")
        newest_ms = max(newest_ms, held.received_ms)
        keys += held.id[:KEY_BYTES]
        rows["records"].append(_record_row(held, held.texts() if bodies else {}))
        for name in _SPECIAL.get(held.said.fields["kind"], ()):
            rows[name] += _ROWS[name](held)
    pieces = [_piece(_TABLES[name], found) for name, found in rows.items() if found]
    agents = frozenset(row[1] for row in rows["records"])
    return Read(pieces, records, total, agents, bytes(keys), newest_ms)


def read_arrivals(payload: bytes, wanted: Container[bytes] | None = None) -> Piece:
    """Return the rows of a frame of arrivals.

    Args:
        payload: the frame's.
        wanted: the first eight bytes of the ids of records; None for all.
    """
    rows: list[Row] = [
        (number, _names.record(record), came.at_ms, came.road.value, came.peer)
        for number, record, came in arrivals_in(payload)
        if wanted is None or record[:KEY_BYTES] in wanted
    ]
    return _piece(tables.ARRIVALS, rows)


def batch_of(table: Table, rows: list[Row]) -> pa.RecordBatch:
    """Return rows as Arrow has them."""
    schema = table.schema
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [
        pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _piece(table: Table, rows: list[Row]) -> Piece:
    place = table.schema.get_field_index(table.by_date)
    days: list[tuple[int, int, int]] = []
    for number, row in enumerate(rows):
        day = min(row[place] // DAY_MS, LAST_DAY)
        if days and days[-1][0] == day:
            days[-1] = (day, days[-1][1], days[-1][2] + 1)
        else:
            days.append((day, number, 1))
    return Piece(table.name, batch_of(table, rows), days)


def _record_row(held: Held, texts: Mapping[str, Any]) -> Row:
    fields = held.said.fields
    refs, origin = fields.get("refs", _NOTHING), fields.get("origin", _NOTHING)
    name, kind = _names.record, fields["kind"]
    return (
        name(held.id),
        _names.agent(fields["agent"]),
        _KINDS.get(kind) or str(kind),
        fields["seq"],
        name(fields.get("prev")),
        min(fields["time"], LAST_MS),
        fields.get("community"),
        name(refs.get("parent")),
        name(refs.get("root")),
        name(refs.get("target")),
        texts.get("title"),
        texts.get("text"),
        texts.get("lang"),
        texts.get("name"),
        texts.get("about"),
        fields.get("size"),
        held.said.body is not None,
        held.state == 1,
        held.state == 2,
        fields.get("ai_generated"),
        origin.get("trigger"),
        origin.get("framework"),
        origin.get("model"),
        held.received_ms,
    )


_NOTHING: Final[Mapping[str, Any]] = {}


def _reply_rows(held: Held) -> Iterator[Row]:
    fields = held.said.fields
    refs = fields.get("refs", _NOTHING)
    if "parent" in refs:
        yield (
            _names.record(held.id),
            _names.record(refs["parent"]),
            _names.record(refs.get("root")),
            _names.agent(fields["agent"]),
            fields.get("community"),
            min(fields["time"], LAST_MS),
        )


def _key_rows(held: Held) -> Iterator[Row]:
    fields = held.said.fields
    yield (
        _names.agent(fields["agent"]),
        fields["seq"],
        _names.record(held.id),
        fields.get("key", fields["agent"]).hex(),
        fields["next"].hex(),
        min(fields["time"], LAST_MS),
    )


def _attestation_rows(held: Held) -> Iterator[Row]:
    fields, body = held.said.fields, held.said.body
    said = None if body is None else parse_body(fields["kind"], body)
    if isinstance(said, Attested | Proof):
        kind = _KINDS[fields["kind"]]
        each = said.attested if isinstance(said, Proof) else (said,)
        size = said.ticket.size if isinstance(said, Proof) else None
        yield from (_attestation_row(held, kind, attested, size) for attested in each)


def _attestation_row(
    held: Held, kind: str, attested: Attested, size: int | None
) -> Row:
    says = attested.says
    return (
        _names.record(held.id),
        kind,
        _names.agent(says.subject),
        _names.agent(says.issuer),
        says.tasks,
        says.score,
        says.took_ms,
        says.limit_ms,
        says.epoch,
        says.slot,
        says.rounds,
        None if says.ticket is None else says.ticket.hex(),
        min(says.time_ms, LAST_MS),
        min(says.expires_ms, LAST_MS),
        min(held.said.fields["time"], LAST_MS),
        size,
    )


def _label_rows(held: Held) -> Iterator[Row]:
    fields, body = held.said.fields, held.said.body
    name, agent = _names.record(held.id), _names.agent(fields["agent"])
    time_ms = min(fields["time"], LAST_MS)
    said = None if body is None else parse_body(fields["kind"], body)
    match said:
        case Fork():
            place = place_of(said)
            subject = _names.agent(place.agent)
            yield name, "fork", agent, subject, place.seq, None, time_ms
        case Fraud():
            subject = _names.agent(said.accused)
            yield name, "fraud", agent, subject, None, said.fraud, time_ms
        case _ if fields["kind"] == Kind.REVOCATION:
            yield name, "revocation", agent, agent, None, None, time_ms
        case _:  # a body that was dropped says nothing any more
            return


_ROWS: Final[Mapping[str, Callable[[Held], Iterator[Row]]]] = {
    "records": lambda _: iter(()),
    "replies": _reply_rows,
    "keys": _key_rows,
    "attestations": _attestation_rows,
    "labels": _label_rows,
}
_TABLES: Final = {table.name: table for table in tables.TABLES}
_SPECIAL: Final[Mapping[int, tuple[str, ...]]] = {
    Kind.POST: ("replies",),
    Kind.INCEPTION: ("keys",),
    Kind.ROTATE: ("keys",),
    Kind.ATTESTATION: ("attestations",),
    Kind.PROOF: ("attestations",),
    Kind.FORK: ("labels",),
    Kind.FRAUD: ("labels",),
    Kind.REVOCATION: ("labels",),
}
"""In which tables, beside `records`, a record of that kind may have rows."""
