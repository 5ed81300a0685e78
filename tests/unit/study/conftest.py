from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from moltp2p.core.ids import PeerId
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.store.arrivals import Came
from moltp2p.store.base import Policy
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore
from moltp2p.study.dataset import open_dataset
from moltp2p.study.frames import FrameReader
from moltp2p.study.manifest import manifest
from moltp2p.testing.factories import EPOCH_MS

NETWORK = NetworkParams("test-net", shards=2)
BOB = PeerId("12D3KooBob")
ABOUT = {
    "role": "listener",
    "admission": False,
    "communities": [],
    "keep_all": True,
    "keep_days": 0,
    "keep_mib": 0,
    "program": "0",
}


class Rig:
    """A listener's store, and what a dataset of it has."""

    def __init__(self, folder: Path) -> None:
        self.engine = Memory()
        policy = Policy(keep_all=True, arrivals=True)
        self.store = RecordStore(self.engine, NETWORK, policy)
        self._folder = folder
        self._made = 0

    def folder(self, name: str) -> Path:
        """Return an empty folder."""
        path = self._folder / name
        path.mkdir()
        return path

    def hear(self, *records: Record, at_ms: int = EPOCH_MS) -> None:
        """Keep records as if gossip had brought them."""
        came = [Came(at_ms, Road.GOSSIP, BOB)] * len(records)
        self.store.add(records, at_ms, came)

    def frames(self, selection: Selection | None = None) -> list[tuple[bytes, bytes]]:
        """Return what a survey tells."""
        reader = FrameReader()
        told = b"".join(self.store.survey(selection or Selection(), ABOUT))
        frames = list(reader.feed(told))
        reader.end()
        return frames

    def make(
        self,
        selection: Selection | None = None,
        *,
        bodies: bool = True,
        readers: int = 0,
    ) -> Made:
        """Make a dataset."""
        self._made += 1
        folder = self.folder(f"dataset-{self._made}")
        wanted = selection or Selection()
        with open_dataset(folder, wanted, bodies=bodies, readers=readers) as dataset:
            for tag, payload in self.frames(wanted):
                dataset.take(tag, payload)
            dataset.finish()
        return Made(folder, manifest(dataset, wanted, bodies=bodies))


@dataclass(frozen=True)
class Made:
    """A dataset."""

    folder: Path
    manifest: dict[str, Any]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table's rows, in the order of its files."""
        return [
            row
            for path in sorted(self.folder.glob(f"{table}/**/*.parquet"))
            or [self.folder / f"{table}.parquet"]
            for row in pq.ParquetFile(path).read().to_pylist()
        ]

    def files(self) -> dict[str, bytes]:
        """Return every file's bytes."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*.parquet")
        }


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)
