"""`backup`, `restore` and `verify-store --repair`, with no node running."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.ids import parse_record_id
from moltp2p.core.kinds import Kind, Post
from moltp2p.node.home import Home
from moltp2p.store import layout
from moltp2p.store.engine import Put
from moltp2p.store.leveldb import LevelDb

Molt = Callable[..., Any]
Publish = Callable[..., list[str]]


def post(text: str) -> Draft:
    return Draft(Kind.POST, Post(text), "general")


@pytest.fixture
def backup(molt: Molt, publish: Publish, tmp_path: Path) -> Path:
    """A backup, keys and all, of a home with two posts."""
    publish(post("one"), post("two"))
    path = tmp_path / "backup"
    assert molt("backup", str(path), "--with-keys").code == 0
    return path


def test_a_backup_is_put_back_into_a_new_home(
    molt: Molt, backup: Path, tmp_path: Path
) -> None:
    other = ("--home", str(tmp_path / "other"), "--json")

    (told,) = molt(*other, "restore", str(backup), "--with-keys").lines

    assert told == {"status": "restored", "records": 3, "behind": True}
    assert molt(*other, "export").stdout == molt("--json", "export").stdout
    for path in (backup, *(tmp_path / "other").glob("*.key")):
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backup.keys").stat().st_mode & 0o777 == 0o700


def test_keys_stay_at_home_unless_asked_for(molt: Molt, tmp_path: Path) -> None:
    (told,) = molt("--json", "backup", str(tmp_path / "backup")).lines

    assert told["keys"] is None
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == [
        "backup"
    ]
    assert b"seed" not in (tmp_path / "backup").read_bytes()


def test_who_was_put_back_may_not_write_until_it_caught_up(
    molt: Molt, backup: Path, publish: Publish, home: Path
) -> None:
    (home / "records").rename(home / "before")
    molt("restore", str(backup))
    with pytest.raises(Exception, match="behind"):
        publish(post("a fork?"))

    outcome = molt("verify-store", "--newest")

    assert "nothing damaged" in outcome.stdout
    assert publish(post("not any more"))


def test_nothing_is_ever_written_over(
    molt: Molt, backup: Path, home: Path, tmp_path: Path
) -> None:
    before = backup.read_bytes()

    for words, code in (
        (("backup", str(backup)), "file-exists"),
        (("restore", str(backup)), "store-exists"),
    ):
        outcome = molt("--json", *words)
        assert (outcome.code, outcome.lines[-1]["code"]) == (1, code)

    Home(tmp_path / "other").init_agent(secrets.token_bytes)
    outcome = molt(
        "--home", str(tmp_path / "other"), "restore", str(backup), "--with-keys"
    )
    assert "home-exists" in outcome.stderr
    assert not (tmp_path / "other" / "records").exists()
    assert backup.read_bytes() == before


def test_a_backup_that_is_cut_short_puts_back_nothing(
    molt: Molt, backup: Path, tmp_path: Path
) -> None:
    backup.write_bytes(backup.read_bytes()[:-1])

    outcome = molt("--home", str(tmp_path / "other"), "restore", str(backup))

    assert outcome.code == 1
    assert "bad-backup" in outcome.stderr
    assert not (tmp_path / "other" / "records").exists()


def test_repair_makes_the_store_whole_and_says_what_it_did(
    molt: Molt, publish: Publish, home: Path
) -> None:
    lost, _ = publish(post("one"), post("two"))
    key = layout.record_key(parse_record_id(lost))
    with closing(LevelDb(home / "records")) as engine:
        engine.apply([Put(key, b"rotten")])
    found = molt("verify-store")
    assert found.code == 1
    assert "verify-store --repair" in found.stdout

    *damages, told = molt("--json", "verify-store", "--repair").lines

    assert [each["record"] for each in damages] == [lost]
    assert told["status"] == "repaired"
    assert (told["records"], told["missing"], told["behind"]) == (2, 1, False)
    assert Path(told["aside"]).is_dir()
    again = molt("verify-store", "--repair")
    assert again.code == 0
    assert "2 records, nothing damaged" in again.stdout
    assert "1 missing" in again.stdout
