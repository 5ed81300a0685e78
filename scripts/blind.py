#!/usr/bin/env python3
"""The frozen blind fixture: tasks answered from their texts alone (tests/proof/blind).

    scripts/blind.py make    draw tasks, seal the answers, and put the key beside them
    scripts/blind.py score   compare what was answered with the key

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
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.core.testimony import TASKS
from moltp2p.proof.answers import read_answer
from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.wording import word
from moltp2p.proof.world import Family
from scripts.benches.proof_tasks import held_out
from scripts.solvers.exam import session

FOLDER: Final = Path(__file__).parents[1] / "tests" / "proof" / "blind"
BUILT_IN_EACH: Final = 6
UNSEEN_EACH: Final = 4
RECALLS: Final = 4

Item = dict[str, str]


def make() -> None:
    """Draw tasks by secret dice, and write the texts, the seals and the key."""
    seed = secrets.token_bytes(32)
    items: list[Item] = []
    sealed: dict[str, str] = {}
    key: dict[str, dict[str, str]] = {}
    for number, (pack, earlier, text, right) in enumerate(_drawn(seed), 1):
        name, salt = f"{number:02}", secrets.token_hex(16)
        told = {"earlier": earlier} if earlier else {}
        items.append({"id": name, "pack": pack, **told, "text": text})
        sealed[name] = seal(salt, right)
        key[name] = {"salt": salt, "answer": right}
    _write("items.json", items)
    _write("sealed.json", sealed)
    _write("key.json", key)


def _drawn(seed: bytes) -> Iterator[tuple[str, str, str, str]]:
    """Yield pack, earlier text, text and right answer of each item."""
    own, unseen = load_library(), held_out()
    counts: list[tuple[str, Library, int]] = [("built in", own, BUILT_IN_EACH)]
    counts += [(name, library, UNSEEN_EACH) for name, library in unseen.items()]
    for family in Family:
        for pack, library, count in counts:
            for at in range(count):
                parts = (seed, family.encode(), pack.encode(), bytes([at]))
                world = draw_world(family, Dice(b"world", *parts))
                text = word(world, library, Dice(b"words", *parts))
                yield pack, "", text, Worlds().answer(world)
    for at, (pack, library, _) in zip(range(RECALLS), counts * RECALLS, strict=False):
        told = session(library, seed + bytes([at]), 2, TASKS)
        yield pack, told[0].text, told[TASKS].text, told[TASKS].right


def seal(salt: str, answer: str) -> str:
    """Return the hash that a sealed answer is published by."""
    return hashlib.sha256(f"{salt} {answer}".encode()).hexdigest()


def _write(name: str, value: object) -> None:
    (FOLDER / name).write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def read(name: str) -> object:
    """Return what a file of the fixture holds."""
    return json.loads((FOLDER / name).read_text("utf-8"))


def wrong() -> dict[str, tuple[str, str]]:
    """Return for each item answered wrongly what was said and what is right."""
    key, said = read("key.json"), read("answers.json")
    if not isinstance(key, dict) or not isinstance(said, dict):
        raise TypeError("not the fixture's files")
    pairs = {name: (_answer(said[name]), key[name]["answer"]) for name in key}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _answer(said: str) -> str:
    try:
        return read_answer(said)
    except UsageError as error:
        return error.message


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the fixture, or print how it was answered; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "score"))
    if parser.parse_args(arguments).what == "make":
        make()
        return 0
    total = len(read("key.json"))  # type: ignore[arg-type]
    for name, (said, right) in wrong().items():
        print(f"{name}: said {said!r}, right is {right!r}")
    print(f"{total - len(wrong())} of {total} right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
