"""Bytes cut into lines, whoever sends them and however long they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moltp2p.core.errors import UsageError

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
    r"""Cuts a stream of bytes at its line ends, keeping little.

    The last line has an end too: feed `b"\n"` after everything else.
    """

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

    def _line(self, text: bytes) -> Line | None:
        self._number += 1
        is_long = self._is_long or len(text) > MAX_OBJECT_BYTES
        self._is_long = False
        if is_long:
            return Line(self._number, None)
        return Line(self._number, text) if text.strip() else None
