"""A dataset in the making: frames in, a folder of Parquet files out.

    frames ─▶ records ─▶ readers (processes, when there are many) ─▶ parts, in order
           ├▶ arrivals, agents, presence ────────────────────────▶ parts
           └▶ head, end ─▶ manifest.json, croissant.json, README.md

Frames are read side by side and written in order, so that the number of readers
changes no byte. Memory is bounded by the frames on their way and a row group for each
table; and, where a part is selected, by some 100 bytes a record and agent of it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from moltp2p.core.errors import LocalError
from moltp2p.core.selection import Selection
from moltp2p.store.survey import AGENTS, ARRIVALS, END, HEAD, PRESENCE, RECORDS
from moltp2p.study import tables
from moltp2p.study.frames import json_lines
from moltp2p.study.parts import Parts
from moltp2p.study.rows import (
    DAY_MS,
    KEY_BYTES,
    LAST_MS,
    Piece,
    Read,
    Row,
    read_arrivals,
    read_records,
)

FRAMES_A_READER: Final = 3
"""Frames on their way to each reader; then the node waits."""


@dataclass(slots=True)
class Heard:
    """What the frames said beside their rows, for the manifest.

    Attributes:
        head: of which store it is.
        end: how much there was.
        spans: when the listener ran, and had peers.
        records: rows of `records`.
        id_total: their ids as little-endian numbers, added up.
        agents: how many there are in `agents`, how many of them with places that are
            missing, how many places, and how many forks.
        as_of_ms: the newest moment of the node's clock that is in it.
        peers: how many were seen.
    """

    head: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    spans: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0
    id_total: int = 0
    agents: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("agents", "with_gaps", "missing", "forks"), 0
        )
    )
    as_of_ms: int = 0
    peers: int = 0

    def note_moment(self, time_ms: int) -> None:
        """Note that the node's clock has shown this."""
        self.as_of_ms = max(self.as_of_ms, time_ms)


