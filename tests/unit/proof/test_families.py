"""Worlds of every family are sound, and bounded in what they cost and say."""

from __future__ import annotations

import functools
import re
from collections import Counter

import pytest

from moltp2p.core.limits import ANSWER_PATTERN
from moltp2p.proof import seats
from moltp2p.proof.dice import Dice
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.world import Family, World

WORLDS = 250


@functools.cache
def drawn(family: Family) -> list[World]:
    return [
        draw_world(family, Dice(bytes([at % 256, at // 256]))) for at in range(WORLDS)
    ]


@pytest.mark.parametrize("family", Family)
def test_an_answer_is_of_the_form_that_can_be_committed_to(family: Family) -> None:
    for world in drawn(family):
        assert re.fullmatch(ANSWER_PATTERN, Worlds().answer(world))


@pytest.mark.parametrize("family", Family)
def test_no_answer_is_common(family: Family) -> None:
    counts = Counter(Worlds().answer(world) for world in drawn(family))

    # 1.4 % in 3,000; among so few as here chance adds to the commonest.
    assert counts.most_common(1)[0][1] <= 0.04 * WORLDS


@pytest.mark.parametrize("family", Family)
def test_a_clause_has_the_slots_of_its_kind(family: Family) -> None:
    for world in drawn(family):
        for clause in world.clauses:
            slots = frozenset(name for name, _ in clause.slots)
            assert slots == FAMILIES[family].kinds[clause.kind]


@pytest.mark.parametrize("family", Family)
def test_every_kind_of_clause_is_drawn(family: Family) -> None:
    used = {clause.kind for world in drawn(family) for clause in world.clauses}

    assert FAMILIES[family].kinds.keys() - used <= {"ask"}


@pytest.mark.parametrize("family", Family)
def test_clauses_of_a_stage_can_be_told_in_any_order(family: Family) -> None:
    for at, world in enumerate(drawn(family)):
        dice = Dice(b"order", bytes([at % 256, at // 256]))
        *stages, question = world.stages
        told = [clause for stage in stages for clause in dice.shuffled(stage)]

        assert FAMILIES[family].answer([*told, *question]) == Worlds().answer(world)


def test_rows_are_unique_by_brute_force() -> None:
    for world in drawn(Family.SEATS):
        assert len(seats.rows(world.clauses)) == 1


def test_a_trade_changes_what_is_asked() -> None:
    for world in drawn(Family.SEATS):
        assert seats.untraded(world.clauses) != Worlds().answer(world)
