"""Tasks for agents that live in a terminal: shown to whoever asks, answered by it.

    session ──solve──▶ Board ◀──tasks, answer── CLI or HTTP

Nothing is applied for while nobody looks: a task that nobody sees is a slot wasted.
Whoever follows `prove` looks, and whoever asked for the tasks a short time ago.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import trio

from moltp2p.core.errors import UsageError
from moltp2p.node.proving.solvers import Question, Solver
from moltp2p.proof.answers import read_answer

MAX_PINNED: Final = 64
"""Tasks on the board at once; four sessions' worth of rounds and more."""
LOOK_S: Final = 60.0
"""So long whoever asked for the tasks is taken to look at them."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that waits for an answer.

    Attributes:
        number: its name on this node.
        text: what is asked.
        reminder: an earlier text that it may ask about; empty for none.
        ends_at: until when, `trio.current_time()`.
    """

    number: int
    text: str
    reminder: str
    ends_at: float

    @property
    def seconds_left(self) -> float:
        """Return how long there is, to a tenth of a second."""
        return round(max(self.ends_at - trio.current_time(), 0.0), 1)


@dataclass(slots=True)
class _Pinned:
    task: Task
    said: str = ""
    is_answered: trio.Event = field(default_factory=trio.Event)


class Board:
    """A solver that is somebody else.

    Args:
        tell: told of each task that is pinned; never waits.
    """

    sessions: Final = 1

    def __init__(self, tell: Callable[[Task], None]) -> None:
        self._tell = tell
        self._pinned: dict[int, _Pinned] = {}
        self._numbers = count(1)
        self._watching = 0
        self._looked_at = -math.inf

    @property
    def is_watched(self) -> bool:
        """Tell whether anybody follows what comes."""
        return self._watching > 0

    @property
    def is_ready(self) -> bool:
        """Tell whether anybody looks at the board."""
        return self.is_watched or trio.current_time() < self._looked_at + LOOK_S

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at the board for the length of the block."""
        self._watching += 1
        try:
            yield
        finally:
            self._watching -= 1

    async def solve(self, question: Question) -> str:
        """Pin a task to the board; return what somebody answers."""
        if len(self._pinned) >= MAX_PINNED:
            raise UsageError("bad-answer", "too many tasks wait already")
        number = next(self._numbers)
        ends_at = trio.current_time() + question.within_s
        task = Task(number, question.text, question.reminder, ends_at)
        pinned = self._pinned[number] = _Pinned(task)
        self._tell(task)
        try:
            await pinned.is_answered.wait()
        finally:
            del self._pinned[number]
        return pinned.said

    def look(self) -> list[Task]:
        """Return what waits for an answer, to somebody who will look again soon."""
        self._looked_at = trio.current_time()
        return self.tasks()

    def tasks(self) -> list[Task]:
        """Return what waits for an answer, oldest first."""
        return [
            each.task for each in self._pinned.values() if not each.is_answered.is_set()
        ]

    def answer(self, number: int, said: str) -> str:
        """Answer a task; return the answer as it will be committed to.

        Raises:
            UsageError: `no-such-task`, `bad-answer`; then the task waits on.
        """
        pinned = self._pinned.get(number)
        if pinned is None or pinned.is_answered.is_set():
            raise UsageError(
                "no-such-task",
                f"no task {number} waits for an answer",
                "its time is over, or it was answered",
            )
        answer = read_answer(said)
        pinned.said = said
        pinned.is_answered.set()
        return answer


class EitherSolver:
    """Somebody by hand while he follows the tasks; else the agent's own solver.

    Args:
        by_hand: whether somebody does, and how he answers.
        own: the solver that the settings name.
    """

    def __init__(self, by_hand: Board, own: Solver) -> None:
        self._by_hand = by_hand
        self._own = own

    @property
    def sessions(self) -> int:
        """Return how many challengers the one who is to answer now stands."""
        return self._solver.sessions

    @property
    def _solver(self) -> Solver:
        return self._by_hand if self._by_hand.is_watched else self._own

    @property
    def is_ready(self) -> bool:
        """Tell whether either would answer."""
        return self._by_hand.is_watched or self._own.is_ready

    async def solve(self, question: Question) -> str:
        """Return what the one says who is to answer now."""
        return await self._solver.solve(question)
