"""Tables on their way into Parquet files: one file a day, written once, in order.

Rows come in order of their day, so that one file a table is open at a time. Where the
rows of a file are cut into row groups depends on the rows alone: the same rows give the
same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from moltp2p.core.errors import LocalError
from moltp2p.study.rows import Piece, Row, batch_of
from moltp2p.study.tables import Table

GROUP_ROWS: Final = 65_536
GROUP_BYTES: Final = 16 * 2**20
"""A row group ends with the batch that makes it so large."""

CHUNK_BYTES: Final = 2**20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a dataset.

    Attributes:
        path: in the dataset, with slashes.
        table: whose rows it has.
        rows: how many.
        size_bytes: how large it is.
        sha256: in hex.
    """

    path: str
    table: str
    rows: int
    size_bytes: int
    sha256: str


class Parts:
    """The files of one table, as they are written.

    Args:
        folder: the dataset's.
        table: which.

    Attributes:
        files: those that are finished.
        rows: written so far.
    """

    def __init__(self, folder: Path, table: Table) -> None:
        self.files: list[WrittenFile] = []
        self.rows = 0
        self._folder = folder
        self._table = table
        self._day: int | None = None
        self._writer: pq.ParquetWriter | None = None
        self._path = Path()
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = 0

    def put(self, piece: Piece) -> None:
        """Write rows; a day that is over stays so, whatever a clock says.

        Raises:
            LocalError: `write-failed`.
        """
        with _writing(self._folder):
            for day, begin, count in piece.days:
                self._turn_to(day)
                self._add(piece.batch.slice(begin, count))

    def put_rows(self, rows: list[Row]) -> None:
        """Write rows of a table that is not cut by days.

        Raises:
            LocalError: `write-failed`.
        """
        with _writing(self._folder):
            self._turn_to(0)
            self._add(batch_of(self._table, rows))

    def close(self, empty_day: int) -> None:
        """Finish the last file; of a table without rows there is an empty one.

        Args:
            empty_day: which day that is of.

        Raises:
            LocalError: `write-failed`.
        """
        with _writing(self._folder):
            if self._day is None:
                self._turn_to(empty_day)
            self._finish()

    def _turn_to(self, day: int) -> None:
        if self._day is not None and day <= self._day:
            return
        self._finish()
        self._day = day
        self._path = self._folder / self._name(day)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            self._path,
            self._table.schema,
            compression="zstd",
            use_dictionary=self._table.repetitive,
        )

    def _name(self, day: int) -> str:
        if self._table.by_date is None:
            return f"{self._table.name}.parquet"
        return f"{self._table.name}/date={date_text(day)}/part-0.parquet"

    def _add(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= GROUP_ROWS or self._waiting_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._writer is not None and self._waiting_rows:
            group = pa.Table.from_batches(self._waiting).combine_chunks()
            self._writer.write_table(group, row_group_size=max(group.num_rows, 1))
        self.rows += self._waiting_rows
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def _finish(self) -> None:
        if self._writer is None:
            return
        self._flush()
        self._writer.close()
        self._writer = None
        rows = self.rows - sum(each.rows for each in self.files)
        self.files.append(described(self._folder, self._path, self._table.name, rows))


def date_text(day: int) -> str:
    """Return a day since 1970 as `2026-11-25`."""
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def described(folder: Path, path: Path, table: str, rows: int) -> WrittenFile:
    """Return what there is to say of a file, once it is on the disk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
        os.fsync(file.fileno())
    name = path.relative_to(folder).as_posix()
    return WrittenFile(name, table, rows, path.stat().st_size, digest.hexdigest())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the system says to a file's writing into words of ours."""
    try:
        yield
    except OSError as error:
        raise LocalError(
            "write-failed",
            f"{folder} cannot be written: {error.strerror or error}",
            "make room, and begin again; what was written is removed",
        ) from None
