"""Nodes on hosts of their own, where this machine allows network namespaces."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.hosts.commands import run
from moltp2p.testing.hosts.lines import has_netem, shape
from moltp2p.testing.hosts.namespaces import Host, open_hosts, sweep
from tests.hosts_here import hosts_lack
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

MOLTP2P = str(Path(sys.executable).with_name("moltp2p"))

KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=1)
except ConnectionRefusedError:
    print("there")
except OSError:
    print("nothing")
"""


@pytest.fixture(scope="module", autouse=True)
def allowed() -> None:
    if reason := hosts_lack():
        pytest.skip(reason)


def ours(pid: int) -> list[str]:
    listed = subprocess.run(
        ["ip", "netns", "list"],  # noqa: S607 - wherever Debian has it
        capture_output=True,
        check=True,
    )
    names = [line.split()[0] for line in listed.stdout.decode().splitlines() if line]
    return [name for name in names if name.startswith(f"moltp2p-{pid}-")]


async def reaches(here: Host, there: Host) -> bool:
    said = await run(*here.prefix, sys.executable, "-c", KNOCK, there.ip)
    return said.strip() == "there"


async def test_hosts_reach_each_other_unless_they_are_parted() -> None:
    async with open_hosts(3) as hosts:
        one, two, three = hosts.hosts
        assert await reaches(one, two)
        await hosts.part([0, 0, 1])
        assert await reaches(one, two)
        assert not await reaches(one, three)
        await hosts.part([0, 0, 0])
        assert await reaches(three, one)
        assert len(ours(os.getpid())) == 4

    assert ours(os.getpid()) == []


async def test_an_error_in_the_block_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_hosts(1):
            _ = 1 / 0

    assert ours(os.getpid()) == []


async def test_lines_are_as_thin_as_ordered() -> None:
    async with open_hosts(2) as hosts:
        await shape(hosts, [], [Orders(uplink_mbit=1, downlink_mbit=2)])
        up = await run("tc", "-n", hosts.hosts[0].name, "class", "show", "dev", "eth0")
        down = await run("tc", "-n", hosts.switch, "class", "show", "dev", "port0")

    assert "rate 1Mbit" in up
    assert "rate 2Mbit" in down


async def _has_netem() -> bool:
    async with open_hosts(1) as hosts:
        return await has_netem(hosts)


@pytest.fixture
def netem() -> None:
    if not trio.run(_has_netem):
        pytest.skip("this kernel has no netem")


async def test_packets_are_late_where_there_is_netem(netem: None) -> None:
    async with open_hosts(2) as hosts:
        near, far = ["a", "b"], [Orders(latency_s={"b": 0.2}), Orders()]
        await shape(hosts, near, far)  # type: ignore[arg-type]
        began = trio.current_time()
        assert await reaches(*hosts.hosts)
        assert trio.current_time() - began > 0.2


def mesh(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [MOLTP2P, "mesh", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_partition_of_real_packets_heals() -> None:
    child = mesh(
        *("--hosts", "2", "--rate", "10", "--duration", "4"),
        *("--partition", "0|1@1s-3s"),
    )
    out, err = child.communicate(timeout=120)
    assert out, err.decode()
    report: dict[str, Any] = json.loads(out.splitlines()[-1])

    assert child.returncode == 0, report
    assert report["hosts"] == 2
    assert report["counts"].get("held", 0) == 0, "the nodes were to know nothing of it"
    assert report["latency_ms"]["max"] > 500
    assert all(each["passed"] for each in report["held"])
    assert ours(child.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_mesh_that_is_told_to_end_leaves_nothing(number: signal.Signals) -> None:
    child = mesh("--hosts", "2", "--rate", "10", "--duration", "600")
    _wait_for_hosts(child.pid, 3)
    child.send_signal(number)
    child.communicate(timeout=60)

    assert child.returncode != 0
    assert ours(child.pid) == []


async def test_what_a_killed_mesh_left_is_taken_away_by_the_next() -> None:
    child = mesh("--hosts", "2", "--rate", "10", "--duration", "600")
    _wait_for_hosts(child.pid, 3)
    child.kill()
    child.communicate(timeout=60)
    assert len(ours(child.pid)) >= 3

    await sweep()

    assert ours(child.pid) == []


def _wait_for_hosts(pid: int, count: int) -> None:
    for _ in range(round(PATIENCE_S / 0.1)):
        if len(ours(pid)) >= count:
            return
        time.sleep(0.1)
    pytest.fail("no hosts came up")
