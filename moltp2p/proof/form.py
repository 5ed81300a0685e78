"""Orders in words: what is left when all changes are made, as JSON (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from moltp2p.proof.answers import json_answer
from moltp2p.proof.cast import DAYS, GOODS
from moltp2p.proof.dice import Dice
from moltp2p.proof.sensitive import idle, least_idle
from moltp2p.proof.world import Clause, Kinds, Slot, kinds, staged

ITEMS: Final = 4
PLAIN: Final = 1
"""Of so many it is said in a number how many are wanted at first."""
CHANGES: Final = 6
ATTEMPTS: Final = 8

KINDS: Final[Kinds] = kinds(
    order="a day",
    item="good n",
    item_more="good other n",
    item_fewer="good other n",
    item_twice="good other",
    item_same="good other",
    more="good n",
    fewer="good n",
    set="good n",
    cancel="good",
    double="good",
    halve="good",
    extra="good n",
    same="good other",
    trade="good other",
    instead="good other",
    merge="good other",
    shift="good other n",
    above="good other n",
    below="good other n",
    later="n",
    earlier="n",
    recipient="b",
    revert="",
    ask="",
)

Order = dict[str, str | int]
CUSTOMER: Final = "customer"
DAY: Final = "day"


def order(clauses: Sequence[Clause]) -> Order:
    """Return the order that goes out in the end.

    Raises:
        LookupError, ValueError: the clauses are not those of an order.
    """
    left: list[Clause] = []
    for clause in clauses[:-1]:
        if clause.kind == "revert":
            left.pop()
        else:
            left.append(clause)
    made: Order = {}
    for clause in left:
        _EFFECTS[clause.kind](made, clause)
    return made


def answer(clauses: Sequence[Clause]) -> str:
    """Return the answer that stands for the order as JSON.

    Raises:
        LookupError, ValueError: the clauses are not those of an order.
    """
    return json_answer(order(clauses))


def _order(made: Order, clause: Clause) -> None:
    made[CUSTOMER] = clause.word("a")
    made[DAY] = clause.word("day")


def _set(made: Order, clause: Clause) -> None:
    made[clause.word("good")] = clause.number("n")


def _change(made: Order, clause: Clause, by: int) -> None:
    good = clause.word("good")
    made[good] = int(made[good]) + by


def _cancel(made: Order, clause: Clause) -> None:
    del made[clause.word("good")]


def _same(made: Order, clause: Clause) -> None:
    made[clause.word("good")] = made[clause.word("other")]


def _trade(made: Order, clause: Clause) -> None:
    one, two = clause.word("good"), clause.word("other")
    made[one], made[two] = made[two], made[one]


def _instead(made: Order, clause: Clause) -> None:
    made[clause.word("other")] = made.pop(clause.word("good"))


def _merge(made: Order, clause: Clause) -> None:
    _shift(made, clause, int(made[clause.word("good")]))
    del made[clause.word("good")]


def _shift(made: Order, clause: Clause, count: int) -> None:
    _change(made, clause, -count)
    other = clause.word("other")
    made[other] = int(made[other]) + count


def _beyond(made: Order, clause: Clause, by: int, times: int = 1) -> None:
    made[clause.word("good")] = int(made[clause.word("other")]) * times + by


def _scale(made: Order, clause: Clause, times: int, parts: int) -> None:
    good = clause.word("good")
    made[good] = int(made[good]) * times // parts


def _move(made: Order, days: int) -> None:
    made[DAY] = DAYS[(DAYS.index(str(made[DAY])) + days) % len(DAYS)]


def _recipient(made: Order, clause: Clause) -> None:
    made[CUSTOMER] = clause.word("b")


_EFFECTS: Final[Mapping[str, Callable[[Order, Clause], None]]] = {
    "order": _order,
    "item": _set,
    "item_more": lambda made, clause: _beyond(made, clause, clause.number("n")),
    "item_fewer": lambda made, clause: _beyond(made, clause, -clause.number("n")),
    "item_twice": lambda made, clause: _beyond(made, clause, 0, 2),
    "item_same": lambda made, clause: _beyond(made, clause, 0),
    "more": lambda made, clause: _change(made, clause, clause.number("n")),
    "fewer": lambda made, clause: _change(made, clause, -clause.number("n")),
    "set": _set,
    "cancel": _cancel,
    "extra": _set,
    "same": _same,
    "trade": _trade,
    "instead": _instead,
    "merge": _merge,
    "shift": lambda made, clause: _shift(made, clause, clause.number("n")),
    "above": lambda made, clause: _beyond(made, clause, clause.number("n")),
    "below": lambda made, clause: _beyond(made, clause, -clause.number("n")),
    "double": lambda made, clause: _scale(made, clause, 2, 1),
    "halve": lambda made, clause: _scale(made, clause, 1, 2),
    "later": lambda made, clause: _move(made, clause.number("n")),
    "earlier": lambda made, clause: _move(made, -clause.number("n")),
    "recipient": _recipient,
}


def draw(dice: Dice, cast: Sequence[str]) -> tuple[tuple[Clause, ...], ...]:
    """Return an order by the first of the cast, and changes to it."""
    clauses = least_idle(
        ATTEMPTS,
        lambda: _attempt(dice, cast),
        lambda each: idle(each, _loose, ITEMS + 1),
    )
    changes = [[clause] for clause in clauses[ITEMS + 1 :]]
    told = clauses[1 : ITEMS + 1]
    return staged(clauses[:1], told[:PLAIN], told[PLAIN:], *changes)


def _loose(clauses: Sequence[Clause]) -> str:
    """Return the order as text, or nothing where a change that others need is out."""
    try:
        return str(sorted(order(clauses).items()))
    except LookupError:
        return ""


def _attempt(dice: Dice, cast: Sequence[str]) -> list[Clause] | None:
    """Return an order and its changes, or None when one of them cannot be made."""
    goods = dice.sample(GOODS, ITEMS + 2)
    clauses = [Clause.of("order", a=cast[0], day=dice.choice(DAYS))]
    clauses += _items(dice, goods[:ITEMS])
    made = order([*clauses, Clause.of("ask")])
    spare = goods[ITEMS:]
    reverted = dice.below(CHANGES)
    for at, kind in enumerate(_kinds_of_changes(dice)):
        change = _change_of(dice, kind, made, spare, cast[1])
        if change is None:
            return None
        clauses.append(change)
        if at == reverted:
            clauses.append(Clause.of("revert"))
        else:
            _EFFECTS[kind](made, change)
    return [*clauses, Clause.of("ask")]


def _items(dice: Dice, goods: Sequence[str]) -> list[Clause]:
    """Return what is ordered at first, some of it told from the rest."""
    plain, told = goods[:PLAIN], goods[PLAIN:]
    clauses = [Clause.of("item", good=good, n=dice.between(12, 30)) for good in plain]
    ways = ("item_more", "item_fewer", "item_twice", "item_same")
    for good, kind in zip(told, dice.sample(ways, len(told)), strict=True):
        slots: dict[str, Slot] = {"good": good, "other": dice.choice(plain)}
        if "n" in KINDS[kind]:
            slots["n"] = dice.between(2, 10)
        clauses.append(Clause.of(kind, **slots))
    return clauses


def _kinds_of_changes(dice: Dice) -> list[str]:
    head = dice.choice(("later", "earlier", "recipient"))
    rest = [kind for kind in _EFFECTS if "good" in KINDS[kind] and kind[:4] != "item"]
    return dice.shuffled([head, *dice.sample(rest, CHANGES - 1)])


def _can_be(kind: str, one: int, two: int, count: int) -> bool:
    """Tell whether a change can be made to such numbers, and means something."""
    match kind:
        case "fewer" | "shift":
            return one > count
        case "below":
            return two > count
        case "halve":
            return one % 2 == 0
        case "same" | "trade":
            return one != two
        case _:
            return True


_COUNTS: Final = {"later": (2, 5), "earlier": (2, 5), "set": (31, 60)}


def _change_of(
    dice: Dice, kind: str, made: Order, spare: list[str], other: str
) -> Clause | None:
    """Return a change that can be made to the order as it stands, or None."""
    counts = {good: int(made[good]) for good in made if good not in (CUSTOMER, DAY)}
    if len(counts) < 2:
        return None
    one, two = dice.sample(list(counts), 2)
    values: dict[str, Slot] = {"good": one, "other": two, "b": other}
    count = dice.between(*_COUNTS.get(kind, (2, 12)))
    values["n"] = count
    if kind in ("extra", "instead"):
        values["good" if kind == "extra" else "other"] = spare.pop()
    if not _can_be(kind, counts[one], counts[two], count):
        return None
    order_of = ("good", "other", "b", "n")
    return Clause(kind, tuple((s, values[s]) for s in order_of if s in KINDS[kind]))
