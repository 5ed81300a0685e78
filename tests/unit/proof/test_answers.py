"""What is left of what a solver said."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.errors import UsageError
from moltp2p.core.limits import ANSWER_PATTERN
from moltp2p.proof.answers import json_answer, read_answer
from tests.refusal import code_of

HIDDEN = "the-key-is-5f4dcc3b5aa765d61d8327deb882cf99"


def is_answer_or_refused(attempt: Callable[[], str]) -> bool:
    if code := code_of(attempt):
        return code == "bad-answer"
    return re.fullmatch(ANSWER_PATTERN, attempt()) is not None


@given(st.text(max_size=200))
def test_whatever_is_said_is_an_answer_or_refused(said: str) -> None:
    assert is_answer_or_refused(lambda: read_answer(said))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
)


@given(JSON)
def test_any_json_is_an_answer_or_refused(value: object) -> None:
    assert is_answer_or_refused(lambda: json_answer(value))


@pytest.mark.parametrize(
    "said", ["{" + "[" * 8_000 + "]" * 8_000 + "}", '{"a":' * 2_000 + "1" + "}" * 2_000]
)
def test_deep_json_costs_nothing(said: str) -> None:
    with pytest.raises(UsageError, match="bad-answer"):
        read_answer(said)


def test_a_great_list_is_refused_as_an_answer() -> None:
    with pytest.raises(UsageError, match="bad-answer"):
        read_answer('{"a": [' + "1," * 7_000 + "1]}")


def test_a_huge_number_is_refused_as_an_answer() -> None:
    with pytest.raises(UsageError, match="bad-answer"):
        read_answer('{"a": ' + "9" * 10_000 + "}")


def test_a_secret_of_any_length_does_not_fit() -> None:
    with pytest.raises(UsageError, match="bad-answer"):
        read_answer(f"ANSWER: {HIDDEN}")


def test_json_says_no_more_than_a_hash() -> None:
    answer = read_answer(f'{{"secret": "{HIDDEN}"}}')

    assert answer.startswith("json:")
    assert "5f4dcc" not in answer


@given(st.text(max_size=60))
def test_what_was_thought_before_the_answer_does_not_count(thought: str) -> None:
    assert read_answer(f"{thought}\nANSWER: Orla - red - Finn") == "orla-red-finn"
