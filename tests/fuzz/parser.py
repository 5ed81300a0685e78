"""What it takes to fuzz a parser, and how it is done."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.errors import MoltError, PeerError
from tests.fuzz.mutations import Mutation

Read = Callable[[bytes], object]
"""Reads one case; may be a coroutine function."""

STALL_S: Final = 0.25
"""Processor time of one case that would hold up a node's event loop too long."""


@dataclass(frozen=True, slots=True)
class Parser:
    """One row of the table (`tests/fuzz/table.py`).

    Attributes:
        name: what a failure says.
        corpus: gives the bytes to begin with.
        mutate: spoils them.
        open: gives a reader, with whatever it remembers of the cases before. It
            raises `refuses` for what it refuses; anything else is a bug. So is an
            AssertionError: it asserts what must hold of whatever it lets pass.
        refuses: what it may raise. On bytes from peers only a PeerError: anything
            else would be called a bug of ours by `net.containment`.
        weight: for how many cases one of these counts: a session is made of many
            messages.
        lasts: after so many cases a reader is made anew, so that what it holds
            against the first does not keep it from reading the others.
    """

    name: str
    corpus: Callable[[], list[bytes]]
    mutate: Mutation
    open: Callable[[], Read]
    refuses: type[MoltError] = PeerError
    weight: int = 1
    lasts: int = 1_000_000_000


@dataclass(slots=True)
class Outcome:
    """What came of some cases.

    Attributes:
        passed: cases that were let pass.
        refused: cases that were refused, by code.
        longest_s: the most processor time that a case took.
        longest: that case.
    """

    passed: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    longest_s: float = 0.0
    longest: bytes = b""

    def took(self, seconds: float, case: bytes) -> None:
        """Note how long a case took."""
        if seconds > self.longest_s:
            self.longest_s, self.longest = seconds, case


class FuzzError(AssertionError):
    """A case that a parser did not take as it must, spelt so that it can be kept."""

    def __init__(self, parser: Parser, case: bytes, what: str) -> None:
        shown = case.hex() if len(case) <= 4096 else f"{case[:4096].hex()}… cut"
        super().__init__(f"{parser.name}: {what}\n{len(case)} bytes: {shown}")

    def __reduce__(self) -> tuple[type[AssertionError], tuple[object, ...]]:
        """Pickle as what is told, since parsers are not for other processes."""
        return AssertionError, self.args


async def fuzz(parser: Parser, cases: int, rng: random.Random) -> Outcome:
    """Give a parser its corpus, and then what was made of it.

    Raises:
        FuzzError: it raised what it must not, or took too long.
    """
    corpus = parser.corpus()
    outcome = Outcome()
    read = parser.open()
    for number in range(cases):
        if number % parser.lasts == 0:
            read = parser.open()
        whole = number < len(corpus)
        seed = corpus[number] if whole else rng.choice(corpus)
        case = seed if whole else parser.mutate(rng, seed, corpus)
        await give(parser, read, case, outcome)
    if outcome.longest_s > STALL_S:
        told = f"held the event loop for {outcome.longest_s:.3f} s"
        raise FuzzError(parser, outcome.longest, told)
    return outcome


async def give(parser: Parser, read: Read, case: bytes, outcome: Outcome) -> None:
    """Give a parser one case."""
    # Of this thread alone: other processes of the machine are not its fault.
    started_s = time.thread_time()
    try:
        answer = read(case)
        if isinstance(answer, Awaitable):
            await answer
        outcome.passed += 1
    except parser.refuses as error:
        outcome.refused[error.code] = outcome.refused.get(error.code, 0) + 1
    except Exception as error:
        raise FuzzError(parser, case, f"raised {error!r}") from error
    outcome.took(time.thread_time() - started_s, case)
