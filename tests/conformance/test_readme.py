"""What README.md says of our tests is true: they are there, under those names."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent
FOLDERS = {"unit": TESTS / "unit/proto/gossip", "net": TESTS / "unit/net/gossip"}


def cited() -> list[tuple[Path, str]]:
    """Return the tests that the tables cite: a file, and a part of a name."""
    found = []
    for row in (HERE / "README.md").read_text("utf-8").splitlines():
        ours = row.split("|")[2] if row.count("|") == 3 else ""
        for file, names in re.findall(r"`([\w/]+\.py)`([^`]*)", ours):
            parts = re.split(r"[,;…]| ", re.sub(r"\([^)]*\)", "", names))
            found += [(place(file), part) for part in parts if "_" in part]
    return found


def place(file: str) -> Path:
    folder, _, rest = file.partition("/")
    if folder in FOLDERS:
        return FOLDERS[folder] / rest
    return TESTS.parent / file if folder == "tests" else HERE / file


def test_every_case_that_is_cited_is_there() -> None:
    names = cited()
    missing = [(file.name, part) for file, part in names if part not in _text(file)]

    assert len(names) > 70
    assert missing == []


def _text(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""
