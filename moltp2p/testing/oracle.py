"""Real tasks, and a solver that knows the answers because it set them."""

from __future__ import annotations

from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.tasks import Worlds
from moltp2p.proof.wording import word
from moltp2p.proof.world import World


class Oracle:
    """Words tasks for a challenger, and solves them for an applicant.

    Args:
        library: the phrases.
        seed: of the wording's dice.
    """

    def __init__(self, library: Library, seed: bytes = b"oracle") -> None:
        self.tasks = Worlds()
        self._library = library
        self._dice = Dice(seed)
        self._answers: dict[str, str] = {}

    def word(self, world: World) -> str:
        """Return a text about a world, and remember its answer."""
        text = word(world, self._library, self._dice)
        self._answers[text] = self.tasks.answer(world)
        return text

    def solve(self, text: str) -> str:
        """Return the answer to a text that was worded here."""
        return self._answers[text]
