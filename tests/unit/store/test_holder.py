"""Which process has a store open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moltp2p.store.holder import holder

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux is asked for the holder of a lock"
)

HOLD = (
    "import fcntl, sys\n"
    "file = open(sys.argv[1], 'r+b')\n"
    "fcntl.lockf(file, fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A store's folder whose lock another process holds, as LevelDB would."""
    (tmp_path / "LOCK").touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "LOCK"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield tmp_path, process
        process.kill()


def test_whoever_holds_the_lock_is_named_until_he_ends(
    held: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    folder, process = held
    assert holder(folder) == process.pid
    assert holder(folder) == process.pid  # asking has taken nothing

    process.communicate()

    assert holder(folder) is None


def test_a_store_that_nobody_holds_or_that_is_none(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    (tmp_path / "LOCK").touch()
    assert holder(tmp_path) is None
