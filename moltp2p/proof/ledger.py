"""Ledger worlds: who has how many, after gains, gifts and corrections (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from moltp2p.proof.dice import Dice
from moltp2p.proof.sensitive import idle, least_idle
from moltp2p.proof.world import Clause, Kinds, Slot, kinds, staged

ACTORS: Final = 4
PLAIN: Final = 2
"""Of so many it is said in a number what they begin with."""
MOST: Final = 120
"""Nobody ever holds more."""
ATTEMPTS: Final = 16

KINDS: Final[Kinds] = kinds(
    start="a n",
    start_more="a b n",
    start_fewer="a b n",
    start_twice="a b",
    start_same="a b",
    gain="a n",
    lose="a n",
    give="a b n",
    swap="a b",
    double="a",
    match="a b",
    half="a b",
    all="a b",
    halve="a",
    richer="a b n",
    each_gain="a b n",
    each_lose="a b n",
    again="",
    correct="n m",
    ask_one="a",
    ask_both="a b",
    ask_gap="a b",
    ask_rest="a",
)

Holdings = dict[str, int]


def answer(clauses: Sequence[Clause]) -> str:
    """Return what a ledger's question comes to.

    Raises:
        KeyError, IndexError: the clauses are not those of a ledger.
    """
    holds: Holdings = {}
    for clause in _steps(clauses[:-1]):
        _EFFECTS[clause.kind](holds, clause)
    return str(_QUERIES[clauses[-1].kind](holds, clauses[-1]))


def _steps(clauses: Sequence[Clause]) -> list[Clause]:
    """Return the clauses with corrections made, and repeated steps twice."""
    steps: list[Clause] = []
    for clause in clauses:
        if clause.kind == "correct":
            steps[-1] = steps[-1].replaced("n", clause["n"])
        else:
            steps.append(steps[-1] if clause.kind == "again" else clause)
    return steps


def _start(holds: Holdings, clause: Clause) -> None:
    holds[clause.word("a")] = clause.number("n")


def _start_from(times: int, sign: int) -> Callable[[Holdings, Clause], None]:
    """Return the effect that sets `a` to so many times `b`, and `n` more or less."""

    def effect(holds: Holdings, clause: Clause) -> None:
        more = sign * clause.number("n") if sign else 0
        holds[clause.word("a")] = times * holds[clause.word("b")] + more

    return effect


def _gain(holds: Holdings, clause: Clause) -> None:
    holds[clause.word("a")] += clause.number("n")


def _lose(holds: Holdings, clause: Clause) -> None:
    holds[clause.word("a")] -= clause.number("n")


def _give(holds: Holdings, clause: Clause) -> None:
    _move(holds, clause.word("a"), clause.word("b"), clause.number("n"))


def _swap(holds: Holdings, clause: Clause) -> None:
    a, b = clause.word("a"), clause.word("b")
    holds[a], holds[b] = holds[b], holds[a]


def _double(holds: Holdings, clause: Clause) -> None:
    holds[clause.word("a")] *= 2


def _match(holds: Holdings, clause: Clause) -> None:
    holds[clause.word("a")] = holds[clause.word("b")]


def _half(holds: Holdings, clause: Clause) -> None:
    a, b = clause.word("a"), clause.word("b")
    _move(holds, a, b, holds[a] // 2)


def _all(holds: Holdings, clause: Clause) -> None:
    _move(holds, clause.word("a"), clause.word("b"), holds[clause.word("a")])


def _halve(holds: Holdings, clause: Clause) -> None:
    holds[clause.word("a")] //= 2


def _each_gain(holds: Holdings, clause: Clause) -> None:
    for slot in "ab":
        holds[clause.word(slot)] += clause.number("n")


def _each_lose(holds: Holdings, clause: Clause) -> None:
    for slot in "ab":
        holds[clause.word(slot)] -= clause.number("n")


def _richer(holds: Holdings, clause: Clause) -> None:
    a, b = clause.word("a"), clause.word("b")
    if holds[a] < holds[b]:
        a, b = b, a
    _move(holds, a, b, clause.number("n"))


def _move(holds: Holdings, giver: str, taker: str, count: int) -> None:
    holds[giver] -= count
    holds[taker] += count


_EFFECTS: Final[Mapping[str, Callable[[Holdings, Clause], None]]] = {
    "start": _start,
    "start_more": _start_from(1, 1),
    "start_fewer": _start_from(1, -1),
    "start_twice": _start_from(2, 0),
    "start_same": _start_from(1, 0),
    "gain": _gain,
    "lose": _lose,
    "give": _give,
    "swap": _swap,
    "double": _double,
    "match": _match,
    "half": _half,
    "all": _all,
    "halve": _halve,
    "richer": _richer,
    "each_gain": _each_gain,
    "each_lose": _each_lose,
}

_QUERIES: Final[Mapping[str, Callable[[Holdings, Clause], int]]] = {
    "ask_one": lambda holds, q: holds[q.word("a")],
    "ask_both": lambda holds, q: holds[q.word("a")] + holds[q.word("b")],
    "ask_gap": lambda holds, q: abs(holds[q.word("a")] - holds[q.word("b")]),
    "ask_rest": lambda holds, q: sum(holds.values()) - holds[q.word("a")],
}


def draw(dice: Dice, cast: Sequence[str]) -> tuple[tuple[Clause, ...], ...]:
    """Return a ledger whose question is about the first of the cast."""
    clauses = least_idle(
        ATTEMPTS,
        lambda: _attempt(dice, cast[:ACTORS]),
        lambda clauses: idle(clauses, answer, ACTORS),
    )
    events = ([event] for event in clauses[ACTORS:])
    return staged(clauses[:PLAIN], clauses[PLAIN:ACTORS], *events)


def _attempt(dice: Dice, actors: Sequence[str]) -> list[Clause] | None:
    """Return a ledger, or None when somebody would have had too few or too many."""
    clauses = _starts(dice, dice.shuffled(actors))
    holds: Holdings = {}
    for clause in clauses:
        _EFFECTS[clause.kind](holds, clause)
    order = dice.shuffled([*dice.sample(_COUNTED, 2), *dice.sample(_PLAIN, 3)])
    corrected = dice.choice([kind for kind in order if kind in _COUNTED])
    repeated = dice.below(3)
    for kind in order:
        told = _event(dice, kind, holds)
        steps = [told]
        if kind == corrected:
            steps.append(_correction(dice, told))
        if kind == corrected and repeated == 0:
            steps.append(Clause.of("again"))
        clauses += steps
        for step in _steps(steps):
            if not _can_be(holds, step):
                return None
            _EFFECTS[kind](holds, step)
    return [*clauses, _question(dice, actors)]


def _starts(dice: Dice, actors: Sequence[str]) -> list[Clause]:
    """Return what each begins with, two of them told from the other two."""
    plain, told = actors[:PLAIN], actors[PLAIN:]
    clauses = [Clause.of("start", a=name, n=dice.between(12, 30)) for name in plain]
    ways = ("start_more", "start_fewer", "start_twice", "start_same")
    for name, kind in zip(told, dice.sample(ways, len(told)), strict=True):
        slots: dict[str, Slot] = {"a": name, "b": dice.choice(plain)}
        if "n" in KINDS[kind]:
            slots["n"] = dice.between(2, 10)
        clauses.append(Clause.of(kind, **slots))
    return clauses


_COUNTED: Final = ("gain", "lose", "give", "richer", "each_gain", "each_lose")
_PLAIN: Final = ("swap", "double", "match", "half", "all", "halve")


def _event(dice: Dice, kind: str, holds: Holdings) -> Clause:
    a, b = dice.sample(list(holds), 2)
    if kind == "match" and holds[a] > holds[b]:
        a, b = b, a
    values: dict[str, Slot] = {"a": a, "b": b, "n": dice.between(2, 15)}
    return Clause(kind, tuple((s, values[s]) for s in "abn" if s in KINDS[kind]))


def _correction(dice: Dice, told: Clause) -> Clause:
    wrong = told.number("n")
    right = (wrong - 2 + dice.between(1, 13)) % 14 + 2
    return Clause.of("correct", n=right, m=wrong)


def _can_be(holds: Holdings, step: Clause) -> bool:
    """Tell whether a step can happen, and can be told in one way only."""
    after = dict(holds)
    _EFFECTS[step.kind](after, step)
    if not all(0 <= count <= MOST for count in after.values()):
        return False
    if step.kind in ("half", "halve"):
        return holds[step.word("a")] % 2 == 0 < holds[step.word("a")]
    if "b" in KINDS[step.kind]:
        return holds[step.word("a")] != holds[step.word("b")]
    return True


def _question(dice: Dice, actors: Sequence[str]) -> Clause:
    kind = dice.choice(("ask_one", "ask_both", "ask_gap", "ask_rest"))
    other = dice.choice(actors[1:])
    if "b" in KINDS[kind]:
        return Clause.of(kind, a=actors[0], b=other)
    return Clause.of(kind, a=actors[0])
