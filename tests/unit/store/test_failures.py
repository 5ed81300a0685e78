"""What the system's and LevelDB's words for a failure are to us."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from moltp2p.store import failures

FOLDER = Path("home/records")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EFBIG, "disk-full"),
        (errno.EMFILE, "store-failed"),
        (errno.ENOMEM, "store-failed"),
        (errno.EIO, "store-damaged"),
        (errno.ENOENT, "store-damaged"),
    ],
)
def test_a_failed_write_has_the_code_of_its_cause(number: int, code: str) -> None:
    message = f"IO error: home/records/000003.log: {os.strerror(number)}"

    error = failures.of_use(message)

    assert error.code == code
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Corruption: block checksum mismatch", "store-damaged"),
        ("IO error: lock home/LOCK: already held by process", "store-locked"),
        (f"IO error: lock home/LOCK: {os.strerror(errno.EAGAIN)}", "store-locked"),
        (f"IO error: lock home/LOCK: {os.strerror(errno.ENOLCK)}", "store-failed"),
        (f"IO error: home/LOCK: {os.strerror(errno.EACCES)}", "store-damaged"),
        (f"IO error: home/000004.dbtmp: {os.strerror(errno.ENOSPC)}", "disk-full"),
        (f"IO error: home/MANIFEST-1: {os.strerror(errno.EMFILE)}", "store-failed"),
    ],
)
def test_a_store_that_does_not_open_says_why(message: str, code: str) -> None:
    error = failures.of_opening(FOLDER, message)

    assert error.code == code
    assert error.hint


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EROFS, "store-damaged"),
        (errno.ENOTDIR, "store-damaged"),
        (errno.EIO, "store-failed"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(number: int, code: str) -> None:
    error = failures.of_system(FOLDER, OSError(number, os.strerror(number)))

    assert error.code == code
    assert str(FOLDER) in error.message
