"""The command line as a program sees it, and nodes that it starts, each in a process.

Settings come from a home's `config.toml` alone, but that nobody has to prove anything
unless it says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import trio

PATIENCE_S = 60.0
"""For what takes a second on an idle machine."""

MOLTP2P = Path(sys.executable).parent / "moltp2p"
GOODBYE_S = 10.0


def environment(**settings: str) -> dict[str, str]:
    """Return ours, with these settings alone; nobody has to prove anything else."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("MOLTP2P_")}
    settings = {"admission": "open"} | settings
    return ours | {f"MOLTP2P_{k.upper()}": v for k, v in settings.items()}


@dataclass
class Outcome:
    """What a command line came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]


class Lines:
    """What a process says, line by line."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._rest = b""

    async def next(self) -> Any:
        with trio.fail_after(PATIENCE_S):
            while b"\n" not in self._rest:
                piece = await self._stream.receive_some()
                assert piece, f"it ended after {self._rest!r}"
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


class Home:
    """A home, and the command line on it; settings are told by the environment.

    Attributes:
        prefix: the command that runs a command on its host.
    """

    def __init__(self, path: Path, prefix: Sequence[str] = (), **settings: str) -> None:
        self.path = path
        self.prefix = prefix
        self.environment: Mapping[str, str] = environment(**settings)

    def command(self, *words: str) -> list[str]:
        home = ("--home", str(self.path), "--json")
        return [*self.prefix, str(MOLTP2P), *home, *words]

    async def molt(self, *words: str, stdin: bytes = b"") -> Outcome:
        with trio.fail_after(PATIENCE_S):
            done = await trio.run_process(
                self.command(*words),
                stdin=stdin,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=self.environment,
            )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    async def init(self) -> Self:
        outcome = await self.molt("init")
        assert outcome.code == 0
        return self

    @asynccontextmanager
    async def start(
        self, *words: str, stdin: bool = False
    ) -> AsyncIterator[tuple[trio.Process, Lines]]:
        """Start a command; it is killed at the end of the block if it still runs.

        Args:
            words: what to run.
            stdin: whether it is to be written to; otherwise it has ours.
        """
        process = await trio.lowlevel.open_process(
            self.command(*words),
            stdin=subprocess.PIPE if stdin else None,
            stdout=subprocess.PIPE,
            env=self.environment,
        )
        assert process.stdout is not None
        try:
            yield process, Lines(process.stdout)
        finally:
            if process.poll() is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                await process.stdout.aclose()
                if process.stdin is not None:
                    await process.stdin.aclose()

    @asynccontextmanager
    async def run(self, *words: str) -> AsyncIterator[RunningNode]:
        """Run a node for the length of the block."""
        async with self.start("run", "--log-level", "error", *words) as (process, said):
            yield RunningNode(self, process, await said.next())


@dataclass
class RunningNode:
    """A node in a process of its own."""

    home: Home
    process: trio.Process
    said: dict[str, Any]

    @property
    def address(self) -> str:
        return str(self.said["addresses"][0])

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return how it did."""
        self.process.send_signal(number)
        with trio.fail_after(GOODBYE_S):
            return await self.process.wait()

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open a client of its API, which is quicker than a command line each time."""
        transport = httpx.AsyncHTTPTransport(uds=self.said["socket"])
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node/v1", timeout=PATIENCE_S
        ) as client:
            yield client

    async def hears(self, text: str) -> None:
        """Wait until a text is in its store."""
        query: dict[str, str | int] = {"kind": "post", "limit": 1000}
        async with self.api() as api:
            with trio.fail_after(PATIENCE_S):
                while text not in (await api.get("/records", params=query)).text:
                    pass

    async def has_peers(self, count: int) -> None:
        """Wait until so many peers are connected."""
        async with self.api() as api:
            with trio.fail_after(PATIENCE_S):
                while len((await api.get("/peers")).json()["peers"]) < count:
                    pass

    @asynccontextmanager
    async def posting(self, community: str) -> AsyncIterator[None]:
        """Post over and over, since a watcher only sees what comes after it."""
        async with self.api() as api, trio.open_nursery() as nursery:
            nursery.start_soon(_post_often, api, community)
            yield
            nursery.cancel_scope.cancel()


async def _post_often(api: httpx.AsyncClient, community: str) -> None:
    body = {"community": community, "text": "hello"}
    while True:
        (await api.post("/posts", json=body)).raise_for_status()
        await trio.sleep(0.1)
