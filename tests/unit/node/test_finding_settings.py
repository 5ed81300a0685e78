"""What a node's settings make of how it finds peers, and where it keeps them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.net.finding.neighbours import is_at_home
from moltp2p.node.config import Config, load_config
from moltp2p.node.online import finding_settings, relay_limits
from moltp2p.node.peer_shelf import PeerShelf
from moltp2p.node.settings import Role
from moltp2p.node.world import real_world
from tests.acquaintances import address

HOME, WORLD, MACHINE = (
    str(address(1, ip)) for ip in ("192.168.0.7", "9.0.0.1", "127.0.0.1")
)


@pytest.mark.parametrize(
    ("mdns", "looks", "anywhere"),
    [("auto", True, False), ("on", True, True), ("off", False, False)],
)
def test_neighbours_are_looked_for_as_the_operator_says(
    mdns: str, looks: bool, anywhere: bool
) -> None:
    config, world = Config(Path(), mdns=mdns), real_world()
    neighbours = finding_settings(config, world).neighbours
    in_memory = finding_settings(config, replace(world, has_neighbours=False))

    assert (neighbours is not None) == looks
    assert in_memory.neighbours is None
    if neighbours is not None:
        assert neighbours.anywhere == anywhere


@pytest.mark.parametrize(
    ("listening", "home"),
    [([], False), ([MACHINE], False), ([MACHINE, HOME], True), ([HOME, WORLD], False)],
)
def test_a_machine_in_the_world_is_not_at_home(
    listening: list[str], home: bool
) -> None:
    assert is_at_home(listening) == home


@pytest.mark.parametrize(
    ("relay", "role", "serves"),
    [
        ("auto", Role.BOOTSTRAP, True),
        ("auto", Role.AGENT, False),
        ("on", Role.LISTENER, True),
        ("off", Role.BOOTSTRAP, False),
    ],
)
def test_bootstrap_peers_relay_unless_told_otherwise(
    relay: str, role: Role, serves: bool
) -> None:
    config = Config(Path(), role=role, relay=relay, relay_mib=3, relay_minutes=2)

    limits = relay_limits(config)

    assert (limits is not None) == serves
    if limits is not None:
        assert (limits.circuit_bytes, limits.circuit_s) == (3 * 2**20, 120.0)


@pytest.mark.parametrize(("chosen", "punches"), [("on", True), ("off", False)])
def test_holes_are_punched_unless_told_otherwise(chosen: str, punches: bool) -> None:
    config = load_config(Path(), {"MOLTP2P_HOLE_PUNCHING": chosen}, {})

    assert finding_settings(config, real_world()).punch == punches
    assert finding_settings(Config(Path()), real_world()).punch


def test_what_is_announced_can_be_dialled() -> None:
    config = load_config(Path(), {"MOLTP2P_ANNOUNCE": "/ip4/9.0.0.1/tcp/4001"}, {})
    assert [str(e) for e in finding_settings(config, real_world()).announce] == [
        "/ip4/9.0.0.1/tcp/4001"
    ]

    for wrong in ("/ip4/0.0.0.0/tcp/4001", "/ip4/9.0.0.1/tcp/0"):
        with pytest.raises(UsageError):
            load_config(Path(), {"MOLTP2P_ANNOUNCE": wrong}, {})


def test_first_peers_may_be_names() -> None:
    names = ["/dnsaddr/example.org", f"/dns4/example.org/tcp/1/p2p/{address(1).peer}"]

    assert load_config(Path(), {}, {"bootstrap": names}).bootstrap == tuple(names)


# -- the shelf


def test_a_book_comes_back_and_is_nobody_elses(tmp_path: Path) -> None:
    shelf = PeerShelf(tmp_path / "peers.json")
    assert shelf.read() == b""

    for data in (b"one", b"two"):
        shelf.write(data)

    assert shelf.read() == b"two"
    assert shelf.path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [shelf.path]


def test_a_shelf_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "peers.json").mkdir()
    (tmp_path / "peers.json" / "x").touch()

    shelf = PeerShelf(tmp_path / "peers.json")
    for use in (shelf.read, partial(shelf.write, b"data")):
        with pytest.raises(LocalError) as raised:
            use()
        assert raised.value.code == "home-failed"
