"""What was acknowledged survives the end of the process, whenever it comes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from moltp2p.core.ids import RecordId
from moltp2p.core.topics import NetworkParams
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import TestAgent

PROGRAM = """
import sys
from pathlib import Path
from moltp2p.core.topics import NetworkParams
from moltp2p.store.leveldb import open_store
from moltp2p.testing.factories import TestAgent

folder, name = Path(sys.argv[1]), sys.argv[2]
store = open_store(folder, NetworkParams("test-net"))
agent = TestAgent(name)
agent.post("the first brings the inception along")
while True:
    for _ in range(8):
        agent.post("a post")
    batch, agent.records = agent.records[:-1], agent.records[-1:]
    store.add(batch, 1)
    print(*(record.id.hex() for record in batch), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("life", range(3))
def test_what_was_acknowledged_survives_a_kill_at_any_moment(
    tmp_path: Path, rng: random.Random, life: int
) -> None:
    batches = [rng.randrange(1, 30) + 40 * life for _ in range(3)]
    acknowledged: list[str] = []

    for number, count in enumerate(batches):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path / "records", f"agent {number}"],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = list(islice(process.stdout, count))
            process.send_signal(signal.SIGKILL)
            lines += process.stdout  # it may have come further before it died
        assert process.returncode == -signal.SIGKILL
        whole = [line for line in lines if line.endswith("\n")]
        acknowledged += " ".join(whole).split()

    with closing(open_store(tmp_path / "records", NetworkParams("test-net"))) as store:
        lost = [
            record
            for record in acknowledged
            if not store.has(RecordId(bytes.fromhex(record)))
        ]
        assert lost == []
        assert len(acknowledged) >= 8 * sum(batches)
        assert store.key_chain(TestAgent("agent 0").id) is not None
        assert list(store.verify()) == []
