"""Programs in words: a list of numbers, and what is done to it in turn (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from moltp2p.proof.dice import Dice
from moltp2p.proof.sensitive import idle, least_idle
from moltp2p.proof.world import Clause, Kinds, kinds, staged

NUMBERS: Final = 7
STEPS: Final = 5
MOST: Final = 99
SHOWN: Final = range(3, 6)
"""How many numbers an answer may have."""
ATTEMPTS: Final = 12

KINDS: Final[Kinds] = kinds(
    list="numbers",
    drop_below="n",
    drop_above="n",
    drop_even="",
    drop_odd="",
    drop_multiples="n",
    drop_first="",
    drop_last="",
    drop_least="",
    drop_greatest="",
    keep_first="n",
    keep_last="n",
    remove="nth",
    reverse="",
    ascending="",
    descending="",
    add="n",
    subtract="n",
    double="",
    add_first="n",
    add_last="n",
    to_end="",
    to_front="",
    swap_ends="",
    swap_first="",
    swap_last="",
    replace="m n",
    append="n",
    prepend="n",
    compare="n",
    correct="n m",
    undo="",
    ask_all="",
    ask_back="",
    ask_first="n",
    ask_last="n",
)

Numbers = list[int]


def _drop(keep: Callable[[int, int], bool]) -> Callable[[Numbers, Clause], Numbers]:
    return lambda row, step: [each for each in row if keep(each, step.number("n"))]


def _replace(row: Numbers, step: Clause) -> Numbers:
    old, new = step.number("m"), step.number("n")
    return [new if each == old else each for each in row]


def _remove(row: Numbers, step: Clause) -> Numbers:
    at = step.number("nth") - 1
    return row[:at] + row[at + 1 :]


def _compare(row: Numbers, step: Clause) -> Numbers:
    """Reverse the list when its first is greater than its last, else add to all."""
    if row[0] > row[-1]:
        return row[::-1]
    return [each + step.number("n") for each in row]


_EFFECTS: Final[Mapping[str, Callable[[Numbers, Clause], Numbers]]] = {
    "drop_below": _drop(lambda each, n: each >= n),
    "drop_above": _drop(lambda each, n: each <= n),
    "drop_even": lambda row, _: [each for each in row if each % 2],
    "drop_odd": lambda row, _: [each for each in row if each % 2 == 0],
    "drop_multiples": _drop(lambda each, n: each % n > 0),
    "drop_first": lambda row, _: row[1:],
    "drop_last": lambda row, _: row[:-1],
    "drop_least": lambda row, _: [each for each in row if each != min(row)],
    "drop_greatest": lambda row, _: [each for each in row if each != max(row)],
    "keep_first": lambda row, step: row[: step.number("n")],
    "keep_last": lambda row, step: row[-step.number("n") :],
    "remove": _remove,
    "reverse": lambda row, _: row[::-1],
    "ascending": lambda row, _: sorted(row),
    "descending": lambda row, _: sorted(row, reverse=True),
    "add": lambda row, step: [each + step.number("n") for each in row],
    "subtract": lambda row, step: [each - step.number("n") for each in row],
    "double": lambda row, _: [each * 2 for each in row],
    "add_first": lambda row, step: [row[0] + step.number("n"), *row[1:]],
    "add_last": lambda row, step: [*row[:-1], row[-1] + step.number("n")],
    "to_end": lambda row, _: row[1:] + row[:1],
    "to_front": lambda row, _: row[-1:] + row[:-1],
    "swap_ends": lambda row, _: row[-1:] + row[1:-1] + row[:1],
    "swap_first": lambda row, _: [row[1], row[0], *row[2:]],
    "swap_last": lambda row, _: [*row[:-2], row[-1], row[-2]],
    "replace": _replace,
    "append": lambda row, step: [*row, step.number("n")],
    "prepend": lambda row, step: [step.number("n"), *row],
    "compare": _compare,
}

_QUERIES: Final[Mapping[str, Callable[[Numbers, Clause], Numbers]]] = {
    "ask_all": lambda row, _: row,
    "ask_back": lambda row, _: row[::-1],
    "ask_first": lambda row, q: row[: q.number("n")],
    "ask_last": lambda row, q: row[-q.number("n") :],
}


def answer(clauses: Sequence[Clause]) -> str:
    """Return the numbers that are asked for, joined by hyphens.

    Raises:
        LookupError: the clauses are not those of a program.
    """
    shown = _shown(clauses)
    return "-".join(map(str, shown))


def _shown(clauses: Sequence[Clause]) -> Numbers:
    row = _run(clauses[:-1])
    return _QUERIES[clauses[-1].kind](row, clauses[-1])


def _run(clauses: Sequence[Clause]) -> Numbers:
    numbers = clauses[0]["numbers"]
    row = [int(each) for each in numbers] if isinstance(numbers, tuple) else []
    for step in _final(clauses[1:]):
        row = _EFFECTS[step.kind](row, step)
    return row


def _final(steps: Sequence[Clause]) -> list[Clause]:
    """Return the steps that are left when those taken back are taken back."""
    left: list[Clause] = []
    for step in steps:
        if step.kind == "undo":
            left.pop()
        elif step.kind == "correct":
            left[-1] = left[-1].replaced("n", step["n"])
        else:
            left.append(step)
    return left


def draw(dice: Dice, cast: Sequence[str]) -> tuple[tuple[Clause, ...], ...]:
    """Return a program; nobody of the cast is in it."""
    del cast
    clauses = least_idle(
        ATTEMPTS, lambda: _attempt(dice), lambda each: idle(each, _loose, 1)
    )
    return staged(*([clause] for clause in clauses))


def _loose(clauses: Sequence[Clause]) -> str:
    """Return the answer, or nothing where a step was left out that another needs."""
    try:
        return answer(clauses)
    except LookupError:
        return ""


_ORDERING: Final = ("reverse", "ascending", "descending")
_CHANGING: Final = ("add", "subtract", "compare", "double", "add_first", "add_last")
_MOVING: Final = ("to_end", "to_front", "swap_ends", "swap_first", "swap_last")
_PUTTING: Final = ("append", "prepend", "replace")
_THINNING: Final = tuple(
    kind for kind in _EFFECTS if kind[:4] in ("drop", "keep", "remo")
)


def _attempt(dice: Dice) -> list[Clause] | None:
    """Return a program, or None when its numbers come out too great or too few."""
    row = dice.sample(range(2, 60), NUMBERS)
    clauses = [Clause.of("list", numbers=tuple(row))]
    groups = (_ORDERING, _CHANGING, _MOVING, _PUTTING, _THINNING)
    steps = [_step(dice, dice.choice(kinds_), row) for kinds_ in dice.shuffled(groups)]
    amended = dice.below(STEPS)
    for at, step in enumerate(steps):
        clauses.append(step)
        if at == amended:
            clauses.append(_amendment(dice, step))
    clauses.append(_question(dice))
    return clauses if _is_good(clauses) else None


def _step(dice: Dice, kind: str, row: Sequence[int]) -> Clause:
    """Return a step of a kind, with numbers that mean something to this list."""
    slots: dict[str, int] = {}
    if kind == "remove":
        slots["nth"] = dice.between(2, 4)
    if kind == "replace":
        slots["m"] = dice.choice(row)
    if "n" in KINDS[kind]:
        slots["n"] = _number(dice, kind, sorted(row))
    return Clause.of(kind, **slots)


def _number(dice: Dice, kind: str, ordered: Sequence[int]) -> int:
    match kind:
        case "drop_below":
            return ordered[dice.between(1, 2)]
        case "drop_above":
            return ordered[-dice.between(2, 3)]
        case _:
            return dice.between(*_RANGES.get(kind, (2, 9)))


_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "replace": (61, 90),
    "append": (2, 90),
    "prepend": (2, 90),
    "keep_first": (3, 5),
    "keep_last": (3, 5),
    "drop_multiples": (3, 5),
}


def _amendment(dice: Dice, step: Clause) -> Clause:
    """Return what takes a step back, or changes its number to another that fits."""
    if "n" not in KINDS[step.kind] or step.kind in _UNCHANGED:
        return Clause.of("undo")
    told = step.number("n")
    return Clause.of("correct", n=told + dice.between(1, 8), m=told)


_UNCHANGED: Final = ("keep_first", "keep_last", "drop_multiples")


def _question(dice: Dice) -> Clause:
    kind = dice.choice(("ask_all", "ask_back", "ask_first", "ask_last"))
    if "n" in KINDS[kind]:
        return Clause.of(kind, n=dice.choice(SHOWN[:2]))
    return Clause.of(kind)


def _is_good(clauses: Sequence[Clause]) -> bool:
    """Tell whether every number stays in bounds, and the steps mean one thing."""
    done: list[Clause] = [clauses[0]]
    for clause in clauses[1:-1]:
        done.append(clause)
        row = _run(done)
        if not all(0 < each <= MOST for each in row) or len(set(row)) < len(row):
            return False
        if len(row) < SHOWN[0]:
            return False
    row, asked = _run(done), clauses[-1]
    if not all(step["m"] in _before(done, step) for step in done if _is_swap(step)):
        return False
    if "n" in KINDS[asked.kind]:
        return len(row) > asked.number("n")
    return len(row) in SHOWN


def _is_swap(step: Clause) -> bool:
    return step.kind == "replace"


def _before(clauses: Sequence[Clause], step: Clause) -> Numbers:
    return _run(clauses[: clauses.index(step)])
