"""A node killed again and again loses nothing that it acknowledged.

In the end it is, byte for byte, the twin that lived through the same undisturbed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.lives import Subject, Zygote, draw_trap
from tests.crash.story import STEPS
from tests.crash.traps import POINTS

KILLS: Final = 50
"""Of one node: five at each point."""

SEEDS: Final = 20
"""Nodes that die so in scripts/check --long: a thousand kills in all."""

MAX_DELAY_S: Final = 0.08
"""Until a kill that comes anywhere: a life has begun by then, and done some steps."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote.start() as zygote:
        yield zygote


def die_often(zygote: Zygote, subject: Subject, dice: random.Random) -> None:
    """Kill a node, at each point in turn; look at what each death left behind."""
    copy = subject.home.with_name("copy")
    for number in range(KILLS):
        point = POINTS[number % len(POINTS)]
        anywhere = point == "anywhere"
        assert subject.live(
            zygote,
            None if anywhere else draw_trap(dice, point),
            delay_s=dice.uniform(0, MAX_DELAY_S) if anywhere else None,
            steps=dice.randint(1, 3) if point.startswith("clos") else STEPS,
        ), f"it survived {point}"
        subject.check(copy, verify=number % 10 == 9)


def assert_dies_whole(zygote: Zygote, folder: Path, seed: int) -> None:
    """Hold a node that died often to its twin that never did."""
    print(f"repeat this with SEED={seed}")  # noqa: T201  # pytest shows it on failure
    subject, twin = Subject(folder / "home", seed), Subject(folder / "twin", seed)
    die_often(zygote, subject, random.Random(seed))

    for each in (subject, twin):
        assert not each.live(zygote)
        assert each.is_over
        each.check(folder / "copy", verify=True)

    assert subject.deaths == dict.fromkeys(POINTS, KILLS // len(POINTS))
    assert subject.acknowledged == twin.acknowledged
    assert subject.everything() == twin.everything()


@pytest.mark.slow
def test_a_node_killed_fifty_times_is_its_twin_that_never_was(
    zygote: Zygote, tmp_path: Path
) -> None:
    assert_dies_whole(zygote, tmp_path, int(os.environ.get("SEED", "1")))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_so_are_twenty_more(zygote: Zygote, tmp_path: Path, seed: int) -> None:
    assert_dies_whole(zygote, tmp_path, seed)
