"""Lives of one node, each cut off, and what must hold after each."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from moltp2p.core.ids import RecordId
from moltp2p.store.engine import Hole
from moltp2p.store.leveldb import LevelDb, open_store
from tests.crash.story import NETWORK, STEPS
from tests.crash.traps import SURVIVED, Trap
from tests.crash.zygote import Order

ROOT: Final = Path(__file__).parents[2]
KILLED: Final = (signal.SIGKILL, signal.SIGXFSZ)


class Zygote:
    """The other end of tests/crash/zygote.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        """Start one for the length of the block."""
        with subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield cls(process)
            finally:
                process.kill()

    def live(self, order: Order) -> tuple[list[str], int]:
        """Have one life lived; return what it said, and how it ended (waitpid)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(order)) + "\n")
        self._process.stdin.flush()
        said: list[str] = []
        for line in self._process.stdout:
            if line.startswith("= "):
                return said, int(line[2:])
            said.append(line)
        raise AssertionError("the zygote has ended")


@dataclass
class Subject:
    """A node that dies again and again.

    Attributes:
        home: its home.
        seed: of its story.
        begin: the first step that nobody acknowledged.
        acknowledged: the records that it said it holds.
        deaths: how often each trap ended it.
    """

    home: Path
    seed: int
    begin: int = 0
    acknowledged: set[RecordId] = field(default_factory=set)
    deaths: dict[str, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Tell whether its story is told to the end."""
        return self.begin >= STEPS

    def live(
        self,
        zygote: Zygote,
        trap: Trap | None = None,
        *,
        delay_s: float | None = None,
        steps: int = STEPS,
    ) -> bool:
        """Live until the trap; tell whether it was one that ended it."""
        end = min(self.begin + steps, STEPS)
        order = Order(str(self.home), self.seed, self.begin, end, trap, delay_s)
        said, status = zygote.live(order)
        for line in said:
            number, *kept = line.split()
            self.begin = int(number) + 1
            self.acknowledged |= {RecordId(bytes.fromhex(text)) for text in kept}
        if status in KILLED:
            point = trap.point if trap else "anywhere"
            self.deaths[point] = self.deaths.get(point, 0) + 1
            return True
        assert status in (0, SURVIVED << 8), f"it failed: {status}"
        return False

    def check(self, folder: Path, *, verify: bool) -> None:
        """Look into a copy of the store: the next life meets it as death left it."""
        source = self.home / "records"
        if not source.exists():
            assert not self.acknowledged
            return
        shutil.copytree(source, folder)
        if not (folder / "CURRENT").exists():
            assert not self.acknowledged
        with closing(open_store(folder, NETWORK)) as store:
            lost = [each for each in self.acknowledged if not store.has(each)]
            assert lost == [], f"{len(lost)} of {len(self.acknowledged)} are lost"
            if verify:
                assert list(store.verify()) == []
        shutil.rmtree(folder)

    def everything(self) -> tuple[dict[bytes, bytes], dict[str, str]]:
        """Return all of the store, entry by entry, and all key files."""
        engine = LevelDb(self.home / "records")
        try:
            with engine.view() as view:
                found = list(view.scan(b""))
        finally:
            engine.close()
        entries = dict(entry for entry in found if not isinstance(entry, Hole))
        assert len(entries) == len(found)
        keys = {path.name: path.read_text() for path in self.home.glob("*.key")}
        return entries, keys


def draw_trap(dice: random.Random, point: str) -> Trap:
    """Return a trap at a point: when it springs, and how far a file may grow."""
    size = dice.choice((100, 2_000, 60_000))
    return Trap(point, dice.randint(1, MOST.get(point, 3)), dice.randint(0, size))


MOST: Final = {
    **dict.fromkeys(("opening", "opened", "closing", "closed"), 1),
    **dict.fromkeys(("key-file", "key-file-synced"), 10),
}
"""How often a life comes to a point, at most; a rotation syncs five times."""
