"""Key files: whole or not at all, for nobody else's eyes, safe through a rotation."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId
from moltp2p.core.keys import Signer
from moltp2p.node.home import Draw, Home


@pytest.fixture
def draw() -> Draw:
    """Return bytes that nobody could guess, had they not read this test."""
    count = iter(range(1_000))
    return lambda size: hashlib.sha256(str(next(count)).encode()).digest()[:size]


@pytest.fixture
def home(tmp_path: Path, draw: Draw) -> Home:
    """Return a home with an agent in it."""
    home = Home(tmp_path / "home")
    home.init_agent(draw)
    return home


def test_an_agent_has_a_key_and_a_next_one(home: Home) -> None:
    key, following = home.agent_key(), home.next_key()

    assert key.public != following.public
    assert key.agent == following.agent == AgentId(key.public)


def test_nobody_else_can_read_it(home: Home) -> None:
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    for name in ("agent.key", "agent.next.key"):
        assert stat.S_IMODE((home.path / name).stat().st_mode) == 0o600


def test_an_agent_is_never_overwritten(home: Home, draw: Draw) -> None:
    before = home.agent_key()

    with pytest.raises(UsageError, match="home-exists"):
        home.init_agent(draw)

    assert home.agent_key() == before


@pytest.mark.parametrize("name", [".", "agent.key"])
def test_wider_permissions_are_refused_and_the_remedy_named(
    home: Home, name: str
) -> None:
    path = home.path / name
    path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o040)

    with pytest.raises(LocalError) as caught:
        home.agent_key()

    assert caught.value.code == "key-permissions"
    assert "chmod" in caught.value.hint


def test_a_missing_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LocalError) as caught:
        Home(tmp_path / "nowhere").agent_key()

    assert caught.value.code == "home-missing"
    assert "moltp2p init" in caught.value.hint


def _without_seed(text: str) -> str:
    fields = json.loads(text)
    del fields["seed"]
    return json.dumps(fields)


def _other_seed(text: str) -> str:
    return json.dumps(json.loads(text) | {"seed": "00" * 32})


def _other_role(text: str) -> str:
    return json.dumps(json.loads(text) | {"role": "next"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda _: "[]",
        lambda _: "null",
        lambda _: "{}",
        lambda text: text[:50],
        lambda text: text.replace("moltp2p-key/1", "moltp2p-key/9"),
        lambda text: text.replace("did:key:z", "did:key:q"),
        _without_seed,
        _other_seed,
        _other_role,
    ],
)
def test_a_corrupt_key_file_is_refused_and_left_as_it_was(
    home: Home, damage: Callable[[str], str]
) -> None:
    path = home.path / "agent.key"
    path.write_text(damage(path.read_text()))
    damaged = path.read_bytes()

    with pytest.raises(LocalError, match="bad-key-file"):
        home.agent_key()

    assert path.read_bytes() == damaged


def test_no_representation_shows_a_seed(home: Home) -> None:
    key = home.agent_key()

    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)


def test_the_peer_key_is_made_once(home: Home, draw: Draw) -> None:
    assert home.peer_key(draw) == home.peer_key(draw)


def test_a_rotation_puts_the_next_key_in_force(home: Home, draw: Draw) -> None:
    agent, following = home.agent_key().agent, home.next_key()
    after = home.prepare_rotation(draw)

    home.settle_rotation(following.public)

    assert home.agent_key().seed == following.seed
    assert home.agent_key().agent == agent
    assert home.next_key().seed == after.seed


def test_a_key_that_was_prepared_in_vain_serves_the_next_rotation(
    home: Home, draw: Draw
) -> None:
    key, following = home.agent_key(), home.next_key()
    prepared = home.prepare_rotation(draw)

    home.settle_rotation(key.public)

    assert (home.agent_key(), home.next_key()) == (key, following)
    assert home.prepare_rotation(draw) == prepared


def test_a_crash_after_any_step_of_settling_is_mended(home: Home, draw: Draw) -> None:
    following = home.next_key()
    after = home.prepare_rotation(draw)
    # The crash: agent.key was replaced, agent.next.key was not yet.
    promoted = json.loads((home.path / "agent.next.key").read_text())
    (home.path / "agent.key").write_text(json.dumps(promoted | {"role": "agent"}))

    home.settle_rotation(following.public)

    assert home.agent_key().public == following.public
    assert home.next_key().seed == after.seed


def test_settling_without_a_rotation_changes_nothing(home: Home) -> None:
    key, following = home.agent_key(), home.next_key()

    home.settle_rotation(Signer(b"x" * 32).public)

    assert (home.agent_key(), home.next_key()) == (key, following)


def test_a_half_written_key_from_a_crash_is_no_hindrance(
    tmp_path: Path, draw: Draw
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    (home.path / "agent.next.part").write_text("{")

    home.init_agent(draw)

    assert home.has_agent
