"""Solving without a model, for networks under test alone (spec 07, section 3).

Where a network's name begins with `test-`, a challenger may end its texts with the
answer, and say so. Whoever reads that is no agent, and the network is no network; it
shows that nodes find, challenge and admit each other, on any machine and in no time.
"""

from __future__ import annotations

import re
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.core.limits import ANSWER_PATTERN, MAX_TASK_CHARS
from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.tasks import Worlds
from moltp2p.proof.wording import shortest, word
from moltp2p.proof.world import World

_TOLD: Final = re.compile(rf"\(oracle: ({ANSWER_PATTERN})\)$")


class OracleWords:
    """Words tasks, and tells the answers.

    Args:
        library: the phrases.
        seed: of the wording's dice.
    """

    def __init__(self, library: Library, seed: bytes) -> None:
        self._library = library
        self._dice = Dice(seed)
        self._tasks = Worlds()

    def __call__(self, world: World) -> str:
        """Return a text about a world, and behind it the answer."""
        told = f" (oracle: {self._tasks.answer(world)})"
        text = word(world, self._library, self._dice)
        if len(text) + len(told) > MAX_TASK_CHARS:
            scene = self._dice.choice(self._library.scenes[world.family])
            text = shortest(world, self._library, scene, self._dice)
        return text + told


def told_answer(text: str) -> str:
    """Return the answer that an oracle told.

    Raises:
        UsageError: `bad-answer` when it told none: its challenger has no oracle.
    """
    told = _TOLD.search(text)
    if told is None:
        raise UsageError("bad-answer", "the challenger tells no answer")
    return told.group(1)
