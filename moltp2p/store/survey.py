r"""All that a store holds at one moment, for whoever studies it; in frames.

    frame = tag:1 size:4 payload            numbers are big-endian
    H   head        JSON                    of which store this is
    R   records     ( id:32 received:8 state:1 size:4 wire )…    by time, then by id
    A   arrivals    ( number:8 record:32 came:8 road:1 size:1 peer )…    in order
    G   agents      JSON lines              by their ids, all of them
    P   presence    JSON lines              spans and peers
    E   end         JSON                    how much that was; nothing follows
    X   trouble     JSON                    instead: why it cannot go on

`state` is that of a mark (`layout`), `wire` what travels (spec 03). Checksums hold;
what was damaged is left out and counted. It is a format between one version's node and
its own commands, and no archive: signed records are exported (spec 10).

The same store gives the same bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from moltp2p.core.ids import AgentId, RecordId, agent_text, record_text
from moltp2p.core.kinds import Kind
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams, check_community
from moltp2p.core.trusted import read_trusted
from moltp2p.proto.sync.reconcile import INFINITY_MS, SetSum
from moltp2p.store import arrivals, layout, shelf_layout
from moltp2p.store.engine import Entry, Hole, Reader, Snapshot
from moltp2p.store.layout import Mark
from moltp2p.store.set_view import SetView

FRAME: Final = struct.Struct(">cI")
ROW: Final = struct.Struct(">32sQBI")
ARRIVAL_ROW: Final = struct.Struct(">Q32sQBB")

HEAD, RECORDS, ARRIVALS, AGENTS = b"H", b"R", b"A", b"G"
PRESENCE, END, TROUBLE = b"P", b"E", b"X"

CHUNK_RECORDS: Final = 256
"""Records to a frame: at most 16 MiB, and about 4 ms of reading."""
CHUNK_AGENTS: Final = 256
"""Agents to a frame: what all say of themselves, in JSON's escapes, is some MiB."""
CHUNK_ENTRIES: Final = 4_096
"""Index entries, or arrivals, that are read at once."""
TOLD_GAPS: Final = 1_000
"""Gaps of one agent's sequence that are told; all are counted."""

_RECEIVED: Final = slice(4, 12)
_WIRE: Final = slice(12, None)


def frame(tag: bytes, payload: bytes) -> bytes:
    """Return a frame."""
    return FRAME.pack(tag, len(payload)) + payload


def json_frame(tag: bytes, *views: Mapping[str, object]) -> bytes:
    """Return a frame of JSON lines."""
    return frame(tag, b"\n".join(json.dumps(view).encode() for view in views))


@dataclass(slots=True)
class Totals:
    """What was told, and what could not be.

    Attributes:
        records: told.
        arrivals: told.
        agents: told.
        damaged: records that are not as they were written, and were left out.
        holes: whether there was something that nobody can tell what it was.
    """

    records: int = 0
    arrivals: int = 0
    agents: int = 0
    damaged: int = 0
    holes: bool = False

    def view(self) -> dict[str, object]:
        """Return them for JSON."""
        names = ("records", "arrivals", "agents", "damaged", "holes")
        return {name: getattr(self, name) for name in names}


