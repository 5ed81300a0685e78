"""Bytes cut into lines, whoever sends them and however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.proto.archive import ArchiveReader

MAX_OBJECT_BYTES: Final = 512 * 1024
"""One JSON object, or one line: a text of 40,000 characters, each escaped in 12."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of many.

    Attributes:
        number: its place, from 1; blank lines count and are not answered.
        text: the line; None when it was longer than `MAX_OBJECT_BYTES`.
    """

    number: int
    text: bytes | None

    def whole(self) -> bytes:
        """Return the text.

        Raises:
            UsageError: `too-large`.
        """
        if self.text is None:
            raise too_long()
        return self.text


def too_long() -> UsageError:
    """Return the refusal of a line that is too long."""
    return UsageError("too-large", f"a line of more than {MAX_OBJECT_BYTES} bytes")


class LineSplitter:
    """Cuts a stream of bytes at its line ends, keeping little."""

    def __init__(self) -> None:
        self._rest = b""
        self._number = 0
        self._is_long = False

    def feed(self, piece: bytes) -> list[Line]:
        """Return the lines that end in `piece`, blank ones left out."""
        *ended, rest = (self._rest + piece).split(b"\n")
        lines = [line for text in ended if (line := self._line(text)) is not None]
        self._is_long = self._is_long or len(rest) > MAX_OBJECT_BYTES
        self._rest = b"" if self._is_long else rest
        return lines

    def end(self) -> list[Line]:
        """Return the last line, when it had no end of its own."""
        return self.feed(b"\n")

    def _line(self, text: bytes) -> Line | None:
        self._number += 1
        is_long = self._is_long or len(text) > MAX_OBJECT_BYTES
        self._is_long = False
        if is_long:
            return Line(self._number, None)
        return Line(self._number, text) if text.strip() else None


class ArchiveSplitter:
    """Cuts an archive (spec 10) into its records, each a `Line` with its wire bytes.

    Args:
        network: whose records are welcome.
    """

    def __init__(self, network: str) -> None:
        self._reader = ArchiveReader(network)

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Yield the records that end in `piece`.

        Raises:
            UsageError: `bad-archive`, `wrong-network`.
            LocalError: what whoever wrote the archive could not do.
        """
        for wire in self._reader.feed(piece):
            yield Line(self._reader.records, wire)

    def end(self) -> Iterator[Line]:
        """Yield nothing.

        Raises:
            UsageError: `bad-archive` when the last item was cut short.
        """
        self._reader.end()
        yield from ()
