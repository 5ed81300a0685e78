"""The tasks' half of `proof`: what scripts, people and models make of them.

Every script is told the family of each text, which an applicant would have to find
out. "Unseen" is the parser that has the source of the built-in pack, before texts
worded from two packs that it has not seen (tests/proof/packs).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from moltp2p.core.challenge.testimony import ROUNDS, TASKS
from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.pack_reading import built_in, load_library, read_pack
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.wording import word
from moltp2p.proof.world import Family
from scripts.benches.outcome import Outcome
from scripts.solvers import black_box, people
from scripts.solvers.exam import Solver, session, tasks
from scripts.solvers.lexicon import plain_library
from scripts.solvers.likely import likely
from scripts.solvers.white_box import white_box

PACKS: Final = Path(__file__).parents[2] / "tests" / "proof" / "packs"
ITEMS: Final = 1_000
"""Of each family, for each script and library, in each round of the bench."""
KNOWN: Final = 600
"""Tasks of each family that scripts which learn have seen, with their answers."""
BATCHES: Final = 10_000
READINGS: Final = 20_000
ADMISSIONS: Final = 2_000
SESSIONS: Final = 300
SEED: Final = b"bench proof"

ALIKE: Final = people.Thinker(right=0.95, median_s=4.0, sigma=0.6)
QUORUM: Final = people.Quorum(needed=4, of=7, tickets=2)


def held_out() -> dict[str, Library]:
    """Return a library of each pack that no script has seen, by its name."""
    return {
        file.stem: Library.of([read_pack(file.read_bytes(), file.name)], built_in())
        for file in sorted(PACKS.glob("*.json"))
    }


def black_boxes(own: Library, known: int = KNOWN) -> dict[str, Solver]:
    """Return the scripts that have seen no pack, some of them some solved tasks."""
    seen = [t for f in Family for t in tasks(own, f, known, b"known" + SEED)]
    plain = plain_library()
    return {
        "guess": black_box.guess(Dice(b"guess")),
        "majority": black_box.majority(seen),
        "number bag": black_box.number_bag(seen),
        "last value": black_box.last_value,
        "first value": black_box.first_value,
        "linear scan": likely(plain, is_careful=False),
        "degarbler": likely(plain),
    }


def measure(outcome: Outcome, rounds: int) -> None:
    """Note the figures of scripts, a person, a model, and costs."""
    own, unseen = load_library(), held_out()
    items = ITEMS * rounds
    for name, script in black_boxes(own).items():
        _scores(outcome, name, script, {"built in": own}, items)
    _scores(outcome, "parser, unseen packs", likely(own), unseen, items)
    _scores(outcome, "parser, its own pack", white_box(own), {"built in": own}, items)
    _people(outcome, own)
    _costs(outcome, own, items // 4)


def _scores(
    outcome: Outcome,
    name: str,
    solver: Solver,
    libraries: Mapping[str, Library],
    items: int,
) -> None:
    """Note how often a script is right, for its best family, and what passes."""
    worst = 0.0
    right: list[list[bool]] = [[] for _ in Family]
    for where, library in libraries.items():
        rows = [
            [solver(task) == task.right for task in tasks(library, family, items, SEED)]
            for family in Family
        ]
        right = [a + b for a, b in zip(right, rows, strict=True)]
        for family, row in zip(Family, rows, strict=True):
            share = sum(row) / len(row) * 100
            worst = max(worst, share)
            if len(libraries) > 1 or "own" in name:
                outcome.add(f"{name}: {family}, {where}", share, "%")
    every = [solved for row in right for solved in row]
    total = sum(every) / len(every) * 100
    outcome.add(f"{name}: right, all families", total, "%")
    outcome.add(f"{name}: right, its best family", worst, "%")
    passed = people.batches_passed(right, BATCHES, random.Random(name))  # noqa: S311  # repeatable
    outcome.add(f"{name}: batches passed of {BATCHES:,}", passed, "")
    outcome.add(f"{name}: chance of a batch", _chance(total / 100), "")


def _chance(right: float) -> float:
    """Return how likely 6 of 8 are, each right so often, independently."""
    return sum(math.comb(8, k) * right**k * (1 - right) ** (8 - k) for k in range(6, 9))


def _people(outcome: Outcome, library: Library) -> None:
    dice = random.Random(SEED)  # noqa: S311  # repeatable
    sessions = [
        people.rounds_of(
            session(library, SEED + bytes([at % 256, at // 256]), ROUNDS, TASKS)
        )
        for at in range(SESSIONS)
    ]
    rounds = [texts for each in sessions for texts in each]
    ratios = [
        people.reading_ratio(dice.choice(rounds), people.person_wpm(dice))
        for _ in range(READINGS)
    ]
    steady = [people.reading_ratio(texts, people.READER_WPM) for texts in rounds]
    words = [people.words_in(texts) for texts in rounds]
    outcome.add("words of a round, least", min(words), "")
    outcome.add("words of a round, mean", sum(words) / len(words), "")
    outcome.add(
        f"people reading in time, of {READINGS:,}", sum(r <= 1 for r in ratios), ""
    )
    outcome.add(
        "people: reading / limit, median", sorted(ratios)[READINGS // 2], "times"
    )
    outcome.add("reader at 300 words a minute: reading / limit", min(steady), "times")
    admitted = sum(ALIKE.is_admitted(sessions, QUORUM, dice) for _ in range(ADMISSIONS))
    outcome.add("right with .95: admitted", admitted / ADMISSIONS * 100, "%")


def _costs(outcome: Outcome, library: Library, items: int) -> None:
    drawing = wording = checking = 0.0
    for family in Family:
        for at in range(items):
            number = at.to_bytes(4, "big")
            begun = time.thread_time()
            world = draw_world(family, Dice(SEED, number))
            drawn = time.thread_time()
            text = word(world, library, Dice(b"words", number))
            worded = time.thread_time()
            Worlds().carries(world, text)
            Worlds().answer(world)
            drawing += drawn - begun
            wording += worded - drawn
            checking += time.thread_time() - worded
    each_ms = 1e3 / (items * len(Family))
    outcome.add("an item drawn", drawing * each_ms, "ms")
    outcome.add("an item worded", wording * each_ms, "ms")
    outcome.add("an item checked", checking * each_ms, "ms")
