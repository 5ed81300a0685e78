"""Rows of people: who stands where, in which colour, after a change (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Final

from moltp2p.proof.cast import HUES
from moltp2p.proof.dice import Dice
from moltp2p.proof.sensitive import least_idle
from moltp2p.proof.world import Clause, Kinds, kinds, staged

PLACES: Final = 5
ATTEMPTS: Final = 6

KINDS: Final[Kinds] = kinds(
    row="names hues",
    at="a nth",
    ahead="a b",
    behind="a b",
    two_ahead="a b",
    two_behind="a b",
    wears="a hue",
    place_wears="nth hue",
    ahead_wears="a hue",
    behind_wears="a hue",
    trade="a b",
    ask="parts",
    ask_place="nth",
    ask_hue_at="nth",
    ask_hue_of="a",
    ask_ahead="a",
    ask_behind="a",
)
"""Ahead and behind mean directly so; `two_` means with exactly one between. What
is told of places holds before the trade, what is asked after it."""

Row = Sequence[str]

_STEPS: Final = {"ahead": -1, "behind": 1, "two_ahead": -2, "two_behind": 2}
"""For each kind that relates two: the place of `a`, counted from that of `b`."""

_WEARERS: Final[Mapping[str, Callable[[Row, Clause], str]]] = {
    "wears": lambda _, clause: clause.word("a"),
    "place_wears": lambda row, clause: row[clause.number("nth") - 1],
    "ahead_wears": lambda row, clause: _beside(row, clause.word("a"), -1),
    "behind_wears": lambda row, clause: _beside(row, clause.word("a"), 1),
}
"""For each kind that tells a colour: who wears it."""

_QUERIES: Final[Mapping[str, Callable[[Row, Mapping[str, str], Clause], str]]] = {
    "ask_place": lambda row, _, q: row[q.number("nth") - 1],
    "ask_hue_at": lambda row, hues, q: hues[row[q.number("nth") - 1]],
    "ask_hue_of": lambda _, hues, q: hues[q.word("a")],
    "ask_ahead": lambda row, _, q: _beside(row, q.word("a"), -1),
    "ask_behind": lambda row, _, q: _beside(row, q.word("a"), 1),
}


def _beside(row: Row, name: str, step: int) -> str:
    place = row.index(name) + step
    if place < 0:
        raise IndexError(place)
    return row[place]


def answer(clauses: Sequence[Clause]) -> str:
    """Return the parts that are asked for, joined by hyphens.

    Raises:
        LookupError, ValueError: the clauses are not those of a row.
    """
    row = _row(clauses)
    hues = _hues(clauses, row)
    for clause in clauses:
        if clause.kind == "trade":
            row = _traded(row, clause)
    asked = [clause for clause in clauses if clause.kind in _QUERIES]
    return "-".join(_QUERIES[q.kind](row, hues, q) for q in asked).lower()


def rows(clauses: Sequence[Clause]) -> list[tuple[str, ...]]:
    """Return every row that all clauses about places hold for."""
    told = [clause for clause in clauses if clause.kind in {"at", *_STEPS}]
    every = permutations(clauses[0].words("names"))
    return [row for row in every if all(_holds(row, each) for each in told)]


def _row(clauses: Sequence[Clause]) -> Row:
    return rows(clauses)[0]


def _holds(row: Row, clause: Clause) -> bool:
    place = row.index(clause.word("a"))
    if clause.kind == "at":
        return place == clause.number("nth") - 1
    return place - row.index(clause.word("b")) == _STEPS[clause.kind]


def _hues(clauses: Sequence[Clause], row: Row) -> dict[str, str]:
    told = [clause for clause in clauses if clause.kind in _WEARERS]
    hues = {_WEARERS[each.kind](row, each): each.word("hue") for each in told}
    left = [name for name in row if name not in hues]
    spare = [hue for hue in clauses[0].words("hues") if hue not in hues.values()]
    return hues | dict(zip(left, spare, strict=False))


def _traded(row: Row, clause: Clause) -> Row:
    a, b = clause.word("a"), clause.word("b")
    return [{a: b, b: a}.get(name, name) for name in row]


def draw(dice: Dice, cast: Sequence[str]) -> tuple[tuple[Clause, ...], ...]:
    """Return a row whose question names the first of the cast."""
    # The trade alone can be idle: everything else is needed to know the row.
    clauses = least_idle(
        ATTEMPTS,
        lambda: _attempt(dice, cast[:PLACES]),
        lambda each: answer(each) == untraded(each),
    )
    return staged(clauses[:1], clauses[1:-4], clauses[-4:-3], clauses[-3:])


def untraded(clauses: Sequence[Clause]) -> str:
    """Return the answer without the trade, or nothing where it has none."""
    try:
        return answer([clause for clause in clauses if clause.kind != "trade"])
    except LookupError:
        return ""


def _attempt(dice: Dice, cast: Sequence[str]) -> list[Clause]:
    row = dice.shuffled(cast)
    hues = dict(zip(row, dice.sample(HUES, PLACES), strict=True))
    told = dice.shuffled(list(hues.values()))
    head = Clause.of("row", names=tuple(dice.shuffled(row)), hues=tuple(told))
    trade = Clause("trade", tuple(zip("ab", dice.sample(row, 2), strict=True)))
    after = _traded(row, trade)
    return [
        head,
        *_place_clues(dice, row),
        *_hue_clues(dice, row, hues),
        trade,
        *_question(dice, after, cast[0]),
    ]


def _place_clues(dice: Dice, row: Row) -> list[Clause]:
    """Return clues of which each but the first hangs on one before it."""
    first, *others = dice.shuffled(row)
    clues = [Clause.of("at", a=first, nth=row.index(first) + 1)]
    known = [first]
    others.pop()  # the last one is found by elimination
    while others:
        a, b, kind = dice.choice(_pairs(row, others, known))
        clues.append(Clause.of(kind, a=a, b=b))
        others.remove(a)
        known.append(a)
    return clues


def _pairs(
    row: Row, others: Sequence[str], known: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Return how somebody still unknown may be told from somebody known."""
    kinds_of = {step: kind for kind, step in _STEPS.items()}
    pairs = ((a, b, row.index(a) - row.index(b)) for a in others for b in known)
    return [(a, b, kinds_of[step]) for a, b, step in pairs if step in kinds_of]


