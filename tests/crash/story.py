"""What a node lives through in a crash test: the same for everybody, from a seed.

Each step is one call of a node, at a time of its own, with keys drawn from the step's
number. So whoever repeats a step that may have been done writes the same bytes, and
two nodes that lived through all of it have the same store and the same keys.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NETWORK: Final = NetworkParams("test-net")
STRANGERS: Final = ("bob", "carol", "dave")
STEPS: Final = 240
BATCH: Final = 8
"""Records that a step receives at most."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    Attributes:
        number: its place in the story.
        name: `post`, `delete`, `rotate` or `receive`.
        text: of a post.
        target: which step wrote what is deleted.
        wires: what is received.
    """

    number: int
    name: str
    text: str = ""
    target: int = 0
    wires: tuple[bytes, ...] = ()

    @property
    def time_ms(self) -> int:
        """Return the clock during the step; no other step has the same."""
        return EPOCH_MS + 1_000 * (self.number + 1)


def secret(seed: int, number: int, draw: int, size: int) -> bytes:
    """Return what is drawn during a step, the how manyth time."""
    return hashlib.shake_256(f"story {seed} {number} {draw}".encode()).digest(size)


def tell(seed: int, steps: int = STEPS) -> list[Step]:
    """Return a story: a third of the steps write, the others receive."""
    return _Telling(seed).run(steps)


@dataclass
class _Telling:
    seed: int
    dice: random.Random = field(init=False)
    strangers: list[TestAgent] = field(init=False)
    posts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.strangers = [TestAgent(name, NETWORK.id) for name in STRANGERS]
        for stranger in self.strangers:
            stranger.incept()

    def run(self, steps: int) -> list[Step]:
        first = [stranger.records[0] for stranger in self.strangers]
        story = [self._receive(0, first)]
        return story + [self._step(number) for number in range(1, steps)]

    def _step(self, number: int) -> Step:
        name = self.dice.choices(
            ("post", "delete", "rotate", "receive"), (20, 5, 15, 60)
        )[0]
        if name == "receive" or (name == "delete" and not self.posts):
            return self._receive(number, self._news())
        if name == "delete":
            return Step(number, "delete", target=self.dice.choice(self.posts))
        if name == "post":
            self.posts.append(number)
            size = self.dice.choice((10, 100, 4_000))
            return Step(number, "post", f"step {number} {self._words(size)}")
        return Step(number, "rotate")

    def _news(self) -> list[Record]:
        """Return what strangers wrote since, and some of what they wrote before.

        Out of order, but never across a rotation: what waits for one waits in
        memory, and is lost with it.
        """
        count = self.dice.randint(1, BATCH)
        news = [self._write(self.dice.choice(self.strangers)) for _ in range(count)]
        old = self.dice.choice(self.strangers).records
        news += self.dice.choices(old, k=2)
        self.dice.shuffle(news)
        return news

    def _write(self, stranger: TestAgent) -> Record:
        name = self.dice.choices(("rotate", "delete", "reply", "post"), (1, 2, 3, 6))[0]
        other = self.dice.choice(self.strangers).records[-1]
        if name == "rotate":
            return stranger.rotate()
        if name == "delete":
            return stranger.delete(self.dice.choice(stranger.records))
        if name == "reply" and other.header.community is not None:
            return stranger.reply(other)
        return stranger.post(self._words(self.dice.choice((10, 500, 3_000))))

    def _words(self, size: int) -> str:
        return self.dice.randbytes(size // 2).hex()

    def _receive(self, number: int, records: Sequence[Record]) -> Step:
        return Step(number, "receive", wires=tuple(each.wire() for each in records))
