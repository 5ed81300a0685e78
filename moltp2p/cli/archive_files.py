"""Files of records: archives and JSON lines, begun, gone on with, and read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from moltp2p.api.lines import CBOR_SEQUENCE, NDJSON
from moltp2p.cli.client import failure
from moltp2p.core.errors import LocalError, PeerError, UsageError
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import CHAIN_KINDS
from moltp2p.core.record import Record, parse
from moltp2p.proto.archive import ArchiveReader

READ_BYTES: Final = 256 * 1024


class RecordReader(Protocol):
    """Finds records in what it is fed.

    Attributes:
        records: how many were found.
        is_whole: whether what was read could be all of it.
    """

    records: int
    is_whole: bool

    @property
    def offset(self) -> int:
        """Return where what comes next begins, in bytes."""
        ...

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the wire bytes of the records that end in `data`.

        Raises:
            MoltError: what whoever wrote this could not do, or did wrong.
        """
        ...

    def end(self) -> None:
        """Take the end of the bytes."""
        ...


class JsonLinesReader:
    """Reads what `/export` writes as JSON lines."""

    def __init__(self) -> None:
        self.records = 0
        self.offset = 0
        self.is_whole = True
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the wire bytes of the lines that end in `data`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for text in lines:
            self.offset += len(text) + 1
            if text.startswith(b'{"status":"error"'):
                raise failure(json.loads(text))
            if text.strip():
                self.records += 1
                yield wire_of(text)

    def end(self) -> None:
        """Take the end of the bytes."""
        self.is_whole = not self._rest


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write records.

    Attributes:
        media_type: what the API calls it.
        reader: makes what reads it.
    """

    media_type: str
    reader: Callable[[], RecordReader]


ARCHIVE: Final = Form(CBOR_SEQUENCE, ArchiveReader)
JSON_LINES: Final = Form(NDJSON, JsonLinesReader)


def form_of(file: Path) -> Form:
    """Return the form that a file's name asks for."""
    return ARCHIVE if file.suffix == ".moltar" else JSON_LINES


def looks_like_archive(begin: bytes) -> bool:
    """Tell whether bytes are an archive's first, and not a JSON line's."""
    return bool(begin) and begin[0] >= 0x80


def wire_of(text: bytes) -> bytes:
    """Return the wire bytes in a JSON line; none when it is no such line."""
    try:
        return base64.b64decode(json.loads(text)["wire"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        return b""


@contextmanager
def open_destination(
    file: Path, form: Form, *, resume: bool
) -> Iterator[tuple[BinaryIO, RecordId | None]]:
    """Open a file to write records to.

    Yields:
        The file, and the record in it to go on behind, if there is one.

    Raises:
        UsageError: `file-exists`; `bad-archive` when it is not one to go on with.
        LocalError: `write-failed`.
    """
    if file.exists() and not resume:
        raise UsageError(
            "file-exists", f"{file} is there already", "name another, or --resume it"
        )
    try:
        with file.open("r+b" if file.exists() else "xb") as sink:
            after = _rewind(sink, form) if resume else None
            yield sink, after
    except OSError as error:
        raise LocalError(
            "write-failed",
            f"{file} cannot be written: {error.strerror}",
            "make room, and go on with --resume",
        ) from None


def _rewind(sink: BinaryIO, form: Form) -> RecordId | None:
    """Cut a file behind the last record that an export can go on from.

    Key chains come out of turn, so that one is no such place.
    """
    if not sink.readable():
        return None
    reader = form.reader()
    end, last = 0, None
    while data := sink.read(READ_BYTES):
        for wire in reader.feed(data):
            record = _record(wire, reader.offset)
            if record.header.kind not in CHAIN_KINDS:
                end, last = reader.offset, record.id
    if reader.offset == 0 and sink.tell():
        raise _no_archive("there is nothing whole in it")
    sink.truncate(end)
    sink.seek(end)
    return last


def _record(wire: bytes, end: int) -> Record:
    try:
        return parse(wire)
    except PeerError as error:
        why = f"what ends at byte {end:,} is no record: {error.message}"
        raise _no_archive(why) from None


def _no_archive(why: str) -> UsageError:
    message = f"not an export that was cut short: {why}"
    return UsageError("bad-archive", message, "export to another file")
