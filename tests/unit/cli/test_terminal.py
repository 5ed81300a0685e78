from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.cli.terminal import ago, safe, short_agent, span

NOW_MS = 1_760_000_000_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, καλός, 你好", "plain, καλός, 你好"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("over\rwritten\b\b", r"over\x0dwritten\x08\x08"),
        ("\u202egnihtemos", r"\u202egnihtemos"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\u2028", r"\u2028"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("\x7f", r"\x7f"),
        ("half \ud800", r"half \ud800"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("two\nlines", r"two\x0alines"),
    ],
)
def test_what_could_move_the_cursor_or_mislead_is_shown_as_an_escape(
    text: str, shown: str
) -> None:
    assert safe(text) == shown


def test_lines_stay_lines_where_they_are_wanted() -> None:
    assert safe("a\r\n\tb\rc\n", lines=True) == "a\n    b\\x0dc\n"


@given(st.text(), st.booleans())
def test_nothing_that_acts_on_a_terminal_is_left(text: str, lines: bool) -> None:
    shown = safe(text, lines=lines)

    allowed = "\n\u200c\u200d" if lines else "\u200c\u200d"
    assert all(
        character in allowed
        or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for character in shown
    )


@pytest.mark.parametrize(
    ("elapsed_s", "text"),
    [
        (0, "just now"),
        (9, "just now"),
        (10, "10 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (7_200, "2 h ago"),
        (200_000, "2 d ago"),
        (-30, "just now"),
        (-61, "in 1 min"),
    ],
)
def test_times_are_told_as_one_would_say_them(elapsed_s: int, text: str) -> None:
    assert ago(NOW_MS - elapsed_s * 1000, NOW_MS) == text


def test_a_span_is_told_in_its_largest_unit() -> None:
    assert [span(seconds) for seconds in (1.9, 61, 3_601, 90_000)] == [
        "1 s",
        "1 min",
        "1 h",
        "1 d",
    ]


def test_an_agent_is_told_in_brief() -> None:
    agent = "did:key:z6MkhBznSswg1yETEjNhKzkGTmaFmfZCrEVwbjPZxwZvKHjd"

    assert short_agent(agent) == "z6Mk…ZvKHjd"
