"""What changes do to an order."""

from __future__ import annotations

import pytest

from moltp2p.proof import form
from moltp2p.proof.answers import json_answer, read_answer
from moltp2p.proof.world import Clause

of = Clause.of
ORDER = (
    of("order", a="Orla", day="Saturday"),
    of("item", good="mugs", n=8),
    of("item", good="pans", n=3),
)
ASK = of("ask")


@pytest.mark.parametrize(
    ("change", "right"),
    [
        (of("more", good="mugs", n=2), {"mugs": 10, "pans": 3}),
        (of("fewer", good="mugs", n=2), {"mugs": 6, "pans": 3}),
        (of("set", good="mugs", n=2), {"mugs": 2, "pans": 3}),
        (of("cancel", good="mugs"), {"pans": 3}),
        (of("double", good="mugs"), {"mugs": 16, "pans": 3}),
        (of("halve", good="mugs"), {"mugs": 4, "pans": 3}),
        (of("extra", good="jugs", n=2), {"mugs": 8, "pans": 3, "jugs": 2}),
        (of("same", good="mugs", other="pans"), {"mugs": 3, "pans": 3}),
        (of("trade", good="mugs", other="pans"), {"mugs": 3, "pans": 8}),
        (of("instead", good="mugs", other="jugs"), {"jugs": 8, "pans": 3}),
        (of("merge", good="mugs", other="pans"), {"pans": 11}),
        (of("shift", good="mugs", other="pans", n=2), {"mugs": 6, "pans": 5}),
        (of("above", good="mugs", other="pans", n=2), {"mugs": 5, "pans": 3}),
        (of("below", good="mugs", other="pans", n=2), {"mugs": 1, "pans": 3}),
        (
            of("item_more", good="jugs", other="pans", n=1),
            {"mugs": 8, "pans": 3, "jugs": 4},
        ),
        (
            of("item_fewer", good="jugs", other="pans", n=1),
            {"mugs": 8, "pans": 3, "jugs": 2},
        ),
        (
            of("item_twice", good="jugs", other="pans"),
            {"mugs": 8, "pans": 3, "jugs": 6},
        ),
        (of("item_same", good="jugs", other="pans"), {"mugs": 8, "pans": 3, "jugs": 3}),
        (of("later", n=3), {"day": "Tuesday", "mugs": 8, "pans": 3}),
        (of("earlier", n=3), {"day": "Wednesday", "mugs": 8, "pans": 3}),
        (of("recipient", b="Kofi"), {"customer": "Kofi", "mugs": 8, "pans": 3}),
    ],
)
def test_a_change_is_made(change: Clause, right: dict[str, str | int]) -> None:
    unchanged = {"customer": "Orla", "day": "Saturday"}

    assert form.order([*ORDER, change, ASK]) == unchanged | right


def test_what_is_reverted_was_never_said() -> None:
    changes = (of("cancel", good="mugs"), of("cancel", good="pans"), of("revert"))

    made = form.order([*ORDER, *changes, ASK])

    assert made == {"customer": "Orla", "day": "Saturday", "pans": 3}


@pytest.mark.parametrize(
    "said",
    [
        '{"customer": "Orla", "day": "Saturday", "mugs": 8, "pans": 3}',
        '{"pans": "3", "mugs": 8.0, "day": "saturday", "customer": "orla"}',
        'Thinking...\nANSWER:\n```json\n{"Customer":"Orla","Day":"Saturday",\n"mugs":8,"pans":3}\n```',
    ],
)
def test_an_order_is_the_same_in_any_spelling(said: str) -> None:
    assert read_answer(said) == form.answer([*ORDER, ASK])


def test_another_order_has_another_answer() -> None:
    other = json_answer({"customer": "Orla", "day": "Saturday", "mugs": 8, "pans": 4})

    assert other != form.answer([*ORDER, ASK])