def _hue_clues(dice: Dice, row: Row, hues: Mapping[str, str]) -> list[Clause]:
    clues = []
    for wearer in dice.sample(row, PLACES - 1):
        place = row.index(wearer)
        ways = [
            Clause.of("wears", a=wearer, hue=hues[wearer]),
            Clause.of("place_wears", nth=place + 1, hue=hues[wearer]),
        ]
        if place + 1 < PLACES:
            ways.append(Clause.of("ahead_wears", a=row[place + 1], hue=hues[wearer]))
        if place > 0:
            ways.append(Clause.of("behind_wears", a=row[place - 1], hue=hues[wearer]))
        clues.append(dice.choice(ways))
    return clues


def _question(dice: Dice, row: Row, subject: str) -> list[Clause]:
    """Return three parts: about the subject, about a colour, and about a place."""
    place = row.index(subject)
    beside = [
        *([Clause.of("ask_ahead", a=subject)] if place > 0 else []),
        *([Clause.of("ask_behind", a=subject)] if place + 1 < PLACES else []),
    ]
    nth, mth = dice.sample(range(1, PLACES + 1), 2)
    other = dice.choice([name for name in row if name != subject])
    hue = [Clause.of("ask_hue_at", nth=mth), Clause.of("ask_hue_of", a=other)]
    parts = [dice.choice(beside), dice.choice(hue), Clause.of("ask_place", nth=nth)]
    return dice.shuffled(parts)
