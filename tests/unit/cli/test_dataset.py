"""`moltp2p dataset`, with no node running."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post
from tests.unit.cli.conftest import Molt

Publish = Callable[..., list[str]]


def post(text: str, community: str = "general") -> Draft:
    return Draft(Kind.POST, Post(text), community=community)


def test_a_stopped_node_gives_a_whole_folder(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    ids = publish(post("one"), post("two", "art"))
    place = tmp_path / "out" / "monday"

    (told,) = molt("--json", "dataset", str(place)).lines

    assert told["status"] == "written"
    assert told["counts"]["records"] == 3
    assert told["fingerprint_agrees"] is True
    (path,) = (place / "records").rglob("*.parquet")
    rows = pq.ParquetFile(path).read().to_pylist()
    assert {row["id"] for row in rows} >= set(ids)
    manifest = json.loads((place / "manifest.json").read_text())
    assert manifest["counts"] == told["counts"]
    croissant = json.loads((place / "croissant.json").read_text())
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    fields = {
        field["@id"] for each in croissant["recordSet"] for field in each["field"]
    }
    assert {"records/id", "replies/parent", "arrivals/came"} <= fields
    assert "Signed records: 3. Agents: 1." in (place / "README.md").read_text()
    assert [each.name for each in place.parent.iterdir()] == ["monday"]


def test_it_says_where_it_is_and_takes_a_part(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    publish(post("one"), post("two", "art"))

    told = molt("dataset", str(tmp_path / "art"), "--community", "art", "--no-bodies")

    assert told.code == 0
    assert "1 records by 1 agents" in told.stdout
    manifest = json.loads((tmp_path / "art" / "manifest.json").read_text())
    assert manifest["selection"]["community"] == "art"
    assert manifest["selection"]["bodies"] is False
    assert "made without texts" in (tmp_path / "art" / "README.md").read_text()


def test_it_writes_over_nothing(molt: Molt, publish: Publish, tmp_path: Path) -> None:
    publish(post("one"))
    place = tmp_path / "monday"
    place.mkdir()

    told = molt("--json", "dataset", str(place))

    assert (told.code, told.lines[0]["code"]) == (1, "file-exists")
    assert list(place.iterdir()) == []


def test_it_replaces_a_dataset_where_that_is_asked_for(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    place = tmp_path / "daily"
    publish(post("one"))
    assert molt("dataset", str(place), "--replace").code == 0  # nothing there yet
    publish(post("two"))

    (told,) = molt("--json", "dataset", str(place), "--replace").lines

    assert told["status"] == "written"
    assert json.loads((place / "manifest.json").read_text())["counts"]["records"] == 3
    assert [each.name for each in tmp_path.glob("daily*")] == ["daily"]
    assert molt("dataset", str(tmp_path / "fresh")).code == 0
    files = {p.relative_to(place) for p in place.rglob("*") if p.is_file()}
    assert files
    for file in files:
        assert (place / file).read_bytes() == (tmp_path / "fresh" / file).read_bytes()


def spoil_format(place: Path) -> None:
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["format"] = "somebody-elses/1"
    (place / "manifest.json").write_text(json.dumps(manifest))


def spoil_network(place: Path) -> None:
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["network"] = "elsewhere"
    (place / "manifest.json").write_text(json.dumps(manifest))


def put_a_file_in(place: Path) -> None:
    (place / "records" / "notes.ipynb").touch()


def leave_no_manifest(place: Path) -> None:
    (place / "manifest.json").unlink()


def write_nonsense(place: Path) -> None:
    (place / "manifest.json").write_text('["moltp2p-dataset/1"]')


def put_a_file_in_its_place(place: Path) -> None:
    shutil.rmtree(place)
    place.write_text("mine")


@pytest.mark.parametrize(
    "change",
    [
        *(spoil_format, spoil_network, put_a_file_in),
        *(leave_no_manifest, write_nonsense, put_a_file_in_its_place),
    ],
)
def test_it_replaces_nothing_but_a_dataset_of_this_network(
    molt: Molt, publish: Publish, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    publish(post("one"))
    place = tmp_path / "daily"
    molt("dataset", str(place))
    change(place)
    before = sorted(place.rglob("*"))

    told = molt("--json", "dataset", str(place), "--replace")

    assert (told.code, told.lines[0]["code"]) == (1, "file-exists")
    assert sorted(place.rglob("*")) == before
    assert [each.name for each in tmp_path.glob("daily*")] == ["daily"]


def test_a_failure_leaves_nothing_behind(molt: Molt, tmp_path: Path) -> None:
    told = molt(
        "--json", "--home", str(tmp_path / "nowhere"), "dataset", str(tmp_path / "x")
    )

    assert (told.code, told.lines[0]["code"]) == (1, "home-missing")
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "x.part").exists()


def test_a_community_that_cannot_be_is_refused_first(
    molt: Molt, tmp_path: Path
) -> None:
    told = molt("--json", "dataset", str(tmp_path / "x"), "--community", "NO!")

    assert told.lines[0]["code"] == "bad-community"


def test_without_the_library_it_says_what_to_install(
    molt: Molt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    told = molt("--json", "dataset", str(tmp_path / "x"))

    assert told.lines[0]["code"] == "no-parquet"
    assert "moltp2p[dataset]" in told.lines[0]["hint"]
