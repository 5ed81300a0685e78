"""A node under a service manager: ready, alive, and on its way out."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from tests.command_line import PATIENCE_S, Home

pytestmark = pytest.mark.slow


async def test_a_node_says_when_it_is_ready_how_it_is_and_that_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        await manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "900000")
        home = await Home(tmp_path / "boot", role="bootstrap").init()
        with trio.fail_after(PATIENCE_S):
            async with home.run() as node:
                assert await manager.recv(100) == b"READY=1"
                told = [await manager.recv(100) for _ in range(4)]
                assert sorted(told) == [
                    b"STATUS=ready; 0 peers, 0 records",
                    *[b"WATCHDOG=1"] * 3,
                ]
                node.process.terminate()
                while (said := await manager.recv(100)) == b"WATCHDOG=1":
                    pass
                assert said == b"STOPPING=1"
                assert await manager.recv(100) == (
                    b"STATUS=ends, and says goodbye to its peers"
                )
                assert await node.process.wait() == 0
