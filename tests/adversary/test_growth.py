"""A network from two nodes on: honest agents get in and count everywhere, scripts not.

`scripts/bench proof` shows the same with 40 honest agents, all scripts, and 2 x 25.
"""

from __future__ import annotations

import random

import pytest

from moltp2p.core.challenge.testimony import VALID_MS
from moltp2p.core.challenge.work import EPOCH_LENGTH_MS
from moltp2p.testing.growth import Society, Told, honest
from scripts.benches.proof_growth import Growth, script_minds
from scripts.benches.proof_tasks import held_out

pytestmark = pytest.mark.slow


def guesses(_told: Told, luck: random.Random) -> str:
    return str(luck.randrange(100))


@pytest.mark.parametrize(
    ("honest_ones", "scripts"), [(9, 1), pytest.param(40, 10, marks=pytest.mark.long)]
)
def test_honest_agents_come_to_count_everywhere_and_scripts_nowhere(
    honest_ones: int, scripts: int
) -> None:
    minds = [guesses] * scripts if scripts < 10 else [*script_minds(), guesses, guesses]
    growth = Growth(seed=7)

    growth.grow(honest_ones, minds[:scripts])
    growth.settle()

    assert len(growth.scripts) == scripts
    assert growth.complete() == len(growth.honest) == honest_ones
    assert growth.fooled() == 0


def test_one_seed_makes_one_history() -> None:
    first, second = (Growth(seed=3) for _ in range(2))
    for growth in first, second:
        growth.grow(4)

    assert first.society.sessions == second.society.sessions
    assert first.views() == second.views()


def test_a_network_that_was_parted_is_one_again() -> None:
    growth = Growth(seed=5)
    growth.grow(6)
    growth.settle()
    growth.society.split(growth.honest[::2], growth.honest[1::2])
    growth.welcome(side=0)
    growth.welcome(side=1)
    for _ in range(4):
        growth.hour()

    growth.society.heal()
    growth.settle()

    assert growth.complete() == len(growth.honest) == 8


def test_two_networks_that_never_knew_each_other_become_one() -> None:
    """By direct challenges of those whom only the others count, one in an hour."""
    society = Society(seed=9, libraries=list(held_out().values()))
    names = [f"{side} {at}" for at in range(3) for side in (0, 1)]
    society.split([], [])
    for name in names:
        society.join(name, honest, side=int(name[0]))
    for _ in range(4):
        society.hour()
    assert society.counted_by("0 0") == {name for name in names if name[0] == "0"}

    society.heal()
    for _ in range(6):
        society.hour()

    assert all(society.counted_by(name) == set(names) for name in names)


def test_a_proof_is_renewed_before_it_expires() -> None:
    growth = Growth(seed=11)
    growth.grow(4)
    growth.settle()
    begun = growth.society.members["honest 0"].until_ms() or 0

    growth.society.rest(10 * 24)
    growth.hour()
    growth.society.rest((VALID_MS - 10 * 24 * EPOCH_LENGTH_MS) // EPOCH_LENGTH_MS)

    assert begun < growth.society.now_ms
    assert growth.complete() == 4