class Dataset:
    """Writes the tables of a dataset; made by `open_dataset`.

    Args:
        folder: empty; where the files go.
        selection: what was asked for.
        bodies: whether texts are wanted.
        readers: how many processes read; 0 for none but this.

    Attributes:
        heard: for the manifest.
        parts: by the names of their tables.
    """

    def __init__(
        self, folder: Path, selection: Selection, *, bodies: bool, readers: int
    ) -> None:
        self.heard = Heard()
        self.parts = {table.name: Parts(folder, table) for table in tables.TABLES}
        self._is_whole = selection == Selection()
        self._read = partial(read_records, bodies=bodies)
        self._bodies = bodies
        self._readers = readers
        self._pool: ProcessPoolExecutor | None = None
        self._underway: deque[Future[Read | Piece]] = deque()
        self._agents: set[str] = set()
        self._keys: set[bytes] = set()

    def take(self, tag: bytes, payload: bytes) -> None:
        """Take the next frame; blocks.

        Raises:
            LocalError: `write-failed`; `reader-failed` when a process has ended.
        """
        if tag not in {RECORDS, ARRIVALS}:
            self._write_until(0)
        match tag:
            case _ if tag == HEAD:
                self.heard.head = json.loads(payload)
            case _ if tag == RECORDS:
                self._take_records(payload)
            case _ if tag == ARRIVALS:
                self._take_arrivals(payload)
            case _ if tag == AGENTS:
                self._take_agents(json_lines(payload))
            case _ if tag == PRESENCE:
                self._take_presence(json_lines(payload))
            case _ if tag == END:
                self.heard.end = json.loads(payload)
            case _:  # of a later version
                pass

    def finish(self) -> None:
        """Finish all files.

        Raises:
            LocalError: `write-failed`.
        """
        for parts in self.parts.values():
            parts.close(self.heard.as_of_ms // DAY_MS)

    def close(self) -> None:
        """Let the readers go."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _take_records(self, payload: bytes) -> None:
        if self._readers:
            self._hand_out(self._read, payload)
        else:
            self._write(self._read(payload))

    def _take_arrivals(self, payload: bytes) -> None:
        if self._readers and self._is_whole:
            self._hand_out(read_arrivals, payload)
            return
        self._write_until(0)
        wanted = None if self._is_whole else self._keys
        self._write(read_arrivals(payload, wanted))

    def _hand_out(self, read: Callable[[bytes], Read | Piece], payload: bytes) -> None:
        """Have a reader read a frame; those before it are written meanwhile."""
        if self._pool is None:
            # A fork of a process with threads may never end.
            fresh = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._readers,
                mp_context=fresh,
                initializer=_begin_reading,
            )
        self._write_until(self._readers * FRAMES_A_READER)
        with _nobody_interrupts():
            self._underway.append(self._pool.submit(read, payload))

    def _write_until(self, underway: int) -> None:
        while len(self._underway) > underway:
            try:
                read = self._underway.popleft().result()
            except BrokenProcessPool:
                raise LocalError(
                    "reader-failed",
                    "a process that was reading records has ended",
                    "is there memory enough? Begin again; nothing was left behind",
                ) from None
            self._write(read)

    def _write(self, read: Read | Piece) -> None:
        if isinstance(read, Piece):
            self._write_arrivals(read)
            return
        self.heard.records += read.records
        self.heard.id_total += read.total
        self.heard.note_moment(read.newest_ms)
        if not self._is_whole:
            self._agents |= read.agents
            places = range(0, len(read.keys), KEY_BYTES)
            self._keys.update(read.keys[at : at + KEY_BYTES] for at in places)
        for piece in read.pieces:
            self.parts[piece.table].put(piece)

    def _write_arrivals(self, piece: Piece) -> None:
        self.parts[piece.table].put(piece)
        came = piece.batch.column("came").cast("int64")
        self.heard.note_moment(max(came.to_pylist(), default=0))

    def _take_agents(self, told: Iterable[dict[str, Any]]) -> None:
        rows: list[Row] = []
        gaps: list[Row] = []
        for each in told:
            if not self._is_whole and each["agent"] not in self._agents:
                continue
            rows.append(self._agent_row(each))
            gaps += [(each["agent"], *gap) for gap in each["gaps"]]
            count = self.heard.agents
            count["agents"] += 1
            count["with_gaps"] += bool(each["missing"])
            count["missing"] += each["missing"]
            count["forks"] += len(each["forks"])
        self.parts["agents"].put_rows(rows)
        self.parts["gaps"].put_rows(gaps)

    def _agent_row(self, told: dict[str, Any]) -> Row:
        kinds, began_ms = told["kinds"], told["began_ms"]
        return (
            told["agent"],
            told["name"] if self._bodies else None,
            told["about"] if self._bodies else None,
            told["inception"],
            None if began_ms is None else min(began_ms, LAST_MS),
            told["records"],
            kinds.get("3", 0),
            kinds.get("1", 0),
            told["deleted"],
            told["first_seq"],
            told["last_seq"],
            told["missing"],
            len(told["forks"]),
        )

    def _take_presence(self, told: Iterable[dict[str, Any]]) -> None:
        spans: list[Row] = []
        peers: list[Row] = []
        for each in told:
            if "span" in each:
                self.heard.spans.append(each)
                self.heard.note_moment(each["until_ms"])
                times = each["from_ms"], each["until_ms"]
                spans.append((each["span"], *times, each["ended"]))
            else:
                self.heard.note_moment(each["last_ms"])
                peers.append((each["peer"], each["first_ms"], each["last_ms"]))
        self.heard.peers = len(peers)
        self.parts["spans"].put_rows(spans)
        self.parts["peers"].put_rows(peers)


@contextmanager
def _nobody_interrupts() -> Iterator[None]:
    """Let no process that is begun in the block, by this thread, hear of Ctrl-C.

    The terminal sends it to all of them, and this one answers. From their first moment
    on: loading takes them a second.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_reading() -> None:
    """Get ready, in a process of its own, to read for the one that began it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End once that one is gone: killed, it lets nobody go, and they wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def open_dataset(
    folder: Path, selection: Selection, *, bodies: bool = True, readers: int = 0
) -> Iterator[Dataset]:
    """Write tables for the length of the block; to `finish` is the caller's."""
    dataset = Dataset(folder, selection, bodies=bodies, readers=readers)
    try:
        yield dataset
    finally:
        dataset.close()
