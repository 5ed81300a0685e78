"""Where each node of a mesh listens, and whom it dials first."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from moltp2p.testing import layout as layouts
from moltp2p.testing.hosts.namespaces import Hosts
from moltp2p.testing.layout import LASTING_PORTS, Layout, member_settings, same_place


def port_of(listen: tuple[str, ...]) -> int:
    return int(listen[0].rsplit("/", 1)[1])


def test_a_node_in_this_process_takes_any_port(tmp_path: Path) -> None:
    settings = member_settings(Layout(3), tmp_path, 1, ["/ip4/1.2.3.4/tcp/5/p2p/x"])

    assert settings.listen == ("/ip4/127.0.0.1/tcp/0",)
    assert settings.bootstrap == ("/ip4/1.2.3.4/tcp/5/p2p/x",)
    assert settings.home == str(tmp_path / "node-1")


def test_a_node_that_can_be_killed_has_a_port_that_nobody_else_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = member_settings(Layout(3, processes=True), tmp_path, 1, [])
    port = port_of(settings.listen)
    assert port in LASTING_PORTS

    monkeypatch.setattr(layouts, "LASTING_PORTS", range(port, port + 1))
    monkeypatch.setattr(layouts, "TRIES", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        other = member_settings(Layout(3, processes=True), tmp_path, 1, [])

    assert port_of(other.listen) == 0


def test_the_last_nodes_listen_nowhere_when_they_are_hidden(tmp_path: Path) -> None:
    layout = Layout(4, hidden=1)
    listens = [member_settings(layout, tmp_path, n, []).listen for n in range(4)]

    assert [bool(each) for each in listens] == [True, True, True, False]


def test_a_node_on_a_host_listens_there(tmp_path: Path) -> None:
    layout = Layout(2, hosts=Hosts("moltp2p-1-1", 2))

    assert member_settings(layout, tmp_path, 1, []).listen == (
        "/ip4/10.2.0.1/tcp/4001",
    )
    assert layout.prefix(1) == ("ip", "netns", "exec", "moltp2p-1-1-1")
    assert layout.has_processes


def test_started_again_it_listens_where_it_did() -> None:
    peer = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
    address = f"/ip4/127.0.0.1/tcp/12345/p2p/{peer}"

    assert same_place([address]) == ("/ip4/127.0.0.1/tcp/12345",)
    assert same_place([]) == ()
