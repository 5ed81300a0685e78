"""A store of the first schema, killed while it becomes one of ours, becomes one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from moltp2p.core.topics import NetworkParams
from moltp2p.store.building import CHUNK_RECORDS
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import TestAgent
from tests.unit.store.copies import everything
from tests.unit.store.schema_1 import write_store

NETWORK: Final = NetworkParams("test-net")
ROOT: Final = Path(__file__).parents[2]

PROGRAM: Final = """
import sys
from pathlib import Path
from moltp2p.core.topics import NetworkParams
from moltp2p.store import leveldb
from tests.crash import traps

fate = traps.Fate(traps.Trap(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))

class Trapped(traps.TrappedDb):
    def __init__(self, folder, *rest, **options):
        super().__init__(folder, fate)

traps.prepare(fate)
leveldb.LevelDb = Trapped
leveldb.open_store(Path(sys.argv[1]), NetworkParams("test-net")).close()
"""
"""Opens a store whose engine ends the process at its trap."""


def die(folder: Path, point: str, count: int, size: int = 0) -> bool:
    """Open a store in a process with a trap; tell whether it died there."""
    words = [sys.executable, "-c", PROGRAM, str(folder), point, str(count), str(size)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    code = subprocess.run(words, env=env, cwd=ROOT, check=False).returncode
    assert code in (0, -signal.SIGKILL, -signal.SIGXFSZ)
    return code != 0


@pytest.mark.slow
def test_a_migration_killed_at_every_step_ends_as_if_it_never_was(
    tmp_path: Path,
) -> None:
    alice = TestAgent("alice")
    for number in range(2 * CHUNK_RECORDS):
        alice.post(str(number), f"community-{number % 5}")
    write_store(tmp_path / "old", NETWORK.id, alice.records)
    shutil.copytree(tmp_path / "old", tmp_path / "twin")
    open_store(tmp_path / "twin", NETWORK).close()
    folder = tmp_path / "records"
    shutil.copytree(tmp_path / "old", folder)
    points = ("opening", "before-batch", "after-batch", "compaction", "before-batch")
    deaths = [die(folder, point, 1, 500) for point in points]

    open_store(folder, NETWORK).close()

    assert all(deaths)
    assert everything(folder) == everything(tmp_path / "twin")
    with closing(open_store(folder, NETWORK)) as store:
        assert all(store.has(record.id) for record in alice.records)
        assert list(store.missing()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "old",
        "records",
        "twin",
    ]
