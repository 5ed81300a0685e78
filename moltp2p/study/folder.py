"""A folder that is there whole, or not at all.

It is made beside its place under another name, `DIR.part`, and renamed once everything
is on the disk. What a run that was killed left behind is recognised, and removed by
the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from moltp2p.core.errors import LocalError, UsageError

MARK: Final = ".moltp2p-part"
"""A file in a folder of ours that is unfinished; locked while it is made."""


@contextmanager
def open_folder(place: Path) -> Iterator[Path]:
    """Make a folder; at the end of the block it stands at `place`, unless by an error.

    Yields:
        The folder to fill.

    Raises:
        UsageError: `file-exists` when something is at `place`, or in the way.
        LocalError: `write-failed`.
    """
    if os.path.lexists(place):
        raise UsageError(
            "file-exists", f"{place} is there already", "name another folder"
        )
    part = place.with_name(f"{place.name}.part")
    try:
        _clear(part)
        part.mkdir(parents=True)
        with (part / MARK).open("wb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield part
                (part / MARK).unlink()
                sync_folders(part)
                part.rename(place)
                _sync(place.parent)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    except OSError as error:
        raise LocalError(
            "write-failed",
            f"{place} cannot be written: {error.strerror or error}",
            "make room, or name another folder; nothing was left behind",
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write a file, and return once it is on the disk."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folders(folder: Path) -> None:
    """Have the names in a folder, and in all below it, on the disk."""
    for path in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
        _sync(path)


def _clear(part: Path) -> None:
    """Remove what a run that was killed left; nothing else, and of nobody who runs."""
    if not os.path.lexists(part):
        return
    try:
        with (part / MARK).open("rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(part)
    except BlockingIOError:
        raise UsageError(
            "file-exists", f"{part} is being written", "wait, or name another folder"
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "file-exists", f"{part} is in the way", "name another folder, or remove it"
        ) from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
