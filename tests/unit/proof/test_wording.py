"""Texts say their worlds, within the limits, and never twice in the same words."""

from __future__ import annotations

import re

import pytest

from moltp2p.core.challenge.spelling import is_task_text
from moltp2p.proof.dice import Dice
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.numerals import NUMBER_WORDS, in_words, tokens_in
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.tasks import Worlds, draw_world
from moltp2p.proof.wording import word
from moltp2p.proof.world import Family, Memo, World

LIBRARY = load_library()
MEMO = Memo("lamplighter", "Orla")
ABLE = [family for family in Family if FAMILIES[family].recalls]


def texts(family: Family, count: int = 60) -> list[tuple[World, str]]:
    worlds = [draw_world(family, Dice(b"text", bytes([at]))) for at in range(count)]
    return [
        (world, word(world, LIBRARY, Dice(b"words", bytes([at]))))
        for at, world in enumerate(worlds)
    ]


@pytest.mark.parametrize("family", Family)
def test_a_text_is_a_task_that_carries_its_world(family: Family) -> None:
    for world, text in texts(family):
        assert is_task_text(text)
        assert Worlds().carries(world, text)
        assert text.endswith(FAMILIES[family].form)


@pytest.mark.parametrize("family", Family)
def test_a_text_without_one_name_or_numeral_does_not_carry(family: Family) -> None:
    for world, text in texts(family, 20):
        for token in world.names():
            spelt = {token, *(w for w, n in NUMBER_WORDS.items() if str(n) == token)}
            cut = re.sub(rf"\b({'|'.join(spelt)})\b", "", text, flags=re.IGNORECASE)
            if token not in tokens_in(cut):
                assert not Worlds().carries(world, cut)


def test_one_world_has_many_texts() -> None:
    world = draw_world(Family.FORM, Dice(b"one"))

    told = {word(world, LIBRARY, Dice(bytes([at]))) for at in range(50)}

    assert len(told) == 50


@pytest.mark.parametrize("family", Family)
def test_a_memo_is_told_beside_any_task(family: Family) -> None:
    for at in range(20):
        world = draw_world(family, Dice(bytes([at])), memo=MEMO)
        text = word(world, LIBRARY, Dice(bytes([at])))

        assert Worlds().carries(world, text)
        assert "lamplighter" in text
        assert text.count("Orla") == 1


@pytest.mark.parametrize("family", ABLE)
def test_a_recalled_name_is_not_in_the_question(family: Family) -> None:
    for at in range(20):
        world = draw_world(family, Dice(bytes([at])), recall=MEMO)
        text = word(world, LIBRARY, Dice(bytes([at])))
        body = text.removesuffix(FAMILIES[family].form).rstrip()
        question = re.split(r"(?<=[.?]) ", body)[-1]

        assert "Orla" in body
        assert "lamplighter" in question
        assert "Orla" not in question


def test_nothing_stands_between_a_step_and_its_correction() -> None:
    for world, text in texts(Family.LEDGER):
        at, fix = next(
            (at, each)
            for at, each in enumerate(world.clauses)
            if each.kind == "correct"
        )
        sentences = re.split(r"(?<=[.?]) ", text)
        wrong, right = (in_words(fix.number("m")), in_words(fix.number("n")))
        corrections = [
            place
            for place, said in enumerate(sentences)
            if {str(fix["m"]), str(fix["n"])} <= tokens_in(said)
        ]
        step = world.clauses[at - 1].tokens()
        assert any(
            set(step) <= tokens_in(sentences[place - 1]) for place in corrections
        ), (wrong, right, text)


@pytest.mark.parametrize(
    "text", ["", "a" * 1_201, "a\nb", "caf\u00e9", "\x1b[2J", "a\x7f"]
)
def test_what_no_solver_may_see_is_no_text_of_a_task(text: str) -> None:
    assert not is_task_text(text)


@pytest.mark.parametrize("number", range(100))
def test_a_number_is_found_however_it_is_written(number: int) -> None:
    said = f"There were {in_words(number)}'s, {in_words(number)}."

    assert str(number) in tokens_in(said)
    assert str(number) in tokens_in(said.upper())
    assert str(number + 1) not in tokens_in(said)
