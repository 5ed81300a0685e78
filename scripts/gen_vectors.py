#!/usr/bin/env python3
"""Write spec/vectors/*.json anew, or with --check tell whether they are current.

The cases come from scripts/vectors/, a file for each document, and depend on
nothing but the source: keys are drawn from names, and the clock stands still.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.vectors import (
    archives,
    encoding,
    fetching,
    gossip,
    gossip_bytes,
    gossip_scores,
    identity,
    proof,
    proof_records,
    proof_sessions,
    reconciling,
    records,
    retention,
    tasks,
    transport,
)
from scripts.vectors.form import Case

FOLDER: Final = Path(__file__).parents[1] / "spec" / "vectors"


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the spec that has vectors.

    Attributes:
        name: the document's, without `.md`.
        revision: the document's, raised whenever a case changes its meaning.
        cases: returns its vectors.
    """

    name: str
    revision: int
    cases: Callable[[], list[Case]]


DOCUMENTS: Final = (
    Document("01-identity", 1, identity.cases),
    Document("02-encoding", 1, encoding.cases),
    Document("03-records", 1, records.cases),
    Document("04-transport", 1, transport.cases),
    Document(
        "05-gossip",
        1,
        lambda: [*gossip_bytes.cases(), *gossip.cases(), *gossip_scores.cases()],
    ),
    Document("06-sync", 1, lambda: [*reconciling.cases(), *fetching.cases()]),
    Document(
        "07-proof",
        1,
        lambda: [*proof.cases(), *proof_records.cases(), *proof_sessions.cases()],
    ),
    Document("08-tasks", 1, tasks.cases),
    Document("10-archives", 1, archives.cases),
    Document("11-retention", 1, retention.cases),
)


def render(document: Document) -> str:
    """Return the file of a document: one case to a line, so that diffs can be read.

    Raises:
        ValueError: when two cases have one name, or a case has no one result.
    """
    cases = document.cases()
    names = [case["name"] for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    odd = {case["name"] for case in cases if len(case.keys() & _RESULTS) != 1}
    if twice or odd:
        raise ValueError(f"{document.name}: named twice {twice}, not one result {odd}")
    lines = ",\n".join(f"  {json.dumps(_without_empty_note(case))}" for case in cases)
    head = f'{{"document": "{document.name}", "revision": {document.revision}'
    return f'{head}, "cases": [\n{lines}\n]}}\n'


_RESULTS: Final = frozenset({"output", "error", "steps"})


def _without_empty_note(case: Case) -> Case:
    return {key: value for key, value in case.items() if (key, value) != ("note", "")}


def stale(folder: Path) -> list[str]:
    """Return the names of the files that are not what the source makes."""
    made = {f"{document.name}.json": render(document) for document in DOCUMENTS}
    there = {file.name: file.read_text("utf-8") for file in folder.glob("*.json")}
    names = sorted(made.keys() | there.keys())
    return [name for name in names if made.get(name) != there.get(name)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files or compare them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args(arguments).check:
        wrong = stale(FOLDER)
        for name in wrong:
            print(f"spec/vectors/{name}: not what scripts/gen_vectors.py makes")
        return 1 if wrong else 0
    for document in DOCUMENTS:
        (FOLDER / f"{document.name}.json").write_text(render(document), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
