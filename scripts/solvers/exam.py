"""What a solver is given, and how many it gets right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.wording import word
from moltp2p.proof.world import Family


@dataclass(frozen=True, slots=True)
class Task:
    """One item as it is put to a script.

    Attributes:
        family: told to it, though an applicant would have to find out.
        text: what the challenger worded.
        right: the answer; no solver looks at it.
        earlier: the texts told before in the session.
    """

    family: Family
    text: str
    right: str
    earlier: tuple[str, ...] = ()


Solver = Callable[[Task], str | None]
"""Returns an answer, or None when it can find none."""


def tasks(library: Library, family: Family, count: int, seed: bytes) -> Iterator[Task]:
    """Yield that many tasks of a family, worded from a library."""
    for at in range(count):
        number = at.to_bytes(4, "big")
        world = draw_world(family, Dice(seed, b"world", family.encode(), number))
        text = word(world, library, Dice(seed, b"words", family.encode(), number))
        yield Task(family, text, Worlds().answer(world))


def session(library: Library, seed: bytes, rounds: int, items: int) -> list[Task]:
    """Return all tasks of a session, in order."""
    worlds = Worlds()
    told: list[Task] = []
    for round_ in range(rounds):
        first: tuple[str, ...] = tuple(task.text for task in told[:1])
        for item, world in enumerate(worlds.batch(seed, round_, items)):
            dice = Dice(seed, b"words", bytes([round_, item]))
            text = word(world, library, dice)
            told.append(Task(world.family, text, worlds.answer(world), first))
    return told


def score(solver: Solver, asked: Sequence[Task]) -> int:
    """Return how many of the tasks a solver gets right."""
    return sum(solver(task) == task.right for task in asked)
