"""The five families side by side: what each can say, draw and answer (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.proof import form, ledger, program, schedule, seats
from moltp2p.proof.dice import Dice
from moltp2p.proof.world import Clause, Family, Kinds


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a family.

    Attributes:
        kinds: its kinds of clauses, with the slots of each.
        draw: returns the stages of a world from dice and a cast of names.
        answer: returns the answer that follows from clauses.
        form: how to answer, the last sentence of each text.
        recalls: whether a question can call the first of the cast by a role.
    """

    kinds: Kinds
    draw: Callable[[Dice, Sequence[str]], tuple[tuple[Clause, ...], ...]]
    answer: Callable[[Sequence[Clause]], str]
    form: str
    recalls: bool = False


FAMILIES: Final[Mapping[Family, Rules]] = {
    Family.LEDGER: Rules(
        ledger.KINDS,
        ledger.draw,
        ledger.answer,
        "Answer with one number in digits.",
        recalls=True,
    ),
    Family.SEATS: Rules(
        seats.KINDS,
        seats.draw,
        seats.answer,
        "Answer with the three words in that order, joined by hyphens.",
        recalls=True,
    ),
    Family.PROGRAM: Rules(
        program.KINDS,
        program.draw,
        program.answer,
        "Answer with the numbers in digits, joined by hyphens.",
    ),
    Family.FORM: Rules(
        form.KINDS,
        form.draw,
        form.answer,
        'Answer with one JSON object: "customer" (a name), "day" (a weekday), and '
        "for each sort of goods in the final order its name as written here, with "
        "the number.",
    ),
    Family.SCHEDULE: Rules(
        schedule.KINDS,
        schedule.draw,
        schedule.answer,
        "Answer with weekday and time joined by a hyphen, like monday-09:30.",
        recalls=True,
    ),
}
"""SPEC 08 has the forms of answers in a table."""
