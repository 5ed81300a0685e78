"""Our source makes of every vector what the vector says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts import gen_vectors
from scripts.check_spec_quotes import registered_codes
from tests.vectors import (
    replay_archives,
    replay_core,
    replay_gossip,
    replay_proof,
    replay_sync,
    replay_tasks,
    replay_transport,
)

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "spec"
FILES = sorted((SPEC / "vectors").glob("*.json"))
DOCUMENTS = {file.stem: json.loads(file.read_text("utf-8")) for file in FILES}
RESULTS = ("output", "error", "verdict", "keep", "steps")

REPLAYS = {
    "01-identity": replay_core.outcome,
    "02-encoding": replay_core.outcome,
    "03-records": replay_core.outcome,
    "04-transport": replay_transport.outcome,
    "05-gossip": replay_gossip.outcome,
    "06-sync": replay_sync.outcome,
    "07-proof": replay_proof.outcome,
    "08-tasks": replay_tasks.outcome,
    "10-archives": replay_archives.outcome,
    "11-retention": replay_core.outcome,
}


def parameters() -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}:{case['name']}")
        for name, document in DOCUMENTS.items()
        for case in document["cases"]
    ]


@pytest.mark.parametrize(("document", "case"), parameters())
def test_vector(document: str, case: dict[str, Any]) -> None:
    told = {key: case[key] for key in RESULTS if key in case}

    assert REPLAYS[document](case) == told


def test_the_vectors_are_what_the_source_makes() -> None:
    assert gen_vectors.stale(SPEC / "vectors") == []


def codes() -> set[str]:
    return set(registered_codes((SPEC / "09-registry.md").read_text("utf-8")))


def test_every_error_of_a_vector_is_a_code_of_the_registry() -> None:
    text = "".join(file.read_text("utf-8") for file in FILES)
    named = set(re.findall(r'"(?:error|code)": "([^"]+)"', text))

    assert named - codes() == set()


def test_every_example_that_a_document_names_is_a_vector() -> None:
    vectors = {case["name"] for each in DOCUMENTS.values() for case in each["cases"]}
    word = r"`[a-z0-9]+(?:-[a-z0-9]+)*`"
    words = rf"({word}(?:[,;] {word})*)"
    examples = re.compile(rf"\({words}\)|^Vectors: {words}\.$", re.MULTILINE)

    named = {
        name.strip("`")
        for file in SPEC.glob("[0-9][0-9]-*.md")
        for groups in examples.findall(file.read_text("utf-8"))
        for name in re.split(r"[,;] ", "".join(groups))
    }

    assert named - vectors - codes() == set()


def test_a_revision_is_the_same_in_document_index_and_vectors() -> None:
    index = (SPEC / "README.md").read_text("utf-8")

    for name, document in DOCUMENTS.items():
        text = (SPEC / f"{name}.md").read_text("utf-8")
        revision = re.search(r"· Revision: (\d+) ·", text)
        row = re.search(rf"^\|.*{name}\.md.*\| (\d+) \|$", index, re.MULTILINE)

        assert revision
        assert row
        assert {revision[1], row[1]} == {str(document["revision"])}, name
