"""Tasks that need no model: the word to say stands in the text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

WORD_DIGITS = 12


class ToyTasks:
    """Tasks for tests of all that is not the tasks.

    A world is its word, drawn from seed, round and number; its text is `Say <word>.`
    """

    version = "test/1"

    def batch(self, seed: bytes, round_: int, count: int) -> list[str]:
        """Return the worlds of a round."""
        return [
            hashlib.sha256(seed + bytes([round_, index])).hexdigest()[:WORD_DIGITS]
            for index in range(count)
        ]

    def answers(self, worlds: Sequence[str]) -> list[str]:
        """Return the answer of each world."""
        return list(worlds)

    def carries(self, world: str, text: str) -> bool:
        """Tell whether a text holds the word."""
        return world in text


def word_toy(world: str) -> str:
    """Return a text about a world."""
    return f"Say {world}."


def solve_toy(text: str) -> str:
    """Return the answer to a text."""
    return text.removeprefix("Say ").removesuffix(".")
