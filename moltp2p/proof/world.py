"""A world: what a task is about, before anybody words it (spec 08).

It is a short list of clauses, each a kind and the names and numbers in it. The
answer follows from the clauses alone, so whoever understands the text can find
it, and both sides can compute the same world from the same seed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from moltp2p.core import codec
from moltp2p.proof.numerals import clock, ordinal, tokens_in

Slot: TypeAlias = "str | int | tuple[str | int, ...]"


class Family(enum.StrEnum):
    """What sort of task it is."""

    LEDGER = "ledger"
    SEATS = "seats"
    PROGRAM = "program"
    FORM = "form"
    SCHEDULE = "schedule"


ORDINAL_SLOTS: Final = frozenset({"nth", "mth"})
CLOCK_SLOTS: Final = frozenset({"at"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement, step or question.

    Attributes:
        kind: which of its family's kinds it is.
        slots: what stands in it, by the name of the slot, in the kind's order.
    """

    kind: str
    slots: tuple[tuple[str, Slot], ...] = ()

    @classmethod
    def of(cls, clause_kind: str, **slots: Slot) -> Clause:
        """Return a clause with these slots."""
        return cls(clause_kind, tuple(slots.items()))

    def __getitem__(self, slot: str) -> Slot:
        """Return what stands in a slot.

        Raises:
            KeyError: there is no such slot.
        """
        for name, value in self.slots:
            if name == slot:
                return value
        raise KeyError(slot)

    def word(self, slot: str) -> str:
        """Return the name or word in a slot."""
        return cast("str", self[slot])

    def number(self, slot: str) -> int:
        """Return the number in a slot."""
        return cast("int", self[slot])

    def words(self, slot: str) -> tuple[str, ...]:
        """Return the words of a slot that holds several."""
        return cast("tuple[str, ...]", self[slot])

    def replaced(self, slot: str, value: Slot) -> Clause:
        """Return the clause with something else in one slot."""
        pairs = ((name, value if name == slot else old) for name, old in self.slots)
        return Clause(self.kind, tuple(pairs))

    def tokens(self) -> Iterator[str]:
        """Yield each name and numeral in it, as spec 08 spells them."""
        for slot, value in self.slots:
            parts = value if isinstance(value, tuple) else (value,)
            yield from (token(slot, part) for part in parts)


def token(slot: str, value: str | int) -> str:
    """Return a slot's name or number in the spelling of spec 08."""
    if isinstance(value, str):
        return value.lower()
    if slot in ORDINAL_SLOTS:
        return ordinal(value)
    return clock(value) if slot in CLOCK_SLOTS else str(value)


@dataclass(frozen=True, slots=True)
class Memo:
    """A name that one text tells, and that a later one asks about by its role."""

    role: str
    name: str


@dataclass(frozen=True, slots=True)
class World:
    """What one task is about.

    Attributes:
        family: which rules its clauses follow.
        stages: groups of clauses; a text keeps the order of the stages, and is
            free within one. The last stage is the question alone.
        memo: a name that the text must tell beside its task.
        recall: a name that the question calls by its role, told earlier.
    """

    family: Family
    stages: tuple[tuple[Clause, ...], ...]
    memo: Memo | None = None
    recall: Memo | None = None

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Return all clauses, in order."""
        return tuple(clause for stage in self.stages for clause in stage)

    @property
    def question(self) -> Clause:
        """Return what is asked."""
        return self.stages[-1][0]

    def names(self) -> frozenset[str]:
        """Return every name and numeral that a text about it must carry."""
        found = {token for clause in self.clauses for token in clause.tokens()}
        if self.memo:
            found |= {self.memo.role, self.memo.name.lower()}
        if self.recall:
            found.add(self.recall.role)
        return frozenset(found)

    def spell(self) -> bytes:
        """Return the world in the one spelling that a commitment hashes."""
        return codec.encode(
            {
                "family": self.family.value,
                "stages": [[_value(each) for each in stage] for stage in self.stages],
                "memo": self.memo and [self.memo.role, self.memo.name],
                "recall": self.recall and [self.recall.role, self.recall.name],
            }
        )


def _value(clause: Clause) -> list[object]:
    pairs = ([name, value] for name, value in clause.slots)
    return [clause.kind, *pairs]


def carries(world: World, text: str) -> bool:
    """Tell whether a text holds every name and numeral of a world."""
    # SPEC 08: "A text carries a world when every token of the world is among its own"
    return world.names() <= tokens_in(text)


Kinds: TypeAlias = Mapping[str, frozenset[str]]
"""The kinds of clauses of a family, and the slots that each has."""


def kinds(**slots: str) -> Kinds:
    """Return a table of kinds from texts of slots, as in `gain="a n"`."""
    return {kind: frozenset(names.split()) for kind, names in slots.items()}


def staged(*stages: Sequence[Clause]) -> tuple[tuple[Clause, ...], ...]:
    """Return stages as a world keeps them, empty ones left out."""
    return tuple(tuple(stage) for stage in stages if stage)
