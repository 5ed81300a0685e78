"""What was answered from the texts alone, compared with what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moltp2p.proof.answers import read_answer
from moltp2p.proof.tasks import check_text
from scripts.blind import seal

FOLDER = Path(__file__).parent / "blind"
AMBIGUOUS: frozenset[str] = frozenset()
"""Items that can be read in two ways (README.md there)."""


def held(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def test_the_key_is_what_was_sealed() -> None:
    key = held("key.json")

    assert held("sealed.json") == {
        name: seal(each["salt"], each["answer"]) for name, each in key.items()
    }


def test_nineteen_in_twenty_are_right_and_none_is_ambiguous() -> None:
    key, said = held("key.json"), held("answers.json")

    right = [name for name in key if read_answer(said[name]) == key[name]["answer"]]

    assert len(key) >= 60
    assert len(right) >= 0.95 * len(key)
    assert len(AMBIGUOUS) <= 0.01 * len(key)


def test_the_texts_are_tasks() -> None:
    items = held("items.json")

    assert [item["id"] for item in items] == list(held("key.json"))
    for item in items:
        check_text(item["text"])
