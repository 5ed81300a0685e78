"""Dice that fall alike on every machine: SHA-256 in counter mode (spec 08).

`random.Random` keeps its generator between versions of Python, but not what its
methods make of it; two nodes of different age would see different worlds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

DICE_TAG: Final = b"moltp2p/dice/1"  # SPEC 08: "`moltp2p/dice/1`"
WORD_BYTES: Final = 4  # SPEC 08: "eight words of 4 bytes"
WORD_RANGE: Final = 1 << (8 * WORD_BYTES)


class Dice:
    """An endless row of 32-bit words, and what can be drawn from it."""

    __slots__ = ("_counter", "_key", "_words")

    def __init__(self, *seed: bytes) -> None:
        """Begin the row that belongs to a seed, which may come in parts."""
        self._key = hashlib.sha256(DICE_TAG)
        for part in seed:
            self._key.update(len(part).to_bytes(8, "big") + part)
        self._counter = 0
        self._words: list[int] = []

    def _word(self) -> int:
        if not self._words:
            block = self._key.copy()
            block.update(self._counter.to_bytes(8, "big"))
            data = block.digest()
            self._counter += 1
            # Last word first, so that `pop` takes them from the front.
            self._words = [
                int.from_bytes(data[at : at + WORD_BYTES], "big")
                for at in range(len(data) - WORD_BYTES, -1, -WORD_BYTES)
            ]
        return self._words.pop()

    def below(self, bound: int) -> int:
        """Return a number from 0 to `bound` - 1, each equally likely.

        Args:
            bound: from 1 to 2^32.
        """
        # SPEC 08: "at or above the greatest multiple of the bound is passed over"
        limit = WORD_RANGE - WORD_RANGE % bound
        while (word := self._word()) >= limit:
            pass
        return word % bound

    def between(self, least: int, most: int) -> int:
        """Return a number from `least` to `most`, both included."""
        return least + self.below(most - least + 1)

    def choice(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` different items, in the order in which they were drawn."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(count)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return all items in another order."""
        return self.sample(items, len(items))
