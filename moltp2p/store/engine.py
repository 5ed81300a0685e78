"""What a store needs below it: ordered keys, a consistent view, one atomic change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar


@dataclass(frozen=True, slots=True)
class Put:
    """Write this value at this key."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Leave nothing at this key."""

    key: bytes


Change = Put | Delete

Entry: TypeAlias = tuple[bytes, bytes]
"""A key and its value."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Entries that should stand here and cannot be read: how many, nobody knows.

    A scan yields at most one, where it met the first; it reads on behind it.

    Attributes:
        message: what the engine says.
    """

    message: str


class Reader(Protocol):
    """Reading at one moment."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def scan(
        self, prefix: bytes, after: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[Entry | Hole]:
        """Read the entries whose key begins with `prefix`, in order of keys.

        Args:
            prefix: may be empty.
            after: begin behind this key, which begins with `prefix`; in reverse,
                before it.
            reverse: last key first.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def scan_each(self, prefixes: Sequence[bytes]) -> Iterator[list[Entry | Hole]]:
        """Yield, for each of several prefixes, the few entries that begin with it.

        Cheaper than as many scans, above all where the prefixes are in order.

        Raises:
            LocalError: `store-failed`.
        """
        ...


Result = TypeVar("Result")


class Snapshot(Protocol):
    """Reading at one moment, a piece at a time, for as long as it takes.

    Unlike a view it keeps nobody waiting; so it can end before it is read out.
    """

    def read(self, work: Callable[[Reader], Result]) -> Result:
        """Return what `work` returns, soon, of a reader at that moment.

        Raises:
            LocalError: `store-failed` when the engine was opened anew since.
            UsageError: `store-closed`.
        """
        ...


class Source(Protocol):
    """Where entries are read: an engine, or what remembers what it read of one."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key` now, or None.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def view(self) -> AbstractContextManager[Reader]:
        """Open a reader of this moment; nobody inside may enter a second one."""
        ...


class Engine(Protocol):
    """Keys and values on disk, or in memory. Owned by one store."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key` now, or None; cheaper than in a view.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def view(self) -> AbstractContextManager[Reader]:
        """Open a reader that sees no change made after this moment.

        It is closed soon: an engine may have to wait for it.
        """
        ...

    def keep(self) -> AbstractContextManager[Snapshot]:
        """Take a snapshot that may be kept for long."""
        ...

    def apply(self, changes: Sequence[Change]) -> None:
        """Make all changes or none, and return once they are on disk.

        Raises:
            LocalError: `disk-full`, `store-failed`, `store-damaged`; nothing
                was changed, and `mend` comes before the next change.
        """
        ...

    def mend(self) -> bool:
        """Get ready to write, after a change failed.

        Returns:
            Whether there was anything to mend; then what was read before may be
            out of date, since a change that failed can turn out to be made.

        Raises:
            LocalError: `disk-full`, `store-failed`, `store-damaged`; reading goes
                on as far as it can, and `mend` can be called again.
        """
        ...

    def keep_copy(self, schema: int) -> None:
        """Keep what stands here aside, as this schema left it; nobody uses it now.

        Raises:
            LocalError: `disk-full`, `store-failed`, `store-locked`.
        """
        ...

    def drop_copies(self, schemas: range) -> None:
        """Let go of the copies of these schemas, if there are any."""
        ...

    def close(self) -> None:
        """Let go of everything; further calls raise `UsageError`."""
        ...


def prefix_end(prefix: bytes) -> bytes | None:
    """Return the least key behind all that begin with `prefix`; None if none is."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
