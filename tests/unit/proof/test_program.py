"""What a program's steps do to a list."""

from __future__ import annotations

import pytest

from moltp2p.proof import program
from moltp2p.proof.world import Clause

of = Clause.of
LIST = of("list", numbers=(5, 2, 9, 4))
ASK = of("ask_all")


@pytest.mark.parametrize(
    ("steps", "right"),
    [
        ([of("drop_below", n=4)], "5-9-4"),
        ([of("drop_above", n=4)], "2-4"),
        ([of("drop_even")], "5-9"),
        ([of("drop_odd")], "2-4"),
        ([of("drop_multiples", n=3)], "5-2-4"),
        ([of("drop_first")], "2-9-4"),
        ([of("drop_last")], "5-2-9"),
        ([of("drop_least")], "5-9-4"),
        ([of("drop_greatest")], "5-2-4"),
        ([of("keep_first", n=3)], "5-2-9"),
        ([of("keep_last", n=3)], "2-9-4"),
        ([of("remove", nth=2)], "5-9-4"),
        ([of("reverse")], "4-9-2-5"),
        ([of("ascending")], "2-4-5-9"),
        ([of("descending")], "9-5-4-2"),
        ([of("add", n=3)], "8-5-12-7"),
        ([of("subtract", n=1)], "4-1-8-3"),
        ([of("double")], "10-4-18-8"),
        ([of("add_first", n=3)], "8-2-9-4"),
        ([of("add_last", n=3)], "5-2-9-7"),
        ([of("to_end")], "2-9-4-5"),
        ([of("to_front")], "4-5-2-9"),
        ([of("swap_ends")], "4-2-9-5"),
        ([of("swap_first")], "2-5-9-4"),
        ([of("swap_last")], "5-2-4-9"),
        ([of("replace", m=9, n=70)], "5-2-70-4"),
        ([of("append", n=7)], "5-2-9-4-7"),
        ([of("prepend", n=7)], "7-5-2-9-4"),
        ([of("compare", n=3)], "4-9-2-5"),
        ([of("reverse"), of("compare", n=3)], "7-12-5-8"),
        ([of("reverse"), of("undo")], "5-2-9-4"),
        ([of("add", n=3), of("correct", n=1, m=3)], "6-3-10-5"),
    ],
)
def test_a_step_changes_the_list(steps: list[Clause], right: str) -> None:
    assert program.answer([LIST, *steps, ASK]) == right


@pytest.mark.parametrize(
    ("question", "right"),
    [
        (of("ask_all"), "5-2-9-4"),
        (of("ask_back"), "4-9-2-5"),
        (of("ask_first", n=3), "5-2-9"),
        (of("ask_last", n=3), "2-9-4"),
    ],
)
def test_a_question_looks_at_the_end(question: Clause, right: str) -> None:
    assert program.answer([LIST, question]) == right
