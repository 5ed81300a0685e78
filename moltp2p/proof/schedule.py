"""Schedules: when somebody's lesson begins or ends, told from others' (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from moltp2p.proof.cast import DAYS
from moltp2p.proof.dice import Dice
from moltp2p.proof.numerals import clock
from moltp2p.proof.sensitive import idle, least_idle
from moltp2p.proof.world import Clause, Kinds, kinds, staged

LESSONS: Final = 4
ATTEMPTS: Final = 8
DAY_MIN: Final = 24 * 60
EARLIEST_MIN: Final = 6 * 60
LATEST_MIN: Final = 22 * 60

KINDS: Final[Kinds] = kinds(
    begins="a day at",
    lasts="a n",
    lasts_same="a b",
    lasts_twice="a b",
    at_end="a b",
    after_end="a b n",
    after_start="a b n",
    before_start="a b n",
    days_later="a b n",
    fix="a n m",
    all_later="n",
    all_earlier="n",
    ask_begin="a",
    ask_end="a",
)
"""`a` is always the one told about, and `b` the one it is told from. at_end: begins
as `b` ends; after_end, after_start: begins that many minutes after; before_start:
ends that many minutes before `b` begins; days_later: begins at the same time of day."""

Lengths = dict[str, int]
Begins = dict[str, int]
"""Minutes since Monday, midnight."""


def answer(clauses: Sequence[Clause]) -> str:
    """Return the day and time that are asked for, as `monday-09:30`.

    Raises:
        LookupError: the clauses are not those of a schedule.
    """
    lengths = _lengths(clauses)
    begins = _begins(clauses, lengths)
    asked = clauses[-1]
    moment = begins[asked.word("a")]
    if asked.kind == "ask_end":
        moment += lengths[asked.word("a")]
    day, minutes = divmod(moment + _shift(clauses), DAY_MIN)
    return f"{DAYS[day].lower()}-{clock(minutes)}"


def _lengths(clauses: Sequence[Clause]) -> Lengths:
    """Return how many minutes each lesson takes."""
    lengths = {c.word("a"): c.number("n") for c in clauses if c.kind == "lasts"}
    lengths |= {c.word("a"): c.number("n") for c in clauses if c.kind == "fix"}
    for clause in clauses:
        if clause.kind in ("lasts_same", "lasts_twice"):
            times = 2 if clause.kind == "lasts_twice" else 1
            lengths[clause.word("a")] = times * lengths[clause.word("b")]
    return lengths


_BEGINS: Final[Mapping[str, Callable[[Clause, Begins, Lengths], int]]] = {
    "at_end": lambda c, begins, lengths: _end(c.word("b"), begins, lengths),
    "after_end": lambda c, begins, lengths: (
        _end(c.word("b"), begins, lengths) + c.number("n")
    ),
    "after_start": lambda c, begins, _: begins[c.word("b")] + c.number("n"),
    "before_start": lambda c, begins, lengths: (
        begins[c.word("b")] - c.number("n") - lengths[c.word("a")]
    ),
    "days_later": lambda c, begins, _: begins[c.word("b")] + c.number("n") * DAY_MIN,
}


def _end(name: str, begins: Begins, lengths: Lengths) -> int:
    return begins[name] + lengths[name]


def _begins(clauses: Sequence[Clause], lengths: Lengths) -> Begins:
    """Return when each lesson begins, before all are moved."""
    begins = {
        c.word("a"): DAYS.index(c.word("day")) * DAY_MIN + c.number("at")
        for c in clauses
        if c.kind == "begins"
    }
    waiting = [clause for clause in clauses if clause.kind in _BEGINS]
    while waiting:
        ready = [clause for clause in waiting if clause.word("b") in begins]
        if not ready:
            raise LookupError("a lesson told from itself")
        for clause in ready:
            begins[clause.word("a")] = _BEGINS[clause.kind](clause, begins, lengths)
        waiting = [clause for clause in waiting if clause not in ready]
    return begins


def _shift(clauses: Sequence[Clause]) -> int:
    signs = {"all_later": 1, "all_earlier": -1}
    return sum(signs[c.kind] * c.number("n") for c in clauses if c.kind in signs)


def draw(dice: Dice, cast: Sequence[str]) -> tuple[tuple[Clause, ...], ...]:
    """Return a schedule whose question is about the first of the cast."""
    clauses = least_idle(
        ATTEMPTS,
        lambda: _attempt(dice, cast[:LESSONS]),
        _idle,
    )
    return staged(clauses[:-3], *([clause] for clause in clauses[-3:]))


def _idle(clauses: Sequence[Clause]) -> int:
    """Return how many clauses are idle, but for one; a length often is."""
    fix = next(at for at, clause in enumerate(clauses) if clause.kind == "fix")
    without = [*clauses[:fix], *clauses[fix + 1 :]]
    if answer(without) == answer(clauses):
        return len(clauses)
    return max(0, idle(clauses, _loose, 0) - 1)


def _loose(clauses: Sequence[Clause]) -> str:
    """Return the answer, or nothing where a clause is out that others need."""
    try:
        return answer(clauses)
    except LookupError:
        return ""


def _attempt(dice: Dice, cast: Sequence[str]) -> list[Clause] | None:
    """Return a schedule, or None when a lesson would fall into the night."""
    chain = [*dice.shuffled(cast[1:]), cast[0]]
    start = dice.between(8 * 12, 15 * 12) * 5
    clauses = [Clause.of("begins", a=chain[0], day=DAYS[dice.below(4)], at=start)]
    clauses += _length_clauses(dice, chain)
    links = dice.sample(tuple(_BEGINS), LESSONS - 1)
    for (before, name), kind in zip(pairwise(chain), links, strict=True):
        clauses.append(_link(dice, kind, name, before))
    fixed = dice.choice([c for c in clauses if c.kind == "lasts"])
    wrong = fixed.number("n")
    right = (wrong // 5 - 4 + dice.between(1, 14)) % 15 * 5 + 20
    clauses.append(Clause.of("fix", a=fixed.word("a"), n=right, m=wrong))
    moved = dice.choice(("all_later", "all_earlier"))
    clauses.append(Clause.of(moved, n=dice.between(2, 11) * 5))
    asked = dice.choice(("ask_begin", "ask_end"))
    clauses.append(Clause.of(asked, a=cast[0]))
    return clauses if _is_by_day(clauses, chain) else None


def _length_clauses(dice: Dice, chain: Sequence[str]) -> list[Clause]:
    """Return how long each takes; one is told from another."""
    *plain, told = dice.shuffled(chain)
    lengths = dice.sample(range(4, 19), len(plain))
    clauses = [
        Clause.of("lasts", a=name, n=length * 5)
        for name, length in zip(plain, lengths, strict=True)
    ]
    kind = dice.choice(("lasts_same", "lasts_twice"))
    return [*clauses, Clause.of(kind, a=told, b=dice.choice(plain))]


def _link(dice: Dice, kind: str, name: str, before: str) -> Clause:
    if kind == "at_end":
        return Clause.of(kind, a=name, b=before)
    if kind == "days_later":
        return Clause.of(kind, a=name, b=before, n=dice.between(2, 3))
    return Clause.of(kind, a=name, b=before, n=dice.between(2, 11) * 5)


def _is_by_day(clauses: Sequence[Clause], chain: Sequence[str]) -> bool:
    """Tell whether every lesson lies within one day, before and after the move."""
    lengths = _lengths(clauses)
    begins = _begins(clauses, lengths)
    for shift in (0, _shift(clauses)):
        for name in chain:
            first = begins[name] + shift
            last = first + lengths[name]
            minute = first % DAY_MIN
            if minute < EARLIEST_MIN or minute + lengths[name] > LATEST_MIN:
                return False
            if not 0 <= first < last < len(DAYS) * DAY_MIN:
                return False
    return True
