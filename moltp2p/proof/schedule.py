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

LESSONS: Final = 3
ATTEMPTS: Final = 8
DAY_MIN: Final = 24 * 60
EARLIEST_MIN: Final = 6 * 60
LATEST_MIN: Final = 22 * 60

KINDS: Final[Kinds] = kinds(
    begins="a day at",
    ends="a day at",
    lasts="a n",
    lasts_same="a b",
    lasts_twice="a b",
    lasts_longer="a b n",
    lasts_shorter="a b n",
    begin_at_end="a b",
    end_at_begin="a b",
    begin_together="a b",
    end_together="a b",
    begin_after_begin="a b n",
    begin_before_begin="a b n",
    begin_after_end="a b n",
    begin_before_end="a b n",
    end_after_begin="a b n",
    end_before_begin="a b n",
    end_after_end="a b n",
    end_before_end="a b n",
    days_later="a b n",
    days_earlier="a b n",
    fix="a n m",
    all_later="n",
    all_earlier="n",
    ask_begin="a",
    ask_end="a",
)
"""`a` is always the one told about, and `b` the one it is told from: `a` begins, or
ends, so many minutes before, or after, `b` begins, or ends. Days later and earlier
mean the same time of day at which `b` begins."""

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
    told = [clause for clause in clauses if clause.kind in _LENGTHS]

    def settle(clause: Clause) -> bool:
        a, b = clause.word("a"), clause.word("b")
        there, back = _LENGTHS[clause.kind]
        if b in lengths:
            lengths[a] = there(clause, lengths[b])
        elif a in lengths:
            lengths[b] = back(clause, lengths[a])
        return a in lengths

    _settle_all(told, settle)
    return lengths


def _settle_all(clauses: Sequence[Clause], settle: Callable[[Clause], bool]) -> None:
    """Settle clauses, each as soon as one of its two lessons is known."""
    waiting = list(clauses)
    while waiting:
        left = [clause for clause in waiting if not settle(clause)]
        if len(left) == len(waiting):
            raise LookupError("lessons told from each other alone")
        waiting = left


_Length = Callable[[Clause, int], int]
_LENGTHS: Final[Mapping[str, tuple[_Length, _Length]]] = {
    "lasts_same": (lambda _, b: b, lambda _, a: a),
    "lasts_twice": (lambda _, b: 2 * b, lambda _, a: a // 2),
    "lasts_longer": (lambda c, b: b + c.number("n"), lambda c, a: a - c.number("n")),
    "lasts_shorter": (lambda c, b: b - c.number("n"), lambda c, a: a + c.number("n")),
}
"""For each kind: the length of `a` from that of `b`, and the other way round."""


def _begins(clauses: Sequence[Clause], lengths: Lengths) -> Begins:
    """Return when each lesson begins, before all are moved."""
    begins: Begins = {}
    for clause in clauses:
        if clause.kind in ("begins", "ends"):
            at = DAYS.index(clause.word("day")) * DAY_MIN + clause.number("at")
            length = lengths[clause.word("a")] if clause.kind == "ends" else 0
            begins[clause.word("a")] = at - length

    def settle(clause: Clause) -> bool:
        a, b = clause.word("a"), clause.word("b")
        after = _minutes_after(clause, lengths)
        if b in begins:
            begins[a] = begins[b] + after
        elif a in begins:
            begins[b] = begins[a] - after
        return a in begins

    _settle_all([clause for clause in clauses if clause.kind in LINKS], settle)
    return begins


LINKS: Final[Mapping[str, tuple[bool, int, bool]]] = {
    "begin_at_end": (False, 0, True),
    "end_at_begin": (True, 0, False),
    "begin_together": (False, 0, False),
    "end_together": (True, 0, True),
    "begin_after_begin": (False, 1, False),
    "begin_before_begin": (False, -1, False),
    "begin_after_end": (False, 1, True),
    "begin_before_end": (False, -1, True),
    "end_after_begin": (True, 1, False),
    "end_before_begin": (True, -1, False),
    "end_after_end": (True, 1, True),
    "end_before_end": (True, -1, True),
    "days_later": (False, DAY_MIN, False),
    "days_earlier": (False, -DAY_MIN, False),
}
"""For each kind that tells `a` from `b`: whether by the end of `a`; how many minutes
`n` counts for; whether from the end of `b`."""


def _minutes_after(clause: Clause, lengths: Lengths) -> int:
    """Return how long after `b` begins `a` does, in minutes, by a link."""
    by_end, unit, from_end = LINKS[clause.kind]
    after = unit * clause.number("n") if unit else 0
    after += lengths[clause.word("b")] if from_end else 0
    return after - (lengths[clause.word("a")] if by_end else 0)


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
    clauses = [_root(dice, chain[0])]
    clauses += _length_clauses(dice, chain)
    links = dice.sample(tuple(LINKS), LESSONS - 1)
    for (before, name), kind in zip(pairwise(chain), links, strict=True):
        clauses.append(_told(dice, kind, name, before))
    fixed = dice.choice([c for c in clauses if c.kind == "lasts"])
    wrong = fixed.number("n")
    right = (wrong // 5 - 7 + dice.between(1, 8)) % 9 * 5 + 35
    clauses.append(Clause.of("fix", a=fixed.word("a"), n=right, m=wrong))
    moved = dice.choice(("all_later", "all_earlier"))
    clauses.append(Clause.of(moved, n=dice.between(2, 11) * 5))
    asked = dice.choice(("ask_begin", "ask_end"))
    clauses.append(Clause.of(asked, a=cast[0]))
    return clauses if _is_by_day(clauses, chain) else None


def _root(dice: Dice, name: str) -> Clause:
    """Return when the lesson is that all others are told from."""
    at, day = dice.between(8 * 12, 15 * 12) * 5, DAYS[dice.between(1, 4)]
    return Clause.of(dice.choice(("begins", "ends")), a=name, day=day, at=at)


def _length_clauses(dice: Dice, chain: Sequence[str]) -> list[Clause]:
    """Return how long each takes; all are told from that of one."""
    names = dice.shuffled(chain)
    first, *others = names
    told = zip(others, dice.sample(tuple(_LENGTHS), len(others)), strict=True)
    plain = Clause.of("lasts", a=first, n=dice.between(7, 15) * 5)
    return [plain, *(_told(dice, kind, name, first) for name, kind in told)]


def _told(dice: Dice, kind: str, name: str, other: str) -> Clause:
    """Return a clause that tells one from another."""
    if "n" not in KINDS[kind]:
        return Clause.of(kind, a=name, b=other)
    is_in_days = kind in ("days_later", "days_earlier")
    count = dice.between(2, 3) if is_in_days else dice.between(2, 6) * 5
    return Clause.of(kind, a=name, b=other, n=count)


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
