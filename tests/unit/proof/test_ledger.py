"""What a ledger's clauses come to."""

from __future__ import annotations

import pytest

from moltp2p.proof import ledger
from moltp2p.proof.world import Clause

START = (
    Clause.of("start", a="Orla", n=10),
    Clause.of("start", a="Kofi", n=6),
    Clause.of("start", a="Thea", n=3),
)
ASK = Clause.of("ask_one", a="Orla")
of = Clause.of


@pytest.mark.parametrize(
    ("events", "right"),
    [
        ([of("gain", a="Orla", n=5)], "15"),
        ([of("lose", a="Orla", n=5)], "5"),
        ([of("give", a="Orla", b="Kofi", n=4)], "6"),
        ([of("give", a="Kofi", b="Orla", n=4)], "14"),
        ([of("swap", a="Thea", b="Orla")], "3"),
        ([of("double", a="Orla")], "20"),
        ([of("match", a="Orla", b="Kofi")], "6"),
        ([of("half", a="Orla", b="Kofi")], "5"),
        ([of("half", a="Kofi", b="Orla")], "13"),
        ([of("all", a="Kofi", b="Orla")], "16"),
        ([of("halve", a="Orla")], "5"),
        ([of("each_gain", a="Kofi", b="Orla", n=2)], "12"),
        ([of("each_lose", a="Orla", b="Kofi", n=2)], "8"),
        ([of("start_more", a="Orla", b="Kofi", n=2)], "8"),
        ([of("start_fewer", a="Orla", b="Kofi", n=2)], "4"),
        ([of("start_twice", a="Orla", b="Kofi")], "12"),
        ([of("start_same", a="Orla", b="Kofi")], "6"),
        ([of("richer", a="Orla", b="Kofi", n=2)], "8"),
        ([of("richer", a="Kofi", b="Orla", n=2)], "8"),
        ([of("gain", a="Orla", n=5), of("again")], "20"),
        ([of("gain", a="Orla", n=5), of("correct", n=2, m=5)], "12"),
        ([of("gain", a="Orla", n=5), of("correct", n=2, m=5), of("again")], "14"),
    ],
)
def test_an_event_changes_what_is_held(events: list[Clause], right: str) -> None:
    assert ledger.answer([*START, *events, ASK]) == right


@pytest.mark.parametrize(
    ("question", "right"),
    [
        (of("ask_one", a="Kofi"), "6"),
        (of("ask_both", a="Kofi", b="Thea"), "9"),
        (of("ask_gap", a="Thea", b="Orla"), "7"),
        (of("ask_rest", a="Thea"), "16"),
    ],
)
def test_a_question_looks_at_the_end(question: Clause, right: str) -> None:
    assert ledger.answer([*START, question]) == right
