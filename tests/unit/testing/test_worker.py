"""Processes of a mesh that fail: each failure is the mesh's, with a code."""

from __future__ import annotations

from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.testing import remote
from moltp2p.testing.remote import open_worker

pytestmark = pytest.mark.slow

ECHO = """
import json, sys
for line in sys.stdin:
    call, value = json.loads(line)
    if call == "die":
        sys.exit(3)
    if call == "hang":
        import time
        time.sleep(3600)
    answer = {"error": "odd"} if call == "fail" else {"value": value}
    print(json.dumps(answer), flush=True)
"""

FAILING = """
import trio
from moltp2p.core.errors import LocalError
from moltp2p.testing.worker import run_worker

async def serve():
    async with trio.open_nursery():
        raise LocalError("store-locked", "not free")

run_worker(serve)
"""


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "echo_worker.py").write_text(ECHO, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "echo_worker"


async def test_a_worker_answers_one_line_with_one_line(echo: str) -> None:
    async with open_worker(echo, {}) as worker:
        assert await worker.ask("say", ["a\nb", 1]) == ["a\nb", 1]


async def test_a_worker_that_fails_or_dies_is_a_failed_member(echo: str) -> None:
    async with open_worker(echo, {}) as worker:
        with pytest.raises(LocalError, match="member-failed: a process says odd"):
            await worker.ask("fail")
        with pytest.raises(LocalError, match="a process has ended"):
            await worker.ask("die")
        await worker.kill()
        with pytest.raises(LocalError, match="a process has ended"):
            await worker.ask("say")


async def test_a_worker_that_hangs_is_not_waited_for_for_ever(
    echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_worker(echo, {}) as worker:
        monkeypatch.setattr(remote, "ANSWER_S", 0.2)
        with pytest.raises(LocalError, match="silent"):
            await worker.ask("hang")
        await worker.kill()


async def test_a_worker_that_never_comes_up_says_so() -> None:
    with pytest.raises(LocalError, match="a process has ended"):
        async with open_worker("no_such_module_anywhere", {}):
            pass


async def test_what_a_worker_fails_by_is_its_last_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_worker.py").write_text(FAILING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(LocalError, match="bob's process says store-locked: not free"):
        async with open_worker("failing_worker", {}, name="bob's process"):
            pass
