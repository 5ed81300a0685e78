"""Flags beat the environment, which beats the file; what is unknown is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.node.config import Config, load_config
from moltp2p.node.limit_settings import settings_of
from moltp2p.node.settings import SETTINGS, Role


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    config = load_config(tmp_path, {}, {})

    assert config.network.id == "main"
    assert config.network.shards == 16
    assert config.role is Role.AGENT
    assert config.listen == ("/ip4/127.0.0.1/tcp/0",)
    assert config.http_listen is None


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'network = "file"\nrole = "listener"\ntarget_peers = 3\n'
    )
    environ = {"MOLTP2P_NETWORK": "environ", "MOLTP2P_ROLE": "bootstrap"}

    config = load_config(tmp_path, environ, {"network": "flag", "role": None})

    assert config.network.id == "flag"
    assert config.role is Role.BOOTSTRAP
    assert config.target_peers == 3


def test_a_list_in_the_environment_is_split_at_commas(tmp_path: Path) -> None:
    environ = {"MOLTP2P_COMMUNITIES": "science, art", "MOLTP2P_TARGET_PEERS": "5"}

    config = load_config(tmp_path, environ, {})

    assert config.communities == ("science", "art")
    assert config.target_peers == 5


def test_the_home_and_other_programs_variables_are_not_settings(
    tmp_path: Path,
) -> None:
    load_config(tmp_path, {"MOLTP2P_HOME": "/x", "PATH": "/bin"}, {})


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("colour = 'red'", "unknown-setting", "colour"),
        ("shards = 'many'", "bad-setting", "shards"),
        ("shards = true", "bad-setting", "shards"),
        ("shards = 0", "bad-setting", "0 shards"),
        ("role = 'king'", "bad-setting", "king"),
        ("listen = '/ip4/127.0.0.1/tcp/0'", "bad-setting", "listen"),
        ("listen = [1]", "bad-setting", "listen"),
        ("listen = ['0.0.0.0:4001']", "bad-setting", "0.0.0.0:4001"),
        ("bootstrap = ['/ip4/192.0.2.1/tcp/4001']", "bad-setting", "192.0.2.1"),
        ("communities = ['No Spaces']", "bad-setting", "No Spaces"),
        ("target_peers = 1000", "bad-setting", "1000"),
        ("network = 'UPPER'", "bad-setting", "UPPER"),
        ("log_level = 'loud'", "bad-setting", "loud"),
        ("network = ", "bad-setting", "config.toml"),
        ("\xff", "bad-setting", "config.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(
    tmp_path: Path, text: str, code: str, names: str
) -> None:
    (tmp_path / "config.toml").write_text(text, "latin-1")

    with pytest.raises(UsageError) as caught:
        load_config(tmp_path, {}, {})

    assert caught.value.code == code
    assert names in caught.value.message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_stream", "did you mean max_streams?"),
        ("Bootstrap", "did you mean bootstrap?"),
        ("colour", "the settings are "),
    ],
)
def test_whoever_mistypes_a_setting_is_told_which_was_meant(
    tmp_path: Path, name: str, hint: str
) -> None:
    (tmp_path / "config.toml").write_text(f"{name} = 1")

    with pytest.raises(UsageError) as caught:
        load_config(tmp_path, {}, {})

    assert caught.value.hint.startswith(hint)


def test_an_unknown_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path, {"MOLTP2P_NETWROK": "main"}, {})

    assert caught.value.code == "unknown-setting"
    assert "MOLTP2P_NETWROK" in caught.value.message


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bad-setting"):
        load_config(tmp_path, {"MOLTP2P_SHARDS": "many"}, {})


def test_every_setting_says_what_it_means() -> None:
    for setting in SETTINGS:
        assert setting.meaning.endswith(".")


def test_a_limit_is_one_number_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        "max_connections = 1000\nmax_inbound = 900\nup_kib = 512\n"
    )

    limits = load_config(tmp_path, {"MOLTP2P_MAX_PER_ADDRESS": "3"}, {}).limits

    assert (limits.total, limits.inbound, limits.per_address) == (1000, 900, 3)
    assert (limits.up_bytes_s, limits.down_bytes_s) == (512 * 1024, 0)
    assert settings_of(limits)["up_kib"] == 512


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("max_connections = 0", "max_connections"),
        ("max_connections = 100", "max_inbound is 192"),
        ("down_kib = 63", "down_kib is 0, or 64"),
        ("max_streams_per_peer = 63", "64 to 4096"),
    ],
)
def test_limits_that_cannot_hold_are_refused(
    tmp_path: Path, text: str, names: str
) -> None:
    (tmp_path / "config.toml").write_text(text)

    with pytest.raises(UsageError, match=names) as raised:
        load_config(tmp_path, {}, {})

    assert raised.value.code == "bad-setting"


def test_agents_prove_themselves_unless_the_settings_say_otherwise(
    tmp_path: Path,
) -> None:
    assert load_config(tmp_path, {}, {}).network.admission
    assert Config(tmp_path).network.admission
    assert not load_config(tmp_path, {}, {"admission": "open"}).network.admission
