"""One suite over both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moltp2p.core.topics import NetworkParams
from moltp2p.store.engine import Engine
from moltp2p.store.leveldb import LevelDb
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore

NETWORK = NetworkParams("test-net")


@pytest.fixture(params=["memory", "leveldb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return Memory() if request.param == "memory" else LevelDb(tmp_path / "records")


@pytest.fixture
def store(engine: Engine) -> Iterator[RecordStore]:
    store = RecordStore(engine, NETWORK)
    yield store
    store.close()