class Survey:
    """One reading of a store at one moment.

    Args:
        kept: the store at that moment.
        network: whose records it holds.
        selection: which records; `agent` and `kinds` are left to the reader. All
            agents and arrivals are told whatever is selected.

    Raises:
        UsageError: `bad-community`.
    """

    def __init__(
        self, kept: Snapshot, network: NetworkParams, selection: Selection
    ) -> None:
        if selection.community is not None:
            check_community(selection.community)
        self._kept = kept
        self._network = network
        self._selection = selection
        self._totals = Totals()

    def frames(self, about: Mapping[str, object]) -> Iterator[bytes]:
        """Yield all frames.

        Args:
            about: what else the head says.

        Raises:
            LocalError: `store-failed`, `store-damaged`.
        """
        head = self._kept.read(self._head)
        yield json_frame(HEAD, {**about, **head})
        yield from self._records()
        yield from self._arrivals()
        yield from self._agents()
        yield json_frame(PRESENCE, *self._kept.read(_presence))
        yield json_frame(END, self._totals.view())

    def _head(self, view: Reader) -> dict[str, object]:
        topics = range(self._network.shards + 1)
        sums = [SetView(topic, 0, INFINITY_MS, view).sum() for topic in topics]
        return {
            "network": self._network.id,
            "shards": self._network.shards,
            "schema": layout.SCHEMA,
            "records": _number(view, layout.COUNT_KEY),
            "record_bytes": _number(view, layout.BYTES_KEY),
            "lost": sum(1 for _ in view.scan(layout.LOST)),
            "beyond_quota": sum(1 for _ in view.scan(layout.BEYOND)),
            "fingerprint": sum(sums, SetSum()).fingerprint().hex(),
            "sets": [
                {"records": each.count, "fingerprint": each.fingerprint().hex()}
                for each in sums
            ],
            "first_arrival": arrivals.bounds(view)[0],
        }

    # -- records ---------------------------------------------------------------

    def _records(self) -> Iterator[bytes]:
        wanted = self._selection
        prefix = layout.BY_TIME
        if wanted.community is not None:
            prefix = layout.community_prefix(wanted.community)
        after: bytes | None = None
        if wanted.since_ms:
            after = prefix + layout.number(wanted.since_ms)
        while True:
            payload, after = self._kept.read(self._record_chunk(prefix, after))
            if payload:
                yield frame(RECORDS, payload)
            if after is None:
                return

    def _record_chunk(
        self, prefix: bytes, after: bytes | None
    ) -> Callable[[Reader], tuple[bytes, bytes | None]]:
        """Return what reads some records, and where to go on; None at the end."""

        def read(view: Reader) -> tuple[bytes, bytes | None]:
            entries = self._scan(view, prefix, after, CHUNK_RECORDS)
            rows = bytearray()
            for key, mark in entries:
                if self._is_past(key):
                    return bytes(rows), None
                rows += self._row(view, key, mark)
            return bytes(rows), entries[-1][0] if entries else None

        return read

    def _row(self, view: Reader, key: bytes, mark: bytes) -> bytes:
        record = layout.indexed_record(key)
        value = view.get(layout.RECORD + record)
        if value is None or not layout.is_sound(record, value):
            self._totals.damaged += 1
            return b""
        self._totals.records += 1
        wire = value[_WIRE]
        received = int.from_bytes(value[_RECEIVED], "big")
        return ROW.pack(record, received, mark[0], len(wire)) + wire

    def _is_past(self, key: bytes) -> bool:
        until_ms = self._selection.until_ms
        time = key[-layout.PLACE_BYTES : -layout.ID_BYTES]
        return until_ms is not None and int.from_bytes(time, "big") >= until_ms

    # -- arrivals --------------------------------------------------------------

    def _arrivals(self) -> Iterator[bytes]:
        after = 0
        while found := self._kept.read(_some_arrivals(after)):
            rows = bytearray()
            for each in found:
                peer = (each.came.peer or "").encode()
                road = arrivals.ROADS.index(each.came.road)
                rows += ARRIVAL_ROW.pack(
                    each.number, each.record, each.came.at_ms, road, len(peer)
                )
                rows += peer
            self._totals.arrivals += len(found)
            yield frame(ARRIVALS, bytes(rows))
            after = found[-1].number

    # -- agents ----------------------------------------------------------------

    def _agents(self) -> Iterator[bytes]:
        """Yield agents, each once all of its places were read."""
        after: bytes | None = None
        sequence: _Sequence | None = None
        while entries := self._kept.read(self._places(after)):
            done: list[_Sequence] = []
            for key, value in entries:
                agent = AgentId(key[1 : 1 + layout.ID_BYTES])
                if sequence is None or sequence.agent != agent:
                    done += [] if sequence is None else [sequence]
                    sequence = _Sequence(agent)
                sequence.add(key, Mark.unpack(value))
            yield from self._told(done)
            after = entries[-1][0]
        yield from self._told([] if sequence is None else [sequence])

    def _places(self, after: bytes | None) -> Callable[[Reader], list[Entry]]:
        return lambda view: self._scan(view, layout.BY_AGENT, after, CHUNK_ENTRIES)

    def _told(self, done: list[_Sequence]) -> Iterator[bytes]:
        self._totals.agents += len(done)
        for at in range(0, len(done), CHUNK_AGENTS):
            some = done[at : at + CHUNK_AGENTS]
            views = self._kept.read(partial(_views, some))
            yield json_frame(AGENTS, *views)

    def _scan(
        self, view: Reader, prefix: bytes, after: bytes | None, limit: int
    ) -> list[Entry]:
        chunk = list(islice(view.scan(prefix, after), limit))
        entries = [entry for entry in chunk if not isinstance(entry, Hole)]
        self._totals.holes |= len(entries) < len(chunk)
        return entries


