"""What scripts without a model make of tasks; `scripts/bench proof` has it whole."""

from __future__ import annotations

import functools
import random

import pytest

from moltp2p.proof.pack import Library
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.tasks import Worlds
from moltp2p.proof.world import Family
from scripts.benches.proof_tasks import ALIKE, QUORUM, black_boxes, held_out
from scripts.solvers import people
from scripts.solvers.exam import Solver, Task, score, session, tasks
from scripts.solvers.likely import likely
from scripts.solvers.white_box import white_box

ITEMS = 16
MOST_RIGHT = 4
"""Of the 80 tasks of all families."""
SESSIONS = 8


@functools.cache
def library(name: str) -> Library:
    return load_library() if name == "built in" else held_out()[name]


def asked(name: str) -> list[Task]:
    return [
        task
        for family in Family
        for task in tasks(library(name), family, ITEMS, b"test")
    ]


@functools.cache
def parser(name: str) -> Solver:
    return white_box(library(name))


@functools.cache
def scripts() -> dict[str, Solver]:
    return black_boxes(library("built in"), known=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "guess",
        "majority",
        "number bag",
        "last value",
        "first value",
        "linear scan",
        "degarbler",
    ],
)
def test_a_script_that_knows_no_pack_guesses(name: str) -> None:
    assert score(scripts()[name], asked("built in")) <= MOST_RIGHT


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["evenings", "tales"])
def test_a_parser_guesses_at_words_that_it_has_not_seen(pack: str) -> None:
    assert score(likely(library("built in")), asked(pack)) <= MOST_RIGHT


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["built in", "evenings", "tales"])
def test_a_parser_reads_the_pack_that_it_was_written_for(pack: str) -> None:
    told = asked(pack)

    # So a text says its world, all of it, and nothing else.
    assert score(parser(pack), told) == len(told)


@functools.cache
def sessions(name: str) -> list[list[Task]]:
    return [session(library(name), bytes([at]), 2, 4) for at in range(SESSIONS)]


@pytest.mark.parametrize("pack", ["built in", "evenings", "tales"])
def test_a_second_round_asks_for_a_name_told_in_the_first(pack: str) -> None:
    reads = parser(pack)
    for told in sessions(pack):
        asks = told[4]
        alone = Task(asks.family, asks.text, asks.right)

        assert reads(asks) == asks.right
        assert reads(alone) != asks.right


@pytest.mark.parametrize("pack", ["built in", "evenings", "tales"])
def test_a_session_carries_its_worlds_and_tells_all_families(pack: str) -> None:
    worlds = Worlds()
    for at, told in enumerate(sessions(pack)):
        drawn = [each for r in (0, 1) for each in worlds.batch(bytes([at]), r, 4)]

        assert {task.family for task in told} == set(Family)
        for world, task in zip(drawn, told, strict=True):
            assert worlds.carries(world, task.text)
            assert not worlds.carries(world, drawn_text(told, task))


def drawn_text(told: list[Task], task: Task) -> str:
    """Return the text of another task of the session."""
    return told[told.index(task) - 1].text


def test_nobody_reads_as_fast_as_the_limit(rng: random.Random) -> None:
    rounds = [
        texts for told in sessions("built in") for texts in people.rounds_of(told)
    ]

    ratios = [
        people.reading_ratio(rng.choice(rounds), people.person_wpm(rng))
        for _ in range(2_000)
    ]

    assert min(people.reading_ratio(texts, people.READER_WPM) for texts in rounds) > 1.4
    assert min(ratios) > 1
    assert sorted(ratios)[1_000] >= 1.5


def test_who_is_mostly_right_is_admitted(rng: random.Random) -> None:
    texts = [people.rounds_of(told) for told in sessions("built in")]

    admitted = sum(ALIKE.is_admitted(texts, QUORUM, rng) for _ in range(300))

    assert admitted >= 297


def test_guesses_make_no_batch(rng: random.Random) -> None:
    one_in_twenty = [[True] + [False] * 19] * len(Family)

    assert people.batches_passed(one_in_twenty, 10_000, rng) == 0
