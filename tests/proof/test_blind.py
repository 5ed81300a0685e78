"""What was answered from the texts alone, compared with what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moltp2p.core.challenge.spelling import is_task_text
from moltp2p.proof.answers import read_answer
from scripts.blind import seal

FOLDER = Path(__file__).parent / "blind"
FOLDERS = (FOLDER, FOLDER / "mended")
AMBIGUOUS: frozenset[str] = frozenset()
"""Items that can be read in two ways (README.md there)."""


def held(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_key_is_what_was_sealed(folder: Path) -> None:
    key = held(folder, "key.json")

    assert held(folder, "sealed.json") == {
        name: seal(each["salt"], each["answer"]) for name, each in key.items()
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_nineteen_in_twenty_are_right_and_none_is_ambiguous(folder: Path) -> None:
    key, said = held(folder, "key.json"), held(folder, "answers.json")

    right = [name for name in key if read_answer(said[name]) == key[name]["answer"]]

    assert len(right) >= 0.95 * len(key)
    assert len(AMBIGUOUS) <= 0.01 * len(key)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_texts_are_tasks(folder: Path) -> None:
    items = held(folder, "items.json")

    assert [item["id"] for item in items] == list(held(folder, "key.json"))
    for item in items:
        assert is_task_text(item["text"])


def test_there_are_sixty_at_least() -> None:
    assert len(held(FOLDER, "key.json")) >= 60
