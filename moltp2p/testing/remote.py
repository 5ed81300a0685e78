"""A mesh's node in a process of its own: asked in JSON lines (testing/worker.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil
import trio

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId
from moltp2p.testing.audit import Audit
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.members import Heard, MemberSettings, Snapshot, Text

ANSWER_S: Final = 60.0
"""How long a process may take over one question, and to start."""

STOP_S: Final = 15.0
"""How long it may take to end."""


class Worker:
    """A process that answers questions, one JSON line each.

    Args:
        name: what it is, in words.
        process: which it is.
        stdio: its standard input and output.
    """

    def __init__(
        self, name: str, process: trio.Process, stdio: trio.abc.Stream
    ) -> None:
        self._name = name
        self._process = process
        self._stdio = stdio
        self._turn = trio.Lock()
        self._unread = b""

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        return psutil.Process(self._process.pid)

    async def kill(self) -> None:
        """End it at once, by SIGKILL."""
        self._process.kill()
        await self._process.wait()

    async def ask(self, call: str, value: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return its answer.

        Raises:
            LocalError: `member-failed` when it has none, or has ended.
        """
        # Cancelled half-way, the next to ask would read this answer for its own.
        async with self._turn, self._uninterrupted(ANSWER_S):
            try:
                await self._stdio.send_all(json.dumps([call, value]).encode() + b"\n")
            except trio.BrokenResourceError:
                raise self._failed("has ended") from None
            answer = json.loads(await self._line())
        if "error" in answer:
            raise self._failed(f"says {answer['error']}")
        return answer["value"]

    async def _line(self) -> bytes:
        found = self._unread
        while b"\n" not in found:
            part = await self._stdio.receive_some()
            if not part:
                raise self._failed("has ended")
            found += part
        line, self._unread = found.split(b"\n", 1)
        return line

    @asynccontextmanager
    async def _uninterrupted(self, within_s: float) -> AsyncIterator[None]:
        with trio.move_on_after(within_s, shield=True) as scope:
            yield
        if scope.cancelled_caught:
            raise self._failed(f"was silent for {within_s:g} s")

    def _failed(self, how: str) -> LocalError:
        return LocalError("member-failed", f"{self._name} {how}")


class RemoteMember:
    """A node in a process of its own (`members.Member`).

    Attributes:
        worker: the process.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    async def peer(self) -> PeerId:
        """Return who it is to its peers."""
        return PeerId(await self.worker.ask("peer"))

    async def addresses(self) -> list[str]:
        """Return where it listens."""
        return list(await self.worker.ask("addresses"))

    async def publish(self, texts: Sequence[Text]) -> list[str]:
        """Post texts; return the records' ids as hex, once they are durable."""
        return list(await self.worker.ask("publish", [asdict(text) for text in texts]))

    async def snapshot(self) -> Snapshot:
        """Return how it is."""
        return Snapshot(**await self.worker.ask("snapshot"))

    async def admits(self, agents: Sequence[str]) -> bool:
        """Tell whether it would take what all of these agents say, as `did:key`."""
        return bool(await self.worker.ask("admits", list(agents)))

    async def newest(self, count: int) -> list[Heard]:
        """Return the newest posts in its store, newest first."""
        return [Heard(**each) for each in await self.worker.ask("newest", count)]

    async def arrivals(self) -> Mapping[str, int]:
        """Return, for each post in its store, when it came after it was written."""
        return dict(await self.worker.ask("arrivals"))

    async def audit(self, agents: Sequence[str]) -> Audit:
        """Verify all that is in its store; `agents` may have written it."""
        return Audit(**await self.worker.ask("audit", list(agents)))

    async def face(self, orders: Orders) -> None:
        """Let it bear faults from now on."""
        await self.worker.ask("face", asdict(orders))

    async def cut(self, peers: Sequence[PeerId]) -> None:
        """Cut it off from these peers, and from no others."""
        await self.worker.ask("cut", list(peers))

    async def faults_injected(self) -> Mapping[str, int]:
        """Return how often faults struck, by what they did."""
        return dict(await self.worker.ask("faults_injected"))

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        return self.worker.process()


@asynccontextmanager
async def open_worker(
    module: str,
    settings: Mapping[str, object],
    prefix: Sequence[str] = (),
    name: str = "a process",
) -> AsyncIterator[Worker]:
    """Run a process that answers JSON lines for the length of the block.

    Args:
        module: what it runs; it is given `settings` as JSON.
        settings: what it is to know.
        prefix: the command that runs the command, as `ip netns exec NAME`.
        name: what it is, for errors.

    Raises:
        LocalError: `member-failed` when it does not come up.
    """
    words = [*prefix, sys.executable, "-m", module, json.dumps(settings)]
    # Ctrl-C is for whoever opened it, who then closes its input.
    child = await trio.lowlevel.open_process(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        stdin, stdout = child.stdin, child.stdout
        if stdin is None or stdout is None:
            raise LocalError("member-failed", "a process has no pipes")
        worker = Worker(name, child, trio.StapledStream(stdin, stdout))
        await worker.ask("ready")
        yield worker
        await stdin.aclose()
        with trio.move_on_after(STOP_S):
            await child.wait()
    finally:
        child.kill()  # harmless once it has ended
        with trio.CancelScope(shield=True):
            await child.wait()


@asynccontextmanager
async def open_remote_member(
    settings: MemberSettings, prefix: Sequence[str] = ()
) -> AsyncIterator[RemoteMember]:
    """Run a node in a process of its own for the length of the block.

    Raises:
        LocalError: `member-failed` when it does not come up.
    """
    name = f"{Path(settings.home).name}'s process"
    opening = open_worker("moltp2p.testing.worker", asdict(settings), prefix, name)
    async with opening as worker:
        yield RemoteMember(worker)
