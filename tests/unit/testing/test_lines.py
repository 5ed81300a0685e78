"""The commands that shape a host's line, as `tc` would be given them."""

from __future__ import annotations

import os

import psutil
import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.faults.injector import eased
from moltp2p.testing.hosts import namespaces
from moltp2p.testing.hosts.commands import check_tools
from moltp2p.testing.hosts.lines import downlink, uplink
from moltp2p.testing.hosts.namespaces import Hosts

HOSTS = Hosts("moltp2p-7-9", 3).hosts
ALICE, BOB, CAROL = PeerId("alice"), PeerId("bob"), PeerId("carol")


def up(orders: Orders) -> list[str]:
    commands = uplink(HOSTS[0], HOSTS, [ALICE, BOB, CAROL], orders)
    return [" ".join(words) for words in commands]


def test_a_line_without_faults_is_left_alone() -> None:
    assert up(Orders()) == []
    assert downlink("switch", HOSTS[0], Orders()) == []


def test_each_way_has_its_own_latency() -> None:
    found = up(Orders(latency_s={BOB: 0.05, CAROL: 0.08}, jitter=0.1))

    assert found[3:6] == [
        (
            "tc -n moltp2p-7-9-0 class add dev eth0 parent 1:f classid 1:11"
            " htb rate 10000mbit quantum 1514"
        ),
        (
            "tc -n moltp2p-7-9-0 qdisc add dev eth0 parent 1:11"
            " netem delay 52.500ms 2.500ms limit 10000"
        ),
        (
            "tc -n moltp2p-7-9-0 filter add dev eth0 parent 1: protocol ip"
            " u32 match ip dst 10.2.0.1/32 flowid 1:11"
        ),
    ]
    assert any("delay 84.000ms 4.000ms" in line for line in found)
    assert not any("10.1.0.1" in line for line in found)


def test_packets_are_lost_on_every_way() -> None:
    found = [line for line in up(Orders(loss=0.015)) if "netem" in line]

    assert len(found) == 2
    assert all("netem loss 1.5000% limit" in line for line in found)


def test_a_thin_line_is_thin_both_ways_without_netem() -> None:
    orders = Orders(uplink_mbit=0.5, downlink_mbit=2)

    assert all("netem" not in line for line in up(orders))
    assert any("classid 1:f htb rate 0.5mbit" in line for line in up(orders))
    assert "rate 2mbit" in " ".join(downlink("switch", HOSTS[1], orders)[1])


def test_what_the_line_bears_the_node_does_not() -> None:
    orders = Orders(latency_s={BOB: 1}, loss=0.5, uplink_mbit=1, downlink_mbit=1)

    assert eased(orders, packets=True) == Orders()
    assert eased(orders, packets=False) == Orders(latency_s={BOB: 1}, loss=0.5)


def test_a_namespace_belongs_to_the_process_that_its_name_says() -> None:
    mine = namespaces._owner(psutil.Process())
    parent = namespaces._owner(psutil.Process(os.getppid()))

    assert namespaces._is_owned(f"{mine}-3")
    assert namespaces._is_owned(f"{parent}-switch")
    for gone in (f"moltp2p-{os.getpid()}-1-0", "moltp2p-99999999-5-0", "moltp2p-x-y-z"):
        assert not namespaces._is_owned(gone)


def test_without_root_or_tools_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LocalError, match="only root"):
        check_tools()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LocalError, match="there is no program ip"):
        check_tools()
