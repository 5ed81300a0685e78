r"""A backup: one stream, or file, that says itself whether it is whole.

    "moltp2p-backup/1\n"
    manifest, one line of JSON          network, schema, created_ms, program
    size:4 crc:4 piece                  again and again; a piece is of whole entries
    0:4 entries:8 sha256:32             of all bytes before the 32
    FFFFFFFF and JSON                   instead: why it could not be finished

An entry is key size:2, key, value size:4, value, as it stands in the store (see
`layout`); which entries, and in what order, says `reading_out`. Numbers are big-endian.
The CRC-32 of each piece finds damage before it is used, the digest what is missing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from moltp2p.core.errors import LocalError
from moltp2p.store import layout
from moltp2p.store.engine import Entry, Snapshot
from moltp2p.store.reading_out import ReadingOut

MAGIC: Final = b"moltp2p-backup/1\n"
PIECE_BYTES: Final = 256 * 1024
"""At least, but for the last; at most one record more."""
MAX_PIECE_BYTES: Final = PIECE_BYTES + 2**20
MAX_MANIFEST_BYTES: Final = 4_096

_PIECE: Final = struct.Struct(">II")
_END: Final = struct.Struct(">IQ")
_SIZES: Final = struct.Struct(">HI")
_DIGEST_BYTES: Final = 32
_BROKEN_OFF: Final = b"\xff" * 4
_MAX_PROBLEM_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself before its records come.

    Attributes:
        network: the id of the network whose records it has.
        schema: of the store that it is of.
        created_ms: when, milliseconds since 1970 UTC.
        program: the version that wrote it.
    """

    network: str
    schema: int
    created_ms: int
    program: str


def write_backup(kept: Snapshot, network: str, created_ms: int) -> Iterator[bytes]:
    """Yield a backup of a store at one moment, a piece at a time.

    Raises:
        LocalError: `store-failed`; `damaged-record` at the end, when some were left
            out, so that a backup that is not of everything is never taken for one.
    """
    digest = hashlib.sha256()
    reading, entries = ReadingOut(kept), 0
    for piece, count in _pieces(reading, _head(network, created_ms)):
        digest.update(piece)
        entries += count
        yield piece
    if reading.damaged or reading.has_holes:
        raise LocalError(
            "damaged-record",
            f"{reading.damaged} records, or more, are damaged: no backup was made",
            "stop the node, and run: moltp2p verify-store --repair",
        )
    end = _END.pack(0, entries)
    digest.update(end)
    yield end + digest.digest()


def broken_off(problem: Mapping[str, object]) -> bytes:
    """Return what is written instead of the rest, when it cannot be finished.

    Args:
        problem: `code`, `message` and `hint` of the failure.
    """
    return _BROKEN_OFF + json.dumps(problem).encode()


def _head(network: str, created_ms: int) -> bytes:
    manifest = {
        "network": network,
        "schema": layout.SCHEMA,
        "created_ms": created_ms,
        "program": importlib.metadata.version("moltp2p"),
    }
    return MAGIC + json.dumps(manifest).encode() + b"\n"


def _pieces(reading: ReadingOut, head: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield bytes, and how many entries end in them."""
    yield head, 0
    piece, count = bytearray(), 0
    for key, value in reading.entries():
        piece += len(key).to_bytes(2, "big") + key
        piece += len(value).to_bytes(4, "big") + value
        count += 1
        if len(piece) >= PIECE_BYTES:
            yield _PIECE.pack(len(piece), zlib.crc32(piece)) + piece, count
            piece, count = bytearray(), 0
    if piece:
        yield _PIECE.pack(len(piece), zlib.crc32(piece)) + piece, count


class BackupReader:
    """Reads a backup once, from its beginning to its end.

    Raises:
        LocalError: `bad-backup`, or why it was broken off.

    Attributes:
        manifest: what it says of itself.
        bytes_read: how much of the file was read so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.bytes_read = 0
        self._file = file
        self._digest = hashlib.sha256()
        if self._take(len(MAGIC)) != MAGIC:
            raise _bad("it does not begin as one")
        self.manifest = self._manifest()

    def entries(self) -> Iterator[Entry]:
        """Yield all entries; the end is checked before this ends.

        Raises:
            LocalError: `bad-backup`, or why it was broken off.
        """
        entries = 0
        while size := int.from_bytes(self._take(4), "big"):
            if size > MAX_PIECE_BYTES:
                raise self._why(size)
            crc, piece = int.from_bytes(self._take(4), "big"), self._take(size)
            if zlib.crc32(piece) != crc:
                raise _bad("a checksum does not hold")
            for entry in _entries(piece):
                entries += 1
                yield entry
        if int.from_bytes(self._take(8), "big") != entries:
            raise _bad("it has not as many entries as it says")
        expected = self._digest.digest()
        if self._take(_DIGEST_BYTES) != expected or self._file.read(1):
            raise _bad("its digest does not hold, or something follows")

    def _manifest(self) -> Manifest:
        line = self._file.readline(MAX_MANIFEST_BYTES)
        self._note(line)
        try:
            fields: dict[str, Any] = json.loads(line)
            return Manifest(**fields)
        except (ValueError, TypeError):
            raise _bad("its first lines are not those of one") from None

    def _why(self, size: int) -> LocalError:
        """Return why nothing follows a size that no piece has."""
        try:
            told = json.loads(self._file.read(_MAX_PROBLEM_BYTES))
            if size == int.from_bytes(_BROKEN_OFF, "big"):
                return LocalError(told["code"], told["message"], told["hint"])
        except (ValueError, TypeError, KeyError):
            pass
        return _bad("a piece is too large")

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise _bad("it ends before its end")
        self._note(data)
        return data

    def _note(self, data: bytes) -> None:
        self._digest.update(data)
        self.bytes_read += len(data)


def _entries(piece: bytes) -> Iterator[Entry]:
    place = 0
    while place < len(piece):
        key, place = _sized(piece, place, 2)
        value, place = _sized(piece, place, 4)
        yield key, value


def _sized(piece: bytes, place: int, digits: int) -> tuple[bytes, int]:
    begin = place + digits
    end = begin + int.from_bytes(piece[place:begin], "big")
    if end > len(piece):
        raise _bad("an entry is cut off")
    return piece[begin:end], end


def _bad(why: str) -> LocalError:
    return LocalError(
        "bad-backup",
        f"not a whole backup: {why}",
        "take another copy of it; nothing was changed here",
    )
