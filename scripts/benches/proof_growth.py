"""The growth's part of `proof`: a network from two nodes on, scripts at its door."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from moltp2p.proof.pack_reading import load_library
from moltp2p.testing.growth import Mind, Society, Told, honest
from scripts.benches.outcome import Outcome
from scripts.benches.proof_tasks import black_boxes, held_out
from scripts.solvers.exam import Solver, Task
from scripts.solvers.likely import likely

KNOWN: Final = 60
"""Solved tasks of each family that scripts which learn have seen."""
HONEST: Final = 40
SCRIPTS: Final = 10
SPLIT_HONEST: Final = 50
DAY_HOURS: Final = 24
PATIENCE_HOURS: Final = 48
"""After which whoever is not in stays out."""


def script_minds() -> list[Mind]:
    """Return the scripts, the parser of the built-in words among them."""
    own = load_library()
    parser = likely(own)
    return [_mind(each) for each in [*black_boxes(own, KNOWN).values(), parser]]


def _mind(solver: Solver) -> Mind:
    def answer(told: Told, _luck: random.Random) -> str | None:
        # No solver looks at what is right.
        return solver(Task(told.family, told.text, "", told.earlier))

    return answer


@dataclass
class Growth:
    """A society that grows, and who of it is what.

    Attributes:
        seed: of all chance.
        society: all members.
        honest: the names of those that answer as a model does.
        scripts: the names of those that do not.
        hours: how many have passed.
    """

    seed: int
    society: Society = field(init=False)
    honest: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    hours: int = 0

    def __post_init__(self) -> None:
        """Let two in, who know nobody."""
        self.society = Society(self.seed, list(held_out().values()))
        for _ in range(2):
            self.welcome()

    def welcome(self, side: int = 0) -> None:
        """Let one more honest member in."""
        name = f"honest {len(self.honest)}"
        self.honest.append(name)
        self.society.join(name, honest, side)

    def grow(self, most: int, minds: Iterable[Mind] = ()) -> None:
        """Let more in each hour, half as many as are there; scripts among them."""
        waiting = list(minds)
        while len(self.honest) < most or waiting:
            self.hour()
            for _ in range(min(len(self.honest) // 2 + 1, most - len(self.honest))):
                self.welcome()
            for mind in waiting[: len(self.honest) // 6]:
                waiting.remove(mind)
                name = f"script {len(self.scripts)}"
                self.scripts.append(name)
                self.society.join(name, mind)

    def settle(self) -> None:
        """Let hours pass until all honest ones count everywhere, or 48."""
        for _ in range(PATIENCE_HOURS):
            if self.complete() == len(self.honest):
                return
            self.hour()

    def hour(self) -> None:
        """Let one pass."""
        self.hours += 1
        self.society.hour()

    def views(self) -> list[set[str]]:
        """Return whom each honest member counts."""
        return [self.society.counted_by(name) for name in self.honest]

    def complete(self) -> int:
        """Return how many honest members count all honest members."""
        return sum(view.issuperset(self.honest) for view in self.views())

    def fooled(self) -> int:
        """Return how many honest members count a script."""
        return sum(not view.isdisjoint(self.scripts) for view in self.views())


def measure(outcome: Outcome, _rounds: int) -> None:
    """Note who gets in, and how long it takes until everybody knows."""
    begun_s = time.process_time()
    minds = script_minds()
    growth = Growth(seed=1)
    growth.grow(HONEST, [minds[at % len(minds)] for at in range(SCRIPTS)])
    outcome.add(f"from 2 to {HONEST} honest members", growth.hours, "hours")
    _note(outcome, "then", growth)
    growth.society.rest(10 * DAY_HOURS)
    _note(outcome, "renewed, ten days later", growth)
    split = Growth(seed=2)
    split.grow(SPLIT_HONEST - 10)
    split.settle()
    halves = split.honest[::2], split.honest[1::2]
    split.society.split(*halves)
    for at in range(10):
        split.welcome(side=at % 2)
    for _ in range(DAY_HOURS):
        split.hour()
    split.society.heal()
    _note(outcome, "2 x 25, parted for a day and met", split)
    outcome.add("growth simulated in", time.process_time() - begun_s, "s")


def _note(outcome: Outcome, name: str, growth: Growth) -> None:
    begun = growth.hours
    growth.hour()
    sizes = [len(view.intersection(growth.honest)) for view in growth.views()]
    outcome.add(f"{name}: counted after an hour, median", statistics.median(sizes), "")
    growth.settle()
    outcome.add(f"{name}: hours until all count all", growth.hours - begun, "hours")
    total, complete = len(growth.honest), growth.complete()
    outcome.add(f"{name}: members that count all {total}", complete, "")
    outcome.add(f"{name}: members that count a script", growth.fooled(), "")
