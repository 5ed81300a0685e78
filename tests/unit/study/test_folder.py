"""A folder is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.study.folder import MARK, open_folder


def test_it_stands_in_its_place_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "monday"
    with open_folder(place) as part:
        (part / "file").write_text("x")
        assert not place.exists()

    assert [path.name for path in place.iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["monday"]


def test_after_a_failure_there_is_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with open_folder(tmp_path / "monday") as part:
            (part / "file").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    place = tmp_path / "monday"
    place.mkdir()
    with pytest.raises(UsageError) as refused, open_folder(place):
        pass
    assert refused.value.code == "file-exists"


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "monday.part"
    left.mkdir()
    (left / MARK).touch()
    (left / "old").touch()
    with open_folder(tmp_path / "monday") as part:
        (part / "new").touch()

    assert [path.name for path in (tmp_path / "monday").iterdir()] == ["new"]


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, *, is_folder: bool) -> None:
    other = tmp_path / "monday.part"
    other.mkdir() if is_folder else other.touch()

    with pytest.raises(UsageError) as refused, open_folder(tmp_path / "monday"):
        pass

    assert refused.value.code == "file-exists"
    assert other.exists()


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    place = tmp_path / "monday"
    with open_folder(place) as part:
        (part / "file").touch()
        with pytest.raises(UsageError) as refused, open_folder(place):
            pass
        assert "being written" in refused.value.message

    assert [path.name for path in place.iterdir()] == ["file"]
