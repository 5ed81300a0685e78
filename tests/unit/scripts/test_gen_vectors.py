from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import gen_vectors
from scripts.gen_vectors import FOLDER, Document, main, render, stale
from scripts.vectors.form import Case, read, spell


def case(name: str, **result: object) -> Case:
    return {"name": name, "op": "decode", "note": "", "input": "00", **result}


def test_a_changed_missing_or_surplus_file_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    shutil.copytree(FOLDER, folder)
    assert stale(folder) == []

    (folder / "01-identity.json").unlink()
    (folder / "02-encoding.json").write_text("{}")
    (folder / "99-nothing.json").write_text("{}")

    assert stale(folder) == [
        "01-identity.json",
        "02-encoding.json",
        "99-nothing.json",
    ]


def test_check_fails_on_a_difference_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gen_vectors, "FOLDER", tmp_path)

    assert main(["--check"]) == 1
    assert "02-encoding.json" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []

    assert main([]) == 0
    assert main(["--check"]) == 0


def test_a_case_is_one_line_without_an_empty_note() -> None:
    text = render(Document("02-encoding", 3, lambda: [case("zero", output=0)]))

    assert text == (
        '{"document": "02-encoding", "revision": 3, "cases": [\n'
        '  {"name": "zero", "op": "decode", "input": "00", "output": 0}\n'
        "]}\n"
    )


@pytest.mark.parametrize(
    "cases",
    [
        [case("same", output=0), case("same", output=0)],
        [case("both", output=0, error="malformed")],
        [case("none")],
    ],
)
def test_a_case_has_its_own_name_and_one_result(cases: list[Case]) -> None:
    with pytest.raises(ValueError, match="02-encoding"):
        render(Document("02-encoding", 1, lambda: cases))


@pytest.mark.parametrize(
    ("data", "spelt"),
    [
        (b"", ""),
        (b"a" * 63, "61" * 63),
        (b"a" * 64, [{"hex": "61", "times": 64}]),
        (b"x" + b"a" * 64 + b"y", ["78", {"hex": "61", "times": 64}, "79"]),
        (
            b"\n" * 64 + b"\x00" * 64,
            [{"hex": "0a", "times": 64}, {"hex": "00", "times": 64}],
        ),
    ],
)
def test_long_runs_are_told_short(data: bytes, spelt: object) -> None:
    assert spell(data) == spelt
    assert read(spelt) == data
