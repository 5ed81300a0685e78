"""Worlds in which what one reads over matters (spec 08).

A world is the safer from guessing the fewer of its clauses can be ignored. So
several are tried, and the one kept whose answer hangs on the most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from moltp2p.proof.world import Clause

Answer = Callable[[Sequence[Clause]], str]


def idle(clauses: Sequence[Clause], answer: Answer, fixed: int) -> int:
    """Return how many clauses could be left out and the answer would be the same.

    Args:
        clauses: a world's, the question last.
        answer: what finds the answer of such clauses.
        fixed: how many of the first are not tried, since nothing goes without them.
    """
    right = answer(clauses)
    count = 0
    for at in range(fixed, len(clauses) - 1):
        count += answer([*clauses[:at], *clauses[at + 1 :]]) == right
    return count


def least_idle(
    attempts: int,
    attempt: Callable[[], list[Clause] | None],
    count: Callable[[Sequence[Clause]], int],
) -> list[Clause]:
    """Return the first attempt with no idle clause, else the first with the fewest.

    Args:
        attempts: how many to make; more are made only while there is none at all.
        attempt: returns clauses, or None when the dice fell on what cannot be.
        count: returns how many clauses of a world are idle.
    """
    # SPEC 08: "the first with no idle clause, else the first with the fewest"
    best: list[Clause] | None = None
    fewest = 0
    while attempts > 0 or best is None:
        attempts -= 1
        clauses = attempt()
        if clauses is None:
            continue
        found = count(clauses)
        if best is None or found < fewest:
            best, fewest = clauses, found
        if fewest == 0:
            break
    return best
