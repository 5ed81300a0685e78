"""The address book in a node's home: one file, written whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.proto.peers.book_file import MAX_BOOK_BYTES

FILE_MODE: Final = 0o600  # it tells whom this node knows, and the book's secret


@dataclass(frozen=True, slots=True)
class PeerShelf:
    """Keeps the book (`net.discovery.Shelf`).

    Attributes:
        path: the file.
    """

    path: Path

    def read(self) -> bytes:
        """Return what was written last; `b""` if nothing was.

        Raises:
            LocalError: `home-failed`.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_BOOK_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._failed("read", error) from None

    def write(self, data: bytes) -> None:
        """Put the book in place whole, or not at all.

        Not synced: what a power cut costs is known again after an hour.

        Raises:
            LocalError: `home-failed`.
        """
        draft = self.path.with_suffix(".part")
        try:
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            draft.replace(self.path)
        except OSError as error:
            raise self._failed("written", error) from None

    def _failed(self, done: str, error: OSError) -> LocalError:
        return LocalError(
            "home-failed",
            f"{self.path} cannot be {done}: {error.strerror}",
            "make room, or give this user the folder; the node goes on without",
        )
