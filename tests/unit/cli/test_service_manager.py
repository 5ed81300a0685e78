"""What systemd hears of a node."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from moltp2p.api.loop_lag import LoopLag
from moltp2p.cli.service_manager import ServiceManager, in_one_line
from tests.village import Village, meet, village

__all__ = ["village"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(sock: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(sock.recv(1_000).decode())
        except BlockingIOError:
            return found


def environ(sock: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": sock.getsockname(), **more}


def test_whoever_started_the_node_is_told(manager: socket.socket) -> None:
    told = ServiceManager(environ(manager))

    told.tell("READY=1")
    told.tell("STOPPING=1")

    assert heard(manager) == ["READY=1", "STOPPING=1"]


def test_how_a_node_is_is_told_when_it_changes(manager: socket.socket) -> None:
    told = ServiceManager(environ(manager))

    for line in ("ready; 1 peer", "ready; 1 peer", "ready; 2 peers", "ready; 1 peer"):
        told.describe(line)

    assert heard(manager) == [
        "STATUS=ready; 1 peer",
        "STATUS=ready; 2 peers",
        "STATUS=ready; 1 peer",
    ]


async def test_a_node_at_a_glance_is_one_line(village: Village) -> None:
    async with village.open("alice") as alice, village.open("bob") as bob:
        alone = await alice.status()
        await meet(alice, bob)
        status = await alice.status()

    assert in_one_line(alone, ["nobody is connected"]) == (
        "not ready: nobody is connected; 0 peers, 1 record"
    )
    assert in_one_line(status, []).startswith("ready; 1 peer, ")


@pytest.mark.parametrize("name", ["", "/nowhere/at/all", "@nobody-listens-here"])
def test_a_node_goes_on_if_nobody_listens(name: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": name}).tell("READY=1")


async def test_the_watchdog_is_fed_while_the_loop_comes_round(
    manager: socket.socket, autojump_clock: MockClock
) -> None:
    lag = LoopLag()
    told = ServiceManager(environ(manager, WATCHDOG_USEC="30000000"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.feed, lag)
        await trio.sleep(100)
        assert heard(manager) == []  # nobody measures: the loop may hang

        nursery.start_soon(lag.run)
        await trio.sleep(60.5)
        assert heard(manager) == ["WATCHDOG=1"] * 6
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getppid())},
    ],
)
async def test_without_a_watchdog_nobody_is_fed(
    manager: socket.socket, more: dict[str, str]
) -> None:
    await ServiceManager(environ(manager, **more)).feed(LoopLag())

    assert heard(manager) == []
