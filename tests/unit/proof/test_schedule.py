"""When lessons begin and end."""

from __future__ import annotations

import pytest

from moltp2p.proof import schedule
from moltp2p.proof.world import Clause

of = Clause.of
BASE = (
    of("begins", a="Kofi", day="Tuesday", at=600),
    of("lasts", a="Kofi", n=30),
    of("lasts", a="Orla", n=45),
)
BEGIN, END = of("ask_begin", a="Orla"), of("ask_end", a="Orla")
TOGETHER = of("begin_together", a="Orla", b="Kofi")


@pytest.mark.parametrize(
    ("kind", "more", "right"),
    [
        ("begin_at_end", {}, "tuesday-10:30"),
        ("end_at_begin", {}, "tuesday-09:15"),
        ("begin_together", {}, "tuesday-10:00"),
        ("end_together", {}, "tuesday-09:45"),
        ("begin_after_begin", {"n": 10}, "tuesday-10:10"),
        ("begin_before_begin", {"n": 10}, "tuesday-09:50"),
        ("begin_after_end", {"n": 10}, "tuesday-10:40"),
        ("begin_before_end", {"n": 10}, "tuesday-10:20"),
        ("end_after_begin", {"n": 10}, "tuesday-09:25"),
        ("end_before_begin", {"n": 10}, "tuesday-09:05"),
        ("end_after_end", {"n": 10}, "tuesday-09:55"),
        ("end_before_end", {"n": 10}, "tuesday-09:35"),
        ("days_later", {"n": 2}, "thursday-10:00"),
        ("days_earlier", {"n": 1}, "monday-10:00"),
    ],
)
def test_a_lesson_is_told_from_another(
    kind: str, more: dict[str, int], right: str
) -> None:
    link = of(kind, a="Orla", b="Kofi", **more)

    assert schedule.answer([*BASE, link, BEGIN]) == right


@pytest.mark.parametrize(
    ("length", "right"),
    [
        (of("lasts_same", a="Orla", b="Kofi"), "tuesday-10:30"),
        (of("lasts_twice", a="Orla", b="Kofi"), "tuesday-11:00"),
        (of("lasts_longer", a="Orla", b="Kofi", n=5), "tuesday-10:35"),
        (of("lasts_shorter", a="Orla", b="Kofi", n=5), "tuesday-10:25"),
    ],
)
def test_a_length_is_told_from_another(length: Clause, right: str) -> None:
    assert schedule.answer([*BASE[:2], length, TOGETHER, END]) == right


def test_a_lesson_can_be_known_by_its_end() -> None:
    ends = of("ends", a="Kofi", day="Tuesday", at=600)

    assert schedule.answer([ends, *BASE[1:], TOGETHER, BEGIN]) == "tuesday-09:30"


def test_a_mended_length_counts_everywhere() -> None:
    told = (of("lasts_twice", a="Orla", b="Kofi"), of("fix", a="Kofi", n=20, m=30))

    assert schedule.answer([*BASE[:2], *told, TOGETHER, END]) == "tuesday-10:40"


@pytest.mark.parametrize(
    ("kind", "right"),
    [("all_later", "tuesday-10:15"), ("all_earlier", "tuesday-09:45")],
)
def test_all_can_move(kind: str, right: str) -> None:
    assert schedule.answer([*BASE, TOGETHER, of(kind, n=15), BEGIN]) == right


def test_lessons_told_from_each_other_alone_are_no_schedule() -> None:
    circle = (of("begin_at_end", a="Orla", b="Thea"), of("lasts", a="Thea", n=30))

    with pytest.raises(LookupError):
        schedule.answer([*BASE, *circle, BEGIN])
