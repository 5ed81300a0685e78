"""How a number may be spelt in a text, and how to find it there again (spec 08)."""

from __future__ import annotations

import re
from typing import Final

MAX_IN_WORDS: Final = 99  # SPEC 08: "from 0 to 99 may be written in words"


def row(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


_SMALL: Final = row(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS: Final = row("twenty thirty forty fifty sixty seventy eighty ninety")
ORDINALS: Final = row("first second third fourth fifth sixth seventh eighth ninth")
_SUFFIXES: Final = {1: "st", 2: "nd", 3: "rd"}


def in_words(number: int) -> str:
    """Return a number from 0 to 99 in English words, as in `twenty-one`."""
    if number < len(_SMALL):
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    word = _TENS[tens - 2]
    return f"{word}-{_SMALL[ones]}" if ones else word


def ordinal(number: int) -> str:
    """Return a place from 1 to 9 in digits, as in `3rd`."""
    return f"{number}{_SUFFIXES.get(number, 'th')}"


def clock(minutes: int) -> str:
    """Return minutes since midnight as `13:05`."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


NUMBER_WORDS: Final = {in_words(number): number for number in range(MAX_IN_WORDS + 1)}
ORDINAL_WORDS: Final = {word: at for at, word in enumerate(ORDINALS, 1)}

_SAME: Final = {word: str(number) for word, number in NUMBER_WORDS.items()} | {
    word: ordinal(number) for word, number in ORDINAL_WORDS.items()
}
_TOKEN: Final = re.compile(r"\d+:\d\d|\d+(?:st|nd|rd|th)?|[a-z]+(?:-[a-z]+)?")


def tokens_in(text: str) -> frozenset[str]:
    """Return the words and numerals of a text in the spelling of spec 08.

    Numbers and places come in digits however they were written, words in lower
    case; both halves of a hyphenated word count, unless it is a number.
    """
    found: set[str] = set()
    for token in _TOKEN.findall(text.lower()):
        if "-" in token and token not in _SAME:
            found.update(_SAME.get(half, half) for half in token.split("-"))
        else:
            found.add(_SAME.get(token, token))
    return frozenset(found)
