"""What each check of the doctor says, well and ill."""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.doctor import machine
from moltp2p.node.doctor.check import Check, Health, Probe
from moltp2p.node.doctor.findings import (
    MEANINGS,
    REMEDIES,
    judge_clock,
    judge_first_peers,
    judge_peers,
    judge_probe,
    judge_reach,
)
from moltp2p.node.doctor.machine import (
    check_disk,
    check_home,
    check_listening,
    check_running_store,
    check_settings,
    check_store,
    judge_listening,
)
from moltp2p.node.home import Home
from moltp2p.node.settings import Role
from moltp2p.proto.address import parse_endpoint
from moltp2p.store.leveldb import open_store

NO_RELAY: dict[str, Any] = {"relayed": []}
NOW_MS = 1_800_000_000_000


def assert_fails(check: Check, code: str = "", word: str = "") -> None:
    assert check.health is Health.FAIL
    assert check.remedy
    assert check.code == code
    assert word in check.says + check.remedy


# -- settings, home, disk, store


def test_settings_are_read_and_named(tmp_path: Path) -> None:
    check, config = check_settings(tmp_path, {}, {"network": "test-1"})

    assert check.health is Health.OK
    assert "test-1" in check.says
    assert config is not None


def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('listen = ["localhost"]')

    check, config = check_settings(tmp_path, {}, {})

    assert_fails(check, "bad-setting", "config.toml")
    assert config is None


def test_a_whole_home_is_well(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.init_agent(secrets.token_bytes)
    home.peer_key(secrets.token_bytes)

    assert check_home(Config(home.path)).health is Health.OK


@pytest.mark.parametrize(
    ("ill", "code"),
    [
        ("no home", "home-missing"),
        ("no agent", "home-missing"),
        ("open", "key-permissions"),
        ("open key", "key-permissions"),
        ("damaged key", "bad-key-file"),
    ],
)
def test_an_ill_home_is_told(tmp_path: Path, ill: str, code: str) -> None:
    path = tmp_path / "home"
    if ill == "no agent":
        Home(path).create()
    elif ill != "no home":
        Home(path).init_agent(secrets.token_bytes)
        Home(path).peer_key(secrets.token_bytes)
    if ill == "open":
        path.chmod(0o755)
    elif ill == "open key":
        (path / "agent.key").chmod(0o644)
    elif ill == "damaged key":
        (path / "peer.key").write_text("{}")

    assert_fails(check_home(Config(path)), code)


def test_a_listener_needs_no_agent(tmp_path: Path) -> None:
    Home(tmp_path / "home").create()

    config = Config(tmp_path / "home", role=Role.LISTENER)
    assert check_home(config).health is Health.OK


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free_mib", "health"),
    [(10, Health.FAIL), (500, Health.NOTE), (5_000, Health.OK)],
)
def test_a_full_disk_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_mib: int, health: Health
) -> None:
    free = free_mib * 2**20
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2 * free, free, free))

    check = check_disk(tmp_path / "not" / "yet")

    assert check.health is health
    assert bool(check.remedy) == (health is not Health.OK)


def test_a_store_is_opened_and_counted(tmp_path: Path) -> None:
    config = Config(tmp_path)
    assert "first run" in check_store(config).says
    open_store(Home(tmp_path).records, config.network, config.policy).close()

    assert check_store(config).says == "0 records"


def test_a_store_of_another_network_is_told(tmp_path: Path) -> None:
    other = Config(tmp_path, network=NetworkParams("elsewhere"))
    open_store(Home(tmp_path).records, other.network, other.policy).close()

    assert_fails(check_store(Config(tmp_path)), "other-network", "elsewhere")


def test_a_damaged_store_is_told(tmp_path: Path) -> None:
    config = Config(tmp_path)
    open_store(Home(tmp_path).records, config.network, config.policy).close()
    (Home(tmp_path).records / "CURRENT").write_text("nonsense\n")

    check = check_store(config)

    assert check.health is Health.FAIL
    assert check.remedy


def test_a_running_node_says_how_its_store_is() -> None:
    assert check_running_store("ok", "", 5).says == "5 records"
    assert_fails(check_running_store("disk-full", "make room", 5), "disk-full")


# -- ports and addresses


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def listening(*endpoints: str) -> list[Check]:
    return check_listening(Config(Path(), listen=endpoints))


