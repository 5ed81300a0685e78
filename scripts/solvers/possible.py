"""Whether clauses can be a world at all: what a script checks its reading by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from moltp2p.proof import form, ledger, program, schedule, seats
from moltp2p.proof.world import Clause, Family


def is_possible(family: Family, clauses: Sequence[Clause]) -> bool:
    """Tell whether the dice could have drawn something like these clauses."""
    try:
        return _CHECKS[family](clauses)
    except (LookupError, ValueError, TypeError, AttributeError):
        return False


def _ledger(clauses: Sequence[Clause]) -> bool:
    kinds = [clause.kind for clause in clauses]
    told = [clause for clause in clauses if clause.kind.startswith("start")]
    starts = {clause["a"] for clause in told}
    asked = [Clause.of("ask_one", a=str(name)) for name in starts]
    ends = [int(ledger.answer([*clauses[:-1], each])) for each in asked]
    corrections_fit = all(
        before["n"] == clause["m"]
        for before, clause in pairwise(clauses)
        if clause.kind == "correct"
    )
    return (
        len(starts) == ledger.ACTORS
        and len(told) == ledger.ACTORS
        and kinds.count("start") == ledger.PLAIN
        and kinds.count("correct") == 1
        and all(0 <= end <= ledger.MOST for end in ends)
        and corrections_fit
    )


def _seats(clauses: Sequence[Clause]) -> bool:
    kinds = [clause.kind for clause in clauses]
    hues = [clause["hue"] for clause in clauses if "wears" in clause.kind]
    return (
        len(seats.rows(clauses)) == 1
        and kinds.count("trade") == 1
        and kinds.count("at") == 1
        and len(set(hues)) == seats.PLACES - 1
    )


def _program(clauses: Sequence[Clause]) -> bool:
    steps = clauses[1:-1]
    shown = [int(each) for each in program.answer(clauses).split("-")]
    return (
        len([step for step in steps if step.kind not in ("undo", "correct")])
        == program.STEPS
        and sum(step.kind in ("undo", "correct") for step in steps) == 1
        and len(shown) in program.SHOWN
        and all(0 < each <= program.MOST for each in shown)
    )


def _form(clauses: Sequence[Clause]) -> bool:
    kinds = [clause.kind for clause in clauses]
    made = form.order(clauses)
    counts = [count for key, count in made.items() if key not in ("customer", "day")]
    return (
        kinds.count("item") == form.PLAIN
        and kinds.count("revert") == 1
        and len(clauses) == form.ITEMS + form.CHANGES + 3
        and all(isinstance(count, int) and count > 0 for count in counts)
    )


def _schedule(clauses: Sequence[Clause]) -> bool:
    kinds = [clause.kind for clause in clauses]
    told = {clause["a"] for clause in clauses if clause.kind.startswith("lasts")}
    return (
        kinds.count("begins") == 1
        and len(told) == schedule.LESSONS
        and kinds.count("fix") == 1
        and kinds.count("all_later") + kinds.count("all_earlier") == 1
        and "06:00" <= schedule.answer(clauses).rpartition("-")[2] <= "22:00"
    )


_CHECKS: Final[Mapping[Family, Callable[[Sequence[Clause]], bool]]] = {
    Family.LEDGER: _ledger,
    Family.SEATS: _seats,
    Family.PROGRAM: _program,
    Family.FORM: _form,
    Family.SCHEDULE: _schedule,
}
