"""Words: by strangers, on one line and no wider than there is room for; and of ours.

Width is counted in columns, as a terminal has them: a Chinese character takes two, a
mark above a letter none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from moltp2p.api.views import rfc3339
from moltp2p.core.selection import Selection

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, formats (what turns a line round among them), and what is no character."""
_JOINERS: Final = "\u200c\u200d"
_MARKS: Final = frozenset({"Mn", "Me"})
MAX_MARKS: Final = 4
"""On one letter; no script needs more, and a heap of them covers the lines above."""


def one_line(text: str) -> str:
    """Return text without what could move, hide or turn round what stands beside it."""
    return " ".join("".join(_harmless(text)).split())


def columns(text: str) -> int:
    """Return how wide text is, about."""
    return sum(map(_columns, text))


def cut(text: str, room: int) -> str:
    """Return text that takes no more than so many columns; what is lacking is `…`."""
    if columns(text) <= room:
        return text
    kept, used = [], 1
    for letter in text:
        used += _columns(letter)
        if used > room:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def times(count: int) -> str:
    """Return how often something was: once, 2 times."""
    return "once" if count == 1 else f"{count:,} times"


def was_off(count: int) -> str:
    """Return that a listener was off so often."""
    return f"was off {times(count)}" if count else "was never off"


def part_of(selection: Selection) -> str:
    """Return which part of all records a selection is; nothing for all."""
    since_ms = selection.since_ms or None
    said = {
        "posted in": selection.community,
        "not older than": None if since_ms is None else moment(since_ms),
        "older than": None
        if selection.until_ms is None
        else moment(selection.until_ms),
    }
    return ", ".join(f"{word} {what}" for word, what in said.items() if what)


def moment(time_ms: int) -> str:
    """Return a time; the number where no calendar has it."""
    return rfc3339(time_ms) or f"{time_ms} ms"


def _harmless(text: str) -> Iterator[str]:
    marks = 0
    for letter in text:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in _MARKS else 0
        if marks <= MAX_MARKS:
            unsafe = category in _UNSAFE and letter not in _JOINERS
            yield " " if unsafe else letter


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in _MARKS or letter in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
