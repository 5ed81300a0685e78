"""Which process has a store open: asked of the system, without opening it."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path
from typing import Final

UNSEEN: Final = 0
"""Stands for a process that the system does not name, of another container mostly."""

_FLOCK: Final = "hhqqi0q"
"""Linux's `struct flock`: type, whence, start, length, process; to a whole word."""


def holder(folder: Path) -> int | None:
    """Return the id of the process that has the store in `folder` open.

    This process does not count. Only asked, and never locked: whoever is about to
    open the store is not in our way, nor we in his.

    Returns:
        `UNSEEN` when it is one that we cannot see; None when there is none, or the
        system does not tell.
    """
    if sys.platform != "linux":
        return None
    ask = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with (folder / "LOCK").open("rb") as file:
            told = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, ask))
    except OSError:
        return None
    kind, pid = told[0], told[4]
    return None if kind == fcntl.F_UNLCK else max(pid, UNSEEN)