@dataclass(slots=True)
class _Sequence:
    """An agent's places while they are read, in order."""

    agent: AgentId
    inception: RecordId | None = None
    profile: RecordId | None = None
    kinds: dict[int, int] = field(default_factory=dict)
    first: int | None = None
    last: int = -1
    records: int = 0
    deleted: int = 0
    missing: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def add(self, key: bytes, mark: Mark | None) -> None:
        """Take the next place."""
        seq, record = layout.indexed_seq(key), layout.indexed_record(key)
        if seq > self.last + 1:
            self.missing += seq - self.last - 1
            if len(self.gaps) < TOLD_GAPS:
                self.gaps.append((self.last + 1, seq - 1))
        self.first = seq if self.first is None else self.first
        self.last = seq
        self.records += 1
        if mark is None:
            return
        self.kinds[mark.kind] = self.kinds.get(mark.kind, 0) + 1
        self.deleted += mark.deleted
        if mark.kind == Kind.INCEPTION:
            self.inception = record
        if mark.kind == Kind.PROFILE and not (mark.deleted or mark.dropped):
            self.profile = record

    def view(self, view: Reader) -> dict[str, object]:
        """Return it for JSON, with what its first record and its profile say."""
        profile = _read(self.profile, view)
        inception = _read(self.inception, view)
        forks = view.scan(shelf_layout.forks_prefix(self.agent))
        forked = {layout.indexed_seq(each[0]) for each in forks if type(each) is tuple}
        first = self.inception
        return {
            "agent": agent_text(self.agent),
            "inception": None if first is None else record_text(first),
            "began_ms": None if inception is None else inception["time"],
            "records": self.records,
            "kinds": self.kinds,
            "deleted": self.deleted,
            "first_seq": self.first,
            "last_seq": self.last,
            "missing": self.missing,
            "gaps": self.gaps,
            "forks": sorted(forked),
            "name": None if profile is None else profile.get("name"),
            "about": None if profile is None else profile.get("about"),
        }


def _views(agents: Sequence[_Sequence], view: Reader) -> list[dict[str, object]]:
    return [each.view(view) for each in agents]


def _read(record: RecordId | None, view: Reader) -> dict[str, object] | None:
    """Return the header's fields, and the body's, of a record that is held whole."""
    value = None if record is None else view.get(layout.RECORD + record)
    if record is None or value is None or not layout.is_sound(record, value):
        return None
    said = read_trusted(value[_WIRE])
    return {**said.fields, **said.texts()}


def _some_arrivals(after: int) -> Callable[[Reader], list[arrivals.Arrived]]:
    return lambda view: arrivals.read_arrivals(view, after, CHUNK_ENTRIES)


def _presence(view: Reader) -> list[dict[str, object]]:
    spans: list[dict[str, object]] = [
        {
            "span": each.state.value,
            "from_ms": each.from_ms,
            "until_ms": each.until_ms,
            "ended": each.ended,
        }
        for each in arrivals.read_spans(view)
    ]
    peers: list[dict[str, object]] = [
        {"peer": each.peer, "first_ms": each.first_ms, "last_ms": each.last_ms}
        for each in arrivals.read_peers(view)
    ]
    return spans + peers


def _number(view: Reader, key: bytes) -> int:
    return int.from_bytes(view.get(key) or b"", "big")
