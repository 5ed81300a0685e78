"""What LevelDB's and the system's failures are to the layers above.

LevelDB passes no error numbers on, only a message that ends as the system words
the error; `os.strerror` gives the same words.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.store.layout import store_damaged

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DAMAGED: Final = (errno.EINVAL, errno.EIO, errno.ENOENT)
"""A file that is shorter than it was, on a bad sector, or gone."""
_UNUSABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def of_opening(folder: Path, message: str) -> LocalError:
    """Return why LevelDB did not open `folder`."""
    if _is_locked(message):
        return LocalError(
            "store-locked",
            f"another process has {folder} open",
            "stop that node, or ask it through its API; each node has its own home",
        )
    if is_damage(message) or _names(message, _UNUSABLE):
        return unopenable(folder, message)
    return of_use(message)


def of_use(message: str) -> LocalError:
    """Return why LevelDB did not read or write."""
    if is_damage(message):
        return store_damaged(message)
    return _full(message) if _names(message, _FULL) else _failed(message)


def of_system(folder: Path, error: OSError) -> LocalError:
    """Return why the system did not let us use `folder`."""
    message = f"{folder}: {error.strerror}"
    if error.errno in _UNUSABLE:
        return unopenable(folder, message)
    return _full(message) if error.errno in _FULL else _failed(message)


def unopenable(folder: Path, message: str) -> LocalError:
    """Return the error for a folder that holds no database as we left it."""
    return LocalError(
        "store-damaged",
        f"{folder} cannot be opened: {message}",
        "it must be a folder that this user may write, with the files as they were "
        "left. Nothing was removed: moltp2p verify-store --repair keeps what can be "
        "read; or move it aside and put a backup there (moltp2p restore)",
    )


def is_damage(message: str) -> bool:
    """Tell whether files are not what LevelDB wrote."""
    return message.startswith("Corruption: ") or _names(message, _DAMAGED)


def _is_locked(message: str) -> bool:
    taken = ("already held by process", os.strerror(errno.EAGAIN))
    return message.startswith("IO error: lock ") and message.endswith(taken)


def _full(message: str) -> LocalError:
    return LocalError(
        "disk-full",
        f"no room for the store: {message}",
        "make room on the disk; nothing is half-written, and writing goes on by itself",
    )


def _failed(message: str) -> LocalError:
    return LocalError(
        "store-failed",
        f"the store cannot be read or written: {message}",
        "look at the disk and at the limits of this process, and try again",
    )


def _names(message: str, numbers: Sequence[int]) -> bool:
    return message.endswith(tuple(os.strerror(number) for number in numbers))
