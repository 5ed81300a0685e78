"""The oracle of networks under test: its texts are tasks, and tell their answers."""

from __future__ import annotations

import pytest

from moltp2p.core.challenge.spelling import is_task_text
from moltp2p.core.errors import UsageError
from moltp2p.proof.answers import read_answer
from moltp2p.proof.oracle import OracleWords, told_answer
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.tasks import Worlds


def test_every_text_is_a_task_that_tells_its_answer() -> None:
    tasks, words = Worlds(), OracleWords(load_library(), b"seed")
    for seed in range(40):
        for world in tasks.batch(bytes([seed]), seed % 2, 4):
            text = words(world)

            assert is_task_text(text)
            assert tasks.carries(world, text)
            assert read_answer(told_answer(text)) == tasks.answer(world)


def test_a_challenger_without_an_oracle_tells_nothing() -> None:
    with pytest.raises(UsageError, match="tells no answer"):
        told_answer("How many hats has Ada? (oracle: 12) Think.")
