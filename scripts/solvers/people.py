"""Who answers by reading, and who by thinking: models of a person and of a model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core.challenge.testimony import PASS_SCORES, ROUNDS, TASKS
from moltp2p.proto.challenge.messages import limit_ms
from scripts.solvers.exam import Task

READER_WPM: Final = 300
"""A good reader, who does nothing but read, and answers without thinking or typing."""
MEAN_WPM: Final = 238.0
SPREAD_WPM: Final = 51.0
SLOWEST_WPM: Final = 120.0
FASTEST_WPM: Final = 400.0
"""Silent reading of adults in English (Brysbaert 2019), as CHALLENGE.md takes it."""
SLOW_ROUND_TRIP_MS: Final = 1_000

Round = tuple[str, ...]
"""The texts of one round."""


def rounds_of(session: Sequence[Task]) -> list[Round]:
    """Return the texts of a session, round by round."""
    texts = [task.text for task in session]
    return [tuple(texts[at : at + TASKS]) for at in range(0, len(texts), TASKS)]


def words_in(texts: Round) -> int:
    """Return how many words a person has to read."""
    return sum(len(text.split()) for text in texts)


def person_wpm(dice: random.Random) -> float:
    """Return how fast somebody reads, in words a minute."""
    return min(FASTEST_WPM, max(SLOWEST_WPM, dice.gauss(MEAN_WPM, SPREAD_WPM)))


def reading_ratio(texts: Round, wpm: float) -> float:
    """Return how often the limit of a round fits into the reading of its texts."""
    return words_in(texts) / wpm * 60_000 / limit_ms(texts, SLOW_ROUND_TRIP_MS)


@dataclass(frozen=True, slots=True)
class Thinker:
    """A solver that is right so often, and takes so long.

    Attributes:
        right: the chance of each answer to be right.
        median_s: of the time for one answer, in seconds; the answers of a round
            come one after another.
        sigma: of the logarithm of that time.
    """

    right: float
    median_s: float
    sigma: float

    def passes(self, rounds: Sequence[Round], dice: random.Random) -> bool:
        """Tell whether it passes a session whose texts are these."""
        score = 0
        for texts in rounds:
            took_s = sum(self._answer_s(dice) for _ in texts)
            if took_s * 1_000 > limit_ms(texts):
                return False
            score += sum(dice.random() < self.right for _ in texts)
        return score >= PASS_SCORES[ROUNDS]

    def _answer_s(self, dice: random.Random) -> float:
        return self.median_s * dice.lognormvariate(0.0, self.sigma)

    def is_admitted(
        self, sessions: Sequence[Sequence[Round]], quorum: Quorum, dice: random.Random
    ) -> bool:
        """Tell whether it finds its attestations with so many tickets."""
        return any(
            sum(self.passes(dice.choice(sessions), dice) for _ in range(quorum.of))
            >= quorum.needed
            for _ in range(quorum.tickets)
        )


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many must attest, of how many that a ticket leads to; how many tickets."""

    needed: int
    of: int
    tickets: int


def batches_passed(
    right: Sequence[Sequence[bool]], batches: int, dice: random.Random
) -> int:
    """Return how many batches of eight a script passes.

    Each is put together as a session is: eight tasks from rows of all families,
    from what the script did with the tasks that were really put to it.

    Args:
        right: for each family, whether each of its tasks was solved.
        batches: how many to put together.
        dice: what they are drawn by.
    """
    passed = 0
    for _ in range(batches):
        families = [*right, *dice.sample(list(right), ROUNDS * TASKS - len(right))]
        score = sum(dice.choice(family) for family in families)
        passed += score >= PASS_SCORES[ROUNDS]
    return passed
