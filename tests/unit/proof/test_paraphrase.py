"""A model's words become phrases, when they say all, and are understood."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Pack, Phrase
from moltp2p.proof.pack_reading import built_in, load_library
from moltp2p.proof.paraphrase import (
    REQUEST,
    Ask,
    Spot,
    grown,
    paraphrased,
    phrase_of,
    spots,
    texts_of,
    thinnest,
)
from moltp2p.proof.world import Family
from scripts.solvers.exam import Task
from scripts.solvers.white_box import white_box

LIBRARY = load_library()
SCENES = tuple(s for s in LIBRARY.scenes[Family.PROGRAM])
PACK = Pack("own", SCENES)
PUBLIC = texts_of(built_in())
SPOT = Spot(0, "replace")
PREFIX = "it so happens that "


async def prefixing(request: str) -> str:
    """Say the sentence with some words before it, as a model might."""
    sentence = request.removeprefix(REQUEST)
    return f'"It so happens that {sentence}."'


@functools.cache
def reading() -> Ask:
    """Return a solver that reads what `prefixing` says as well as the rest."""
    scenes = LIBRARY.scenes[Family.PROGRAM]
    known = tuple(
        dataclasses.replace(
            scene,
            phrases={
                kind: (*each, *(Phrase.parse(PREFIX + p.text) for p in each))
                for kind, each in scene.phrases.items()
            },
        )
        for scene in scenes
    )
    library = dataclasses.replace(LIBRARY, scenes={Family.PROGRAM: known})
    solver = white_box(library, {Family.PROGRAM})

    async def solve(text: str) -> str:
        return f"ANSWER: {solver(Task(Family.PROGRAM, text, ''))}"

    return solve


async def not_asked(text: str) -> str:
    raise AssertionError(text)


async def knowing_nothing(text: str) -> str:
    return "I do not know, I am only a program that was asked"


async def test_what_is_understood_becomes_a_phrase() -> None:
    phrase = await paraphrased(LIBRARY, PACK, SPOT, Dice(b"a"), prefixing, reading())

    assert phrase
    assert phrase.text.startswith(PREFIX)
    assert phrase.slots == {"m", "n"}


async def test_what_is_not_solved_is_not_kept() -> None:
    kept = await paraphrased(
        LIBRARY, PACK, SPOT, Dice(b"a"), prefixing, knowing_nothing
    )

    assert kept is None


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{n}",
        "some number becomes another number",
        "write one number where the other stands, 7 times",
        "caf\u00e9",
        "ask Orla " * 40,
    ],
)
async def test_what_loses_or_adds_something_is_not_kept(said: str) -> None:
    async def ask(request: str) -> str:
        return said

    kept = await paraphrased(LIBRARY, PACK, SPOT, Dice(b"a"), ask, not_asked)

    assert kept is None


async def test_what_is_known_already_is_not_kept() -> None:
    async def echo(request: str) -> str:
        return request.removeprefix(REQUEST)

    kept = await paraphrased(LIBRARY, PACK, SPOT, Dice(b"a"), echo, not_asked)

    assert kept is None


def test_names_and_numbers_become_slots_again() -> None:
    words = {"a": "Orla", "b": "Kofi", "n": "3", "at": "13:30", "things": "coins"}

    phrase = phrase_of("By 13:30 Kofi has 3 coins of Orla's.", words)

    assert phrase == Phrase.parse("by {at} {b} has {n} {things} of {a}'s")


def test_own_phrases_drive_out_public_ones() -> None:
    public = PACK.scenes[0].phrases["replace"]
    one, two = Phrase.parse("{m} {n} one"), Phrase.parse("{m} {n} two")

    first = grown(PACK, SPOT, one, PUBLIC)
    second = grown(first, SPOT, two, PUBLIC)

    assert first.scenes[0].phrases["replace"] == (*public, one)
    assert second.scenes[0].phrases["replace"] == (one, two)


def test_a_pack_grows_where_it_is_thinnest() -> None:
    pack = PACK
    for _ in spots(PACK):
        spot = thinnest(pack, PUBLIC, Dice(b"thin"))
        pack = grown(pack, spot, Phrase.parse("own"), PUBLIC)

    assert all(
        Phrase.parse("own") in pack.scenes[spot.scene].phrases[spot.kind]
        for spot in spots(PACK)
    )
