"""Named moments at which a node's process ends, as by SIGKILL.

They stand round the engine and the file system, and no shipped line knows of them.
Where the moment is inside of LevelDB, the kernel ends the process when a file would
grow beyond a size (SIGXFSZ, left at its default): in the middle of a table that a
compaction or a recovery writes, at any byte, and without a line of ours running.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from moltp2p.core.topics import NetworkParams
from moltp2p.store import leveldb
from moltp2p.store.base import Policy, Store
from moltp2p.store.engine import Change
from moltp2p.store.leveldb import LevelDb
from moltp2p.store.records import RecordStore

POINTS: Final = (
    "anywhere",  # the parent kills, after a while
    "before-batch",
    "after-batch",  # and before the answer
    "opening",
    "opened",
    "compaction",
    "closing",
    "closed",
    "key-file",
    "key-file-synced",
)
"""Where a process may end."""

SMALL_BUFFER_BYTES: Final = 64 * 1024
"""LevelDB's least: so a story of some hundred records sees many compactions."""

SURVIVED: Final = 3
"""The exit code of a process that never came to its trap."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Where one process ends.

    Attributes:
        point: one of `POINTS`.
        count: at the how manyth time it comes there, from 1.
        size: bytes that no file may exceed; only where the kernel is to do it.
    """

    point: str
    count: int = 1
    size: int = 0


class Fate:
    """Counts how often each point was passed, and ends the process at its trap."""

    def __init__(self, trap: Trap | None) -> None:
        self.trap = trap
        self._passed = 0

    def passes(self, point: str) -> None:
        """End here, if it is the trap's turn."""
        if self._is_due(point):
            die()

    @contextmanager
    def within(self, point: str) -> Iterator[None]:
        """End in the block, once a file exceeds the trap's size; or after it."""
        if self.trap is None or not self._is_due(point):
            yield
            return
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (self.trap.size, resource.RLIM_INFINITY)
        )
        yield
        die()

    def _is_due(self, point: str) -> bool:
        if self.trap is None or self.trap.point != point:
            return False
        self._passed += 1
        return self._passed == self.trap.count


def die() -> NoReturn:
    """End this process as SIGKILL ends it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives SIGKILL")


class TrappedDb(LevelDb):
    """LevelDB as it ships, with traps before and behind each call."""

    def __init__(self, folder: Path, fate: Fate) -> None:
        self._fate = fate
        with fate.within("opening"):
            super().__init__(folder)
        fate.passes("opened")

    def apply(self, changes: Sequence[Change]) -> None:
        self._fate.passes("before-batch")
        super().apply(changes)
        with self._fate.within("compaction"):
            if self._fate.trap is not None and self._fate.trap.point == "compaction":
                self._db.compact_range()
        self._fate.passes("after-batch")

    def close(self) -> None:
        self._fate.passes("closing")
        super().close()
        self._fate.passes("closed")


def open_trapped(
    folder: Path, network: NetworkParams, policy: Policy, fate: Fate
) -> Store:
    """Open a store whose engine has traps; see `moltp2p.store.leveldb.open_store`."""
    return RecordStore(TrappedDb(folder, fate), network, policy)


def prepare(fate: Fate) -> None:
    """Make this process one that ends at its trap, and compacts early."""
    leveldb.OPTIONS["write_buffer_size"] = SMALL_BUFFER_BYTES
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    sync = os.fsync

    def trapped_sync(handle: int) -> None:
        fate.passes("key-file")
        sync(handle)
        fate.passes("key-file-synced")

    os.fsync = trapped_sync  # type: ignore[assignment]  # Python's own files alone
