"""The tasks as the challenge takes them: from a seed to worlds, names and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from moltp2p.proof.cast import NAMES, ROLES
from moltp2p.proof.dice import Dice
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.world import Family, Memo, World, carries

TASKS_VERSION: Final = "mw/1"  # SPEC 08: "`mw/1`"
CAST: Final = 6  # SPEC 08: "a cast of 6 names"


class Worlds:
    """The public half of the tasks, the same for both sides of a challenge."""

    version: Final = TASKS_VERSION

    def batch(self, seed: bytes, round_: int, count: int) -> tuple[World, ...]:
        """Return the worlds of one round of a session.

        Args:
            seed: the session's, that both sides have put something into.
            round_: from 0. A name told in the first text of round 0 is asked for
                by its role in the first text of each later round.
            count: how many worlds.
        """
        families = _families(seed, round_, count)
        memo = _memo(seed)
        return tuple(
            draw_world(
                families[item],
                Dice(seed, b"item", bytes([round_, item])),
                memo=memo if round_ == item == 0 else None,
                recall=memo if round_ > item == 0 else None,
            )
            for item in range(count)
        )

    def answer(self, world: World) -> str:
        """Return the answer that follows from a world."""
        return FAMILIES[world.family].answer(world.clauses)

    def answers(self, worlds: Sequence[World]) -> list[str]:
        """Return the answer of each world."""
        return [self.answer(world) for world in worlds]

    def names(self, world: World) -> frozenset[str]:
        """Return every name and numeral that a text about a world must carry."""
        return world.names()

    def carries(self, world: World, text: str) -> bool:
        """Tell whether a text holds every name and numeral of a world."""
        return carries(world, text)

    def spell(self, world: World) -> bytes:
        """Return a world as the bytes that a commitment hashes."""
        return world.spell()


def draw_world(
    family: Family, dice: Dice, memo: Memo | None = None, recall: Memo | None = None
) -> World:
    """Return a world of a family."""
    told = {each.name for each in (memo, recall) if each}
    cast = dice.sample([name for name in NAMES if name not in told], CAST)
    if recall:
        cast[0] = recall.name
    return World(family, FAMILIES[family].draw(dice, cast), memo, recall)


def _families(seed: bytes, round_: int, count: int) -> list[Family]:
    """Return the families of a round; all five come before any comes again."""
    # SPEC 08: "all five come before any comes again"
    dice = Dice(seed, b"families")
    rows: list[Family] = []
    while len(rows) < (round_ + 1) * count:
        rows += dice.shuffled(tuple(FAMILIES))
    families = rows[round_ * count : (round_ + 1) * count]
    # The first text of a round must be one that can ask for a name.
    able = next((at for at, f in enumerate(families) if FAMILIES[f].recalls), 0)
    families[0], families[able] = families[able], families[0]
    return families


def _memo(seed: bytes) -> Memo:
    dice = Dice(seed, b"memo")
    return Memo(dice.choice(ROLES), dice.choice(NAMES))
