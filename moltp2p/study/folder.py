"""A folder that is there whole, or not at all.

It is made beside its place under another name, `DIR.part`, and put there once all is
on the disk: by a rename, or, where an earlier one stands, by a swap of the two names,
after which the earlier one goes. At each moment one of them stands there, whole.

What is unfinished, or replaced, has a mark in it. What a run that was killed left
behind is recognised by it, and removed by the next one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from moltp2p.core.errors import LocalError, UsageError

MARK: Final = ".moltp2p-part"
"""A file in a folder of ours that is to go, unless it comes to its place; locked by
whoever makes it, or removes it."""

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
"""Of Linux: <fcntl.h>, <linux/fs.h>."""


@contextmanager
def open_folder(
    place: Path, replaces: Callable[[Path], object] | None = None
) -> Iterator[Path]:
    """Make a folder; at the end of the block it stands at `place`, unless by an error.

    Args:
        place: where.
        replaces: raises unless the folder that it is given may be replaced; None when
            none may.

    Yields:
        The folder to fill.

    Raises:
        UsageError: `file-exists` when something is at `place`, or in the way; what
            `replaces` raises.
        LocalError: `write-failed`.
    """
    is_there = os.path.lexists(place)
    if is_there and replaces is None:
        raise UsageError(
            "file-exists", f"{place} is there already", "name another folder"
        )
    try:
        if is_there and replaces is not None:
            place = place.resolve()  # or a link would be replaced, and not its folder
            replaces(place)
        part = place.with_name(f"{place.name}.part")
        _clear(part)
        part.mkdir(parents=True)
        with _marked(part):
            try:
                if is_there:
                    _check_swap(part)
                yield part
                sync_folders(part)
                if is_there and replaces is not None:
                    replaces(place)  # much may have happened since
                    _replace(part, place)
                else:
                    part.rename(place)
                _sync(place.parent)
            except BaseException:  # Ctrl-C, too: half a dataset is none
                with suppress(OSError):
                    _remove(part)
                raise
        (place / MARK).unlink()
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


def _replace(part: Path, place: Path) -> None:
    """Have a new folder take an earlier one's place; the earlier one goes."""
    with _marked(place):
        try:
            _swap(part, place)
        except BaseException:  # Ctrl-C, too: the earlier one is no part
            (place / MARK).unlink()
            raise
        _sync(place.parent)
        _remove(part)


@contextmanager
def _marked(folder: Path) -> Iterator[None]:
    """Have a mark in a folder, and whoever would clear it wait; the mark stays."""
    with (folder / MARK).open("wb") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _swap(one: Path, other: Path) -> None:
    """Swap the names of two folders, at once.

    Raises:
        OSError: also where the system cannot do that.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _check_swap(part: Path) -> None:
    """Refuse at once what would fail at the end.

    Raises:
        UsageError: `cannot-replace`.
    """
    one, other = part / "one", part / "other"
    one.mkdir()
    other.mkdir()
    try:
        _swap(one, other)
    except OSError:
        raise UsageError(
            "cannot-replace",
            f"the file system of {part.parent} cannot swap two folders at once",
            "name another folder, and remove the old one when that is there",
        ) from None
    finally:
        one.rmdir()
        other.rmdir()


def _clear(part: Path) -> None:
    """Remove what a run that was killed left; nothing else, and of nobody who runs."""
    if not os.path.lexists(part):
        return
    try:
        with (part / MARK).open("rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(part)
    except BlockingIOError:
        raise UsageError(
            "file-exists", f"{part} is being written", "wait, or name another folder"
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "file-exists", f"{part} is in the way", "name another folder, or remove it"
        ) from None


def _remove(part: Path) -> None:
    """Remove a folder of ours; its mark last, so that the rest is known to be ours."""
    for path in part.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARK:
            path.unlink()
    shutil.rmtree(part)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
