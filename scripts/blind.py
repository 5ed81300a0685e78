#!/usr/bin/env python3
"""The frozen blind fixture: tasks answered from their texts alone (tests/proof/blind).

    scripts/blind.py make FOLDER [FAMILY...]    draw tasks, seal the answers
    scripts/blind.py score FOLDER               compare what was answered with the key

With families, only these are drawn, and only from the built-in pack.

`make` writes three files: items.json (the texts), sealed.json (for each a salted
hash of the right answer) and key.json (salts and answers), which nobody opens before
answers.json is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from moltp2p.core.challenge.testimony import TASKS
from moltp2p.core.errors import UsageError
from moltp2p.proof.answers import read_answer
from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.wording import word
from moltp2p.proof.world import Family
from scripts.benches.proof_tasks import held_out
from scripts.solvers.exam import session

BUILT_IN_EACH: Final = 6
UNSEEN_EACH: Final = 4
RECALLS: Final = 4

Item = dict[str, str]
Drawn = tuple[str, str, str, str]
"""Pack, earlier text, text and right answer of an item."""


def make(folder: Path, families: Sequence[Family]) -> None:
    """Draw tasks by secret dice, and write the texts, the seals and the key."""
    seed = secrets.token_bytes(32)
    drawn = _some(seed, families) if families else _all(seed)
    items: list[Item] = []
    sealed: dict[str, str] = {}
    key: dict[str, dict[str, str]] = {}
    for number, (pack, earlier, text, right) in enumerate(drawn, 1):
        name, salt = f"{number:02}", secrets.token_hex(16)
        told = {"earlier": earlier} if earlier else {}
        items.append({"id": name, "pack": pack, **told, "text": text})
        sealed[name] = seal(salt, right)
        key[name] = {"salt": salt, "answer": right}
    folder.mkdir(exist_ok=True)
    for file, value in (("items", items), ("sealed", sealed), ("key", key)):
        path = folder / f"{file}.json"
        path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def _some(seed: bytes, families: Sequence[Family]) -> Iterator[Drawn]:
    for family in families:
        yield from _of_pack(seed, family, "built in", load_library(), BUILT_IN_EACH)


def _all(seed: bytes) -> Iterator[Drawn]:
    counts = [("built in", load_library(), BUILT_IN_EACH)]
    counts += [(name, library, UNSEEN_EACH) for name, library in held_out().items()]
    for family in Family:
        for pack, library, count in counts:
            yield from _of_pack(seed, family, pack, library, count)
    for at, (pack, library, _) in zip(range(RECALLS), counts * RECALLS, strict=False):
        told = session(library, seed + bytes([at]), 2, TASKS)
        yield pack, told[0].text, told[TASKS].text, told[TASKS].right


def _of_pack(
    seed: bytes, family: Family, pack: str, library: Library, count: int
) -> Iterator[Drawn]:
    for at in range(count):
        parts = (seed, family.encode(), pack.encode(), bytes([at]))
        world = draw_world(family, Dice(b"world", *parts))
        text = word(world, library, Dice(b"words", *parts))
        yield pack, "", text, Worlds().answer(world)


def seal(salt: str, answer: str) -> str:
    """Return the hash that a sealed answer is published by."""
    return hashlib.sha256(f"{salt} {answer}".encode()).hexdigest()


def wrong(folder: Path) -> dict[str, tuple[str, str]]:
    """Return for each item answered wrongly what was said and what is right."""
    key, said = _read(folder / "key.json"), _read(folder / "answers.json")
    pairs = {name: (_answer(said[name]), key[name]["answer"]) for name in key}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _read(file: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(file.read_text("utf-8"))


def _answer(said: str) -> str:
    try:
        return read_answer(said)
    except UsageError as error:
        return error.message


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the fixture, or print how it was answered; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "score"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("families", nargs="*", type=Family)
    options = parser.parse_args(arguments)
    if options.what == "make":
        make(options.folder, options.families)
        return 0
    mistakes = wrong(options.folder)
    for name, (said, right) in mistakes.items():
        print(f"{name}: said {said!r}, right is {right!r}")
    total = len(_read(options.folder / "key.json"))
    print(f"{total - len(mistakes)} of {total} right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
