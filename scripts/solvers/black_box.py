"""Scripts that have never seen a pack: they know the families and plain English words.

Each is told which family a text is of. Those that learn do so from other tasks with
their answers, as somebody might collect them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from moltp2p.proof.answers import json_answer
from moltp2p.proof.cast import DAYS, GOODS, HUES, NAMES
from moltp2p.proof.dice import Dice
from moltp2p.proof.numerals import NUMBER_WORDS
from moltp2p.proof.world import Family
from scripts.solvers.exam import Solver, Task

_WORDS: Final = re.compile(r"\d+:\d\d|\d+(?!\w)|[A-Za-z]+(?:-[a-z]+)?")
_FORM_NUMBERS: Final = re.compile(r"Answer with .*$")


def words_of(task: Task) -> list[str]:
    """Return the words and numerals of a text, without how to answer."""
    return _WORDS.findall(_FORM_NUMBERS.sub("", task.text))


def numbers_of(task: Task) -> list[int]:
    """Return the numbers of a text in order, those in words too."""
    return [
        int(word) if word.isdigit() else NUMBER_WORDS[word.lower()]
        for word in words_of(task)
        if word.isdigit() or (word.lower() in NUMBER_WORDS and word.lower() != "one")
    ]


def found(task: Task, words: Sequence[str]) -> list[str]:
    """Return the words of a list that a text has, in order, without repeats."""
    known = {word.lower(): word for word in words}
    told = (known.get(word.lower()) for word in words_of(task))
    return list(dict.fromkeys(word for word in told if word))


def times_of(task: Task) -> list[str]:
    """Return the times of day in a text."""
    return [word for word in words_of(task) if ":" in word]


def guess(dice: Dice) -> Solver:
    """Return the solver that puts together what the text offers, by chance."""

    def seats(task: Task) -> str:
        # A third part that is a colour is the likeliest shape of an answer.
        names, hues = found(task, NAMES), found(task, HUES)
        parts = [*dice.sample(names, 2), dice.choice(hues)]
        return "-".join(dice.shuffled(parts)).lower()

    def schedule(task: Task) -> str:
        hour, minute = dice.between(8, 19), 5 * dice.below(12)
        day = dice.choice(found(task, DAYS)).lower()
        return f"{day}-{hour:02}:{minute:02}"

    def program(task: Task) -> str:
        numbers = list(dict.fromkeys(numbers_of(task)))
        return "-".join(map(str, dice.sample(numbers, dice.between(3, 4))))

    def ledger(task: Task) -> str:
        del task
        return str(dice.between(10, 90))

    def form(task: Task) -> str:
        return _form(task, dice.choice(numbers_of(task)))

    return by_family(
        {
            Family.LEDGER: ledger,
            Family.SEATS: seats,
            Family.PROGRAM: program,
            Family.FORM: form,
            Family.SCHEDULE: schedule,
        }
    )


def by_family(solvers: Mapping[Family, Callable[[Task], str | None]]) -> Solver:
    """Return one solver of several; one that stumbles has no answer."""

    def solve(task: Task) -> str | None:
        try:
            return solvers[task.family](task)
        except (LookupError, ValueError):
            return None

    return solve


def _form(task: Task, number: int) -> str:
    """Return an order with each sort of goods in the number that stands before it."""
    words = words_of(task)
    made: dict[str, str | int] = {
        "customer": found(task, NAMES)[-1],
        "day": found(task, DAYS)[0],
    }
    for at, word in enumerate(words):
        if word.lower() in GOODS:
            near = [w for w in words[max(0, at - 3) : at + 4] if w.isdigit()]
            made[word.lower()] = int(near[0]) if near else number
    return json_answer(made)


def majority(known: Sequence[Task]) -> Solver:
    """Return the solver that says what was right most often in its family."""
    counts: dict[Family, Counter[str]] = {family: Counter() for family in Family}
    for task in known:
        counts[task.family][task.right] += 1
    best = {family: count.most_common(1) for family, count in counts.items()}
    return lambda task: best[task.family][0][0] if best[task.family] else None


def last_value(task: Task) -> str | None:
    """Return what was said last: of numbers, of names, of times."""
    try:
        return _LAST[task.family](task)
    except LookupError:
        return None


_LAST: Final[Mapping[Family, Callable[[Task], str]]] = {
    Family.LEDGER: lambda task: str(numbers_of(task)[-1]),
    Family.SEATS: lambda task: "-".join(
        [*found(task, NAMES)[-2:], found(task, HUES)[-1]]
    ).lower(),
    Family.PROGRAM: lambda task: "-".join(map(str, numbers_of(task)[-3:])),
    Family.FORM: lambda task: _form(task, numbers_of(task)[-1]),
    Family.SCHEDULE: lambda task: (
        f"{found(task, DAYS)[-1].lower()}-{times_of(task)[-1]}"
    ),
}


def first_value(task: Task) -> str | None:
    """Return what was so at the beginning, as if nothing had happened since."""
    try:
        return _FIRST[task.family](task)
    except LookupError:
        return None


_FIRST: Final[Mapping[Family, Callable[[Task], str]]] = {
    Family.LEDGER: lambda task: str(_first_of_asked(task)),
    Family.SEATS: lambda task: "-".join(
        [*found(task, NAMES)[:2], found(task, HUES)[0]]
    ).lower(),
    Family.PROGRAM: lambda task: "-".join(map(str, numbers_of(task)[:3])),
    Family.FORM: lambda task: _form(task, numbers_of(task)[0]),
    Family.SCHEDULE: lambda task: f"{found(task, DAYS)[0].lower()}-{times_of(task)[0]}",
}


def _first_of_asked(task: Task) -> int:
    """Return the first number in the sentence that first names who is asked about."""
    sentences = re.split(r"(?<=[.?;]) ", _FORM_NUMBERS.sub("", task.text).strip())
    asked = next(n for n in NAMES if n in sentences[-1])
    first = next(s for s in sentences if asked in s)
    return numbers_of(Task(task.family, first, ""))[0]


def number_bag(known: Sequence[Task]) -> Solver:
    """Return the solver that makes of a text's numbers what was right most often.

    Each recipe takes the bag of numbers and does sums with it, blind to the words.
    """
    scores: Counter[tuple[Family, int]] = Counter()
    for task in known:
        for at, recipe in enumerate(_RECIPES):
            scores[task.family, at] += _cooked(recipe, task) == task.right
    best = {
        family: max(range(len(_RECIPES)), key=lambda at: scores[family, at])
        for family in Family
    }
    return lambda task: _cooked(_RECIPES[best[task.family]], task)


def _cooked(recipe: Callable[[list[int]], list[int]], task: Task) -> str | None:
    try:
        made = recipe(numbers_of(task))
        if task.family is Family.FORM:
            return _form(task, made[0])
        if task.family is Family.SCHEDULE:
            return _moved(task, made[0])
    except (LookupError, ValueError):
        return None
    return "-".join(map(str, made))


def _moved(task: Task, by: int) -> str:
    hour, minute = map(int, times_of(task)[0].split(":"))
    total = (hour * 60 + minute + by) % (24 * 60)
    return f"{found(task, DAYS)[0].lower()}-{total // 60:02}:{total % 60:02}"


_RECIPES: Final[Sequence[Callable[[list[int]], list[int]]]] = (
    lambda n: [sum(n)],
    lambda n: [sum(n[:4])],
    lambda n: [sum(n[:4]) + sum(n[4:])],
    lambda n: [sum(n[:4]) - sum(n[4:])],
    lambda n: [sum(n[:2])],
    lambda n: [sum(n[:2]) + n[4] - n[5]],
    lambda n: [n[0] + n[4]],
    lambda n: [n[0] - n[4]],
    lambda n: [n[0] + sum(n[4:])],
    lambda n: [n[0] - sum(n[4:])],
    lambda n: [abs(n[0] - n[1])],
    lambda n: [max(n)],
    lambda n: [min(n)],
    lambda n: [2 * n[0]],
    lambda n: [sorted(n)[len(n) // 2]],
    lambda n: n[:3],
    lambda n: n[:4],
    lambda n: sorted(n[:7])[:3],
    lambda n: sorted(n[:7], reverse=True)[:3],
    lambda n: [each + n[7] for each in n[:3]],
    lambda n: [each - n[7] for each in n[:3]],
    lambda n: n[6:3:-1],
    lambda n: sorted(n[:7])[:4],
    lambda n: sorted(n[:7], reverse=True)[:4],
    lambda n: sorted(n[:7])[2:],
    lambda n: [n[0] + n[1] + n[2]],
    lambda n: [sum(n[:-1]) - n[-1]],
)
