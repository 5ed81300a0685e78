"""A folder is there whole, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.study import folder as folders
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


@pytest.fixture
def monday(tmp_path: Path) -> Path:
    """Return a folder that is there already, with a file `old`."""
    place = tmp_path / "monday"
    (place / "below").mkdir(parents=True)
    (place / "below" / "old").touch()
    return place


def anything(_: Path) -> None:
    """Let whatever is there be replaced."""


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_an_earlier_one_stays_until_the_new_one_is_whole(monday: Path) -> None:
    with open_folder(monday, anything) as part:
        (part / "new").touch()
        assert names(monday) == ["below"]

    assert names(monday) == ["new"]
    assert names(monday.parent) == ["monday"]


def test_what_cannot_be_finished_replaces_nothing(monday: Path) -> None:
    def fail() -> None:
        with open_folder(monday, anything) as part:
            (part / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert names(monday) == ["below"]
    assert names(monday.parent) == ["monday"]


def test_what_may_not_be_replaced_is_refused_before_any_work(monday: Path) -> None:
    def never(_: Path) -> None:
        raise UsageError("file-exists", "no")

    with pytest.raises(UsageError), open_folder(monday, never):
        pytest.fail("it was begun")

    assert names(monday.parent) == ["monday"]


def test_what_became_another_meanwhile_is_not_replaced(monday: Path) -> None:
    def unless_mine(place: Path) -> None:
        if (place / "mine").exists():
            raise UsageError("file-exists", "no")

    def work() -> None:
        with open_folder(monday, unless_mine):
            (monday / "mine").touch()

    with pytest.raises(UsageError):
        work()

    assert names(monday) == ["below", "mine"]
    assert names(monday.parent) == ["monday"]


def test_a_run_killed_before_the_swap_leaves_the_earlier_one(monday: Path) -> None:
    (monday / MARK).touch()
    part = monday.with_name("monday.part")
    part.mkdir()
    (part / MARK).touch()

    with open_folder(monday, anything) as part:
        (part / "new").touch()

    assert names(monday) == ["new"]


def test_a_run_killed_behind_the_swap_leaves_what_the_next_removes(
    monday: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(_: Path) -> None:
        raise Killed

    def work() -> None:
        with open_folder(monday, anything) as part:
            (part / "new").touch()

    with monkeypatch.context() as patch:
        patch.setattr(folders, "_remove", kill)
        with pytest.raises(Killed):
            work()
    assert (monday / "new").exists()
    assert names(monday.parent) == ["monday", "monday.part"]

    work()

    assert names(monday) == ["new"]
    assert names(monday.parent) == ["monday"]


def test_the_folder_behind_a_link_is_replaced_and_not_the_link(
    monday: Path, tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere" / "latest"
    link.parent.mkdir()
    link.symlink_to(monday)

    with open_folder(link, anything) as part:
        (part / "new").touch()

    assert link.is_symlink()
    assert names(monday) == ["new"]


def test_where_nothing_can_be_swapped_that_is_said_at_once(
    monday: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap(*_: Path) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(folders, "_swap", swap)
    with pytest.raises(UsageError) as refused, open_folder(monday, anything):
        pytest.fail("it was begun")

    assert refused.value.code == "cannot-replace"
    assert names(monday.parent) == ["monday"]


def test_a_swap_that_fails_leaves_the_earlier_one_as_it_was(
    monday: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        with open_folder(monday, anything):
            monkeypatch.setattr(folders, "_swap", fail)

    def fail(*_: Path) -> None:
        raise OSError(16, "Device or resource busy")

    with pytest.raises(LocalError) as refused:
        work()

    assert refused.value.code == "write-failed"
    assert names(monday) == ["below"]
    assert names(monday.parent) == ["monday"]


def test_a_mark_goes_last_so_that_the_rest_is_known_to_be_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "monday.part"
    (left / "records").mkdir(parents=True)
    (left / MARK).touch()

    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", fail)
        with pytest.raises(LocalError), open_folder(tmp_path / "monday"):
            pytest.fail("it was begun")

    assert (left / MARK).exists()
    with open_folder(tmp_path / "monday"):
        pass
