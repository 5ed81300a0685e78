"""Who answers the tasks of a challenge: the agent's own model, by whatever road.

    command:…   a program: the task on its input, the answer on its output
    openai:URL  an HTTP endpoint that speaks as OpenAI's does (openai_solver.py)
    by-hand     whoever asks for the tasks, and sends the answers (by_hand.py)
    oracle      networks under test alone (proof/oracle.py)

A task is a stranger's text. A solver gets that text and nothing else: no tools, no
secrets, no files; and of what it says only an answer's 32 characters leave this node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from moltp2p.core.errors import MoltError
from moltp2p.net.log import get_logger
from moltp2p.node.solver_settings import split_command
from moltp2p.proof.answers import read_answer
from moltp2p.proof.command import ask_command
from moltp2p.proof.oracle import told_answer
from moltp2p.proto.challenge.events import Ask

MARGIN_S: Final = 2.0
"""Kept of a round's time, so that the answers arrive before it is over."""
AT_ONCE: Final = 4
"""Tasks before the solver at once; the others wait, and their time runs."""
SESSIONS: Final = 2
"""Challengers before it at once."""
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""What a command's environment has: no keys, no tokens."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One task, as a solver sees it.

    Attributes:
        text: the task.
        reminder: an earlier text that it may ask about; empty in the first round.
        within_s: how long there is.
    """

    text: str
    reminder: str
    within_s: float

    @property
    def prompt(self) -> str:
        """Return all of it in one text."""
        if not self.reminder:
            return self.text
        return f"You were told before: {self.reminder}\n\nNow answer: {self.text}"


class Solver(Protocol):
    """Answers tasks."""

    @property
    def sessions(self) -> int:
        """Return how many challengers to apply to at once: more, and none in time."""
        ...

    @property
    def is_ready(self) -> bool:
        """Tell whether somebody would answer a task that came now."""
        ...

    async def solve(self, question: Question) -> str:
        """Return what it says; the caller ends the wait.

        Raises:
            LocalError: `solver-failed`.
            UsageError: `bad-answer`.
        """
        ...


class Oracle:
    """Reads the answer that a challenger under test tells."""

    sessions: Final = SESSIONS
    is_ready: Final = True

    async def solve(self, question: Question) -> str:
        """Return the answer that stands at the end of the text."""
        await trio.lowlevel.checkpoint()
        return told_answer(question.text)


class Command:
    """Runs a program for each task.

    Args:
        line: its words, as a shell would split them; no shell runs it.
        environ: this process's environment; little of it is passed on.

    Raises:
        UsageError: `bad-setting`.
    """

    sessions: Final = SESSIONS
    is_ready: Final = True

    def __init__(self, line: str, environ: Mapping[str, str]) -> None:
        self._words = split_command(line)
        self._environ = {name: environ[name] for name in PASSED_ON if name in environ}

    async def solve(self, question: Question) -> str:
        """Return what the program says."""
        text = question.prompt + "\n"
        return await ask_command(self._words, text, question.within_s, self._environ)


class Answering:
    """Puts rounds before a solver, and takes what it answers in time.

    Args:
        solver: the agent's.
        at_once: tasks before it at once, over all sessions.

    Attributes:
        asked: tasks so far.
        answered: how many of them had an answer of the right form.
        last_error: why the last one that failed did; empty if none has.
    """

    def __init__(self, solver: Solver, at_once: int = AT_ONCE) -> None:
        self.solver = solver
        self.asked = 0
        self.answered = 0
        self.last_error = ""
        self._room = trio.Semaphore(at_once)

    async def answer(self, ask: Ask) -> tuple[str | None, ...]:
        """Return an answer to each text; None where there is none in time."""
        answers: list[str | None] = [None] * len(ask.texts)
        within_s = max(ask.limit_ms / 1_000 - MARGIN_S, 0.0)
        ends_at = trio.current_time() + within_s

        async def one(index: int) -> None:
            answers[index] = await self._one(ask, index, ends_at)

        with trio.move_on_at(ends_at) as scope:
            async with trio.open_nursery() as nursery:
                for index in range(len(ask.texts)):
                    nursery.start_soon(one, index)
        if scope.cancelled_caught:
            late = answers.count(None)
            self.last_error = (
                f"too-late: {late} of {len(answers)} tasks had no answer"
                f" in {within_s:.0f} s"
            )
        return tuple(answers)

    async def _one(self, ask: Ask, index: int, ends_at: float) -> str | None:
        self.asked += 1
        async with self._room:
            within_s = ends_at - trio.current_time()
            # The first text of the first round told what later rounds may ask for.
            reminder = ask.reminder[0] if ask.reminder else ""
            question = Question(ask.texts[index], reminder, within_s)
            try:
                answer = read_answer(await self.solver.solve(question))
            except MoltError as error:
                self.last_error = str(error)
                log.info("no answer", code=error.code, why=error.message)
                return None
        self.answered += 1
        return answer