def test_a_port_in_use_is_told(taken: int) -> None:
    (check,) = listening("/ip4/127.0.0.1/tcp/0", f"/ip4/127.0.0.1/tcp/{taken}")

    assert_fails(check, "port-in-use", str(taken))


def test_an_address_of_another_machine_is_told() -> None:
    (check,) = listening("/ip4/192.0.2.1/tcp/4001")

    assert_fails(check, "cannot-listen", "ip addr")


def test_loopback_alone_is_worth_a_note() -> None:
    (check,) = listening("/ip4/127.0.0.1/tcp/0")

    assert check.health is Health.NOTE
    assert "--listen" in check.remedy


def test_a_free_port_on_all_addresses_is_well() -> None:
    (check,) = listening("/ip4/0.0.0.0/tcp/0")

    assert check.health is Health.OK


def test_a_node_that_listens_nowhere_is_worth_a_note() -> None:
    assert judge_listening([]).health is Health.NOTE
    assert [each.health for each in listening()] == [Health.NOTE]
    wide = [parse_endpoint("/ip4/9.0.0.1/tcp/1")] * 9
    assert judge_listening(wide).says.count("9.0.0.1") == 4


@pytest.mark.parametrize(
    ("announced", "health"),
    [
        (["/ip4/9.0.0.1/tcp/1"], Health.OK),
        (["/ip4/10.0.0.1/tcp/1"], Health.NOTE),
        ([], Health.NOTE),
    ],
)
def test_whether_others_are_told_where_to_dial(
    announced: list[str], health: Health
) -> None:
    finding = {
        "announced": announced,
        "seen": ["8.8.4.4"],
        "reach": "unknown",
    } | NO_RELAY
    check = judge_reach(finding, Role.AGENT)

    assert check.health is health
    assert ("8.8.4.4" in check.says) == (health is Health.NOTE)


def test_those_that_tried_know_best() -> None:
    told = {
        "announced": ["/ip4/9.0.0.1/tcp/1"],
        "seen": [],
        "reached_at": ["here"],
    } | NO_RELAY

    reached = judge_reach(told | {"reach": "open"}, Role.AGENT)
    in_vain = judge_reach(told | {"reach": "closed"}, Role.AGENT)

    relayed = judge_reach(
        told | {"reach": "closed", "relayed": ["/ip4/9.0.0.1/p2p/x"]}, Role.AGENT
    )

    assert (relayed.health, "/ip4/9.0.0.1" in relayed.says) == (Health.OK, True)
    assert (reached.health, reached.says) == (Health.OK, "others reached it at here")
    assert (in_vain.health, "in vain" in in_vain.says) == (Health.NOTE, True)
    for reach in ("unknown", "closed"):
        first = judge_reach(told | {"reach": reach, "announced": []}, Role.BOOTSTRAP)
        assert "of use to those who can dial it" in first.remedy


# -- first peers


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_each_step_that_fails_has_its_remedy(code: str) -> None:
    check = judge_probe(Probe("/ip4/…", code, "it did not work"), "main", "0.2.0")

    assert_fails(check, code, MEANINGS.get(code, "it did not work"))
    assert check.remedy == REMEDIES[code]


def test_a_failure_without_a_remedy_of_its_own_has_one() -> None:
    assert_fails(
        judge_probe(Probe("/ip4/…", "too-slow", "x"), "main", "0.2.0"), "too-slow"
    )


def test_a_peer_of_another_network_is_told() -> None:
    probe = Probe("/ip4/…", networks=frozenset({"elsewhere"}))

    assert_fails(judge_probe(probe, "main", "0.2.0"), word="elsewhere")
    assert judge_probe(probe, "elsewhere", "0.2.0").health is Health.OK


def test_a_peer_that_says_nothing_of_its_network_is_taken_for_well() -> None:
    check = judge_probe(Probe("/ip4/…", told=3), "main", "0.2.0")

    assert check.health is Health.OK
    assert "3 others" in check.says
    assert "did not say" in check.says


def test_nobody_to_begin_with_is_told() -> None:
    assert_fails(judge_first_peers(0, Role.AGENT), word="--bootstrap")
    assert judge_first_peers(5, Role.AGENT).health is Health.OK


def test_a_first_address_for_others_needs_nobody_to_begin_with() -> None:
    for check in (
        judge_first_peers(0, Role.BOOTSTRAP),
        judge_peers([], "main", Role.BOOTSTRAP),
    ):
        assert check.health is Health.NOTE
        assert check.remedy


