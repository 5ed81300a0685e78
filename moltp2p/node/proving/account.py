"""What a session asked of the agent, and what became of it: for its owner alone.

A challenger tells nobody why somebody failed, and signs nothing of it. The applicant
knows: it has the tasks, its own answers, and, once they are revealed, the right ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import Reveal
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import agent_text
from moltp2p.node.proving.verify_stream import Ended
from moltp2p.proto.challenge.events import Ask, Failed

Answers: TypeAlias = tuple[str | None, ...]
Event: TypeAlias = dict[str, object]

AGAIN: Final = "it is asked again by itself"
ELSEWHERE: Final = "others are asked; another ticket is looked for by itself"
HINTS: Final[Mapping[str, str]] = {
    "not-passed": "6 of 8 answers must be right, in a spot check 3 of 4: look at what"
    " was asked and answered, and give the agent a better solver",
    "too-late": "the answers must all be there in time: a model of 20 tokens a second"
    " keeps it; give it less to say, or less to do beside",
    "unfair-limit": ELSEWHERE,
    "unknown-tasks": "one of the two is of an older version: bring yours up to date",
    "busy": AGAIN,
    "too-slow": AGAIN,
    "dial-failed": AGAIN,
    "not-connected": AGAIN,
    "no-slots": "a challenger attests four times an hour; " + ELSEWHERE,
    "stale-ticket": "look at this machine's clock; " + ELSEWHERE,
    "weak-ticket": "this node knows too few challengers yet; " + ELSEWHERE,
    "wrong-party": ELSEWHERE,
}
"""What to do about a session that we did not pass, by its code."""
CHALLENGED_HINTS: Final[Mapping[str, str]] = {
    "declined": "nobody answers its tasks now, or it was asked often enough today",
    "not-passed": "that is no evidence against it: challenge it again, later",
    "too-late": "that is no evidence against it: challenge it again, later",
}
"""The same for a session that somebody else did not pass, whom we challenged."""


class Account:
    """Takes note of a session's tasks while a solver answers them.

    Args:
        ask: puts tasks before the solver.
    """

    def __init__(self, ask: Callable[[Ask], Awaitable[Answers]]) -> None:
        self._ask = ask
        self._rounds: list[tuple[Ask, Answers]] = []

    @property
    def is_of_tasks(self) -> bool:
        """Tell whether the agent was asked anything."""
        return bool(self._rounds)

    async def ask(self, ask: Ask) -> Answers:
        """Put a round before the solver, and note what it says."""
        answers = await self._ask(ask)
        self._rounds.append((ask, answers))
        return answers

    def told(self, ended: Ended) -> Event:
        """Return how the session ended, and what was asked if it did not pass.

        Returns:
            `code`, `message`, `hint`, and `tasks`: the text of each, the answer that
            was given, and the right one; null where it is not known.
        """
        event: Event = {"code": ended.code, "message": ended.message}
        event["hint"] = HINTS.get(ended.code, ELSEWHERE if event["message"] else "")
        event["tasks"] = self._tasks(ended)
        return event

    def _tasks(self, ended: Ended) -> list[Event]:
        if not isinstance(ended.outcome, Failed):
            return []
        right = _revealed(ended.outcome.heard)
        return [
            {"text": text, "answer": answer, "right": right.get((number, index))}
            for number, (ask, answers) in enumerate(self._rounds)
            for index, (text, answer) in enumerate(zip(ask.texts, answers, strict=True))
        ]


def attested_by(attested: Sequence[Attested]) -> list[Event]:
    """Return who attested, how many answers were right, and until when it holds."""
    return [
        {
            "agent": agent_text(each.says.issuer),
            "score": each.says.score,
            "expires_ms": each.says.expires_ms,
        }
        for each in attested
    ]


def _revealed(heard: Sequence[Statement]) -> dict[tuple[int, int], str]:
    """Return the right answers by round and place, as the challenger gave them."""
    for statement in heard:
        if statement.word == "reveal":
            try:
                reveal = read(statement, Reveal)
            except PeerError:
                return {}
            return {
                (number, index): answer
                for number, answers in enumerate(reveal.answers)
                for index, answer in enumerate(answers)
            }
    return {}
