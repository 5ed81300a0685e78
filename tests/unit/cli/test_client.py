"""Whom commands ask: the node that runs, or nobody, or one that is about to run."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from moltp2p.cli import settling
from moltp2p.cli.client import open_client
from moltp2p.cli.settling import SETTLE_S, settled
from moltp2p.core.errors import LocalError
from moltp2p.store.holder import UNSEEN


def hold(monkeypatch: pytest.MonkeyPatch, pid: int | None) -> None:
    monkeypatch.setattr(settling, "holder", lambda _folder: pid)


async def test_nobody_runs_where_nobody_has_the_store(
    home: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    hold(monkeypatch, None)

    assert not await settled(home)
    with pytest.raises(LocalError, match="not-running"):
        async with open_client(home, writes=True):
            pass
    assert trio.current_time() == 0


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(
    ("pid", "who"), [(4321, "process 4321"), (UNSEEN, "another process")]
)
async def test_a_node_that_starts_for_long_is_told_of(
    home: Path,
    writes: bool,
    pid: int,
    who: str,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    hold(monkeypatch, pid)

    with pytest.raises(LocalError) as refused:
        async with open_client(home, writes=writes):
            pass

    assert refused.value.code == "store-locked"
    assert refused.value.message.startswith(who)
    assert "starts or ends" in refused.value.message
    assert "try again" in refused.value.hint
    assert ("ps -fp 4321" in refused.value.hint) is (pid != UNSEEN)


async def test_a_command_waits_for_a_node_that_is_about_to_answer(
    home: Path,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    hold(monkeypatch, 4321)

    async def start() -> None:
        await trio.sleep(SETTLE_S / 2)
        sock.bind(str(home / "api.sock"))
        sock.listen()

    with socket.socket(socket.AF_UNIX) as sock:
        nursery.start_soon(start)

        assert await settled(home)
        assert trio.current_time() < SETTLE_S


async def test_a_command_waits_for_a_node_that_is_about_to_be_gone(
    home: Path,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    hold(monkeypatch, 4321)

    async def end() -> None:
        await trio.sleep(SETTLE_S / 2)
        hold(monkeypatch, None)

    nursery.start_soon(end)

    assert not await settled(home)
    assert trio.current_time() < SETTLE_S