def test_a_peer_that_hangs_up_on_the_node_alone_is_told() -> None:
    check = judge_probe(Probe("/ip4/…"), "main", "0.2.0", hung_up=True)

    assert_fails(check, "hung-up", "hangs up on this node")


# -- releases


def runs(software: str, *protocols: str, code: str = "") -> Probe:
    return Probe("/ip4/…", code, software=software, protocols=frozenset(protocols))


NEW = ("/moltp2p/peers/2.0.0", "/moltp2p/reconcile/2.0.0", "/moltp2p/fetch/1.0.0")
OLD = ("/moltp2p/peers/0.0.0", "/moltp2p/reconcile/0.0.0")


def test_a_peer_whose_release_is_too_new_is_told_with_what_to_do() -> None:
    probe = runs("moltp2p/0.9.1", *NEW, code="protocol-unsupported")

    check = judge_probe(probe, "main", "0.2.0")

    assert_fails(check, "protocol-unsupported", "upgrade this node")
    assert "they run moltp2p 0.9.1 (protocols peers 2, reconcile 2)" in check.says
    assert "this is moltp2p 0.2.0" in check.says


@pytest.mark.parametrize("software", ["moltp2p/0.1.9", "moltp2p", "", "somebody's"])
def test_a_peer_whose_release_is_too_old_is_told_with_what_to_do(software: str) -> None:
    check = judge_probe(runs(software, *OLD), "main", "0.2.0")

    assert_fails(check, "protocol-unsupported", "ask its operator to upgrade")


def test_releases_that_overlap_are_well_and_the_difference_is_told() -> None:
    both = ["/moltp2p/peers/1.0.0", "/moltp2p/peers/2.0.0"]

    newer = judge_probe(runs("moltp2p/0.10.0", *both), "main", "0.9.0")
    same = judge_probe(runs("moltp2p/0.9.0", *both), "main", "0.9.0")

    assert newer.health is same.health is Health.OK
    assert newer.says.endswith("it runs moltp2p 0.10.0")
    assert "it runs" not in same.says


def test_a_peer_of_something_else_has_no_release_of_ours() -> None:
    probe = runs("js-libp2p/3.3.0", "/ipfs/id/1.0.0", code="protocol-unsupported")

    check = judge_probe(probe, "main", "0.2.0")

    assert check.says == f"/ip4/…: {MEANINGS['protocol-unsupported']}"


# -- the clock


@pytest.mark.parametrize(
    ("ahead_s", "health"),
    [
        (0, Health.OK),
        (-29, Health.OK),
        (31, Health.NOTE),
        (-599, Health.NOTE),
        (600, Health.FAIL),
        (-86_400, Health.FAIL),
    ],
)
def test_the_clock_is_compared_with_peers(ahead_s: int, health: Health) -> None:
    check = judge_clock([ahead_s * 1_000], NOW_MS)

    assert check.health is health
    assert bool(check.remedy) == (health is not Health.OK)


def test_one_liar_among_three_does_not_move_the_clock() -> None:
    assert judge_clock([10**12, 5, -5], NOW_MS).health is Health.OK


def test_a_clock_that_was_never_set_needs_no_peers() -> None:
    assert_fails(judge_clock([], 86_400_000), word="1970-01-02")
    assert judge_clock([], NOW_MS).health is Health.SKIPPED


# -- peers of a running node


def connected(topics: int, connected_s: float = 60.0) -> dict[str, Any]:
    return {"outbound": True, "topics": topics, "connected_s": connected_s}


def test_no_peers_are_told_with_what_to_do_where_nothing_else_failed() -> None:
    check = judge_peers([], "main", Role.AGENT)

    assert_fails(check)
    assert "another --bootstrap address" in check.remedy


def test_peers_in_none_of_our_topics_are_of_another_network() -> None:
    assert_fails(
        judge_peers([connected(0)], "main", Role.AGENT), word="another network"
    )


def test_peers_are_given_time_to_say_their_topics() -> None:
    assert judge_peers([connected(0, 5.0)], "main", Role.AGENT).health is Health.OK
    check = judge_peers([connected(0), connected(17)], "main", Role.AGENT)
    assert check.health is Health.OK
    assert "2 of them dialled" in check.says


def test_free_space_is_looked_for_where_the_home_will_be(tmp_path: Path) -> None:
    assert str(tmp_path) in check_disk(tmp_path / "home").says
    assert machine.MIN_FREE_BYTES < machine.LOW_FREE_BYTES
