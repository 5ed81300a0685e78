"""What drives the script of a session: events in, actions out, a deadline (spec 07).

A session is a straight line, so each side is written as one: a generator that yields
what is to be done and until when it waits, and is resumed with what happened. It is
as pure as a table of states, and its state is the line at which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar, assert_never

from moltp2p.core.challenge.statements import Statement
from moltp2p.core.errors import PeerError
from moltp2p.proto.challenge.events import (
    Answered,
    ChallengeAction,
    ChallengeEvent,
    Closed,
    Done,
    Failed,
    Hashed,
    Passed,
    Received,
    Send,
    TimedOut,
)
from moltp2p.proto.challenge.messages import (
    Fail,
    Message,
    Refuse,
    decode_message,
    encode_message,
)

LATE: Final = "too-slow"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time on two clocks.

    Attributes:
        now: seconds on a clock that never goes back.
        time_ms: the wall clock, milliseconds since 1970 UTC.
    """

    now: float
    time_ms: int

    def at(self, now: float) -> int:
        """Return the wall clock at another time, however it was set since."""
        return self.time_ms + round((now - self.now) * 1_000)


@dataclass(frozen=True, slots=True)
class Step:
    """What a script does before it waits, and until when it waits."""

    actions: tuple[ChallengeAction, ...]
    deadline: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What happened, and when."""

    event: ChallengeEvent
    now: float


Result = TypeVar("Result")
Script: TypeAlias = Generator[Step, Turn, Result]
Outcome: TypeAlias = Passed | Failed
Ending: TypeAlias = tuple[tuple[ChallengeAction, ...], Outcome]
"""What a script does last, and how the session ended."""


class EndedByPeerError(PeerError):
    """The other party ended the session; it need not be told."""


class Machine:
    """One side of one session.

    Attributes:
        first: what to do at once.
        deadline: when to give `TimedOut`, on the clock of `now`.
        is_done: whether `Done` was among the actions; then nothing follows.

    Args:
        script: what it does.
        heard: returns all that was signed until now.
    """

    def __init__(
        self, script: Script[Ending], heard: Callable[[], tuple[Statement, ...]]
    ) -> None:
        self._script = script
        self._heard = heard
        self.is_done = False
        step = next(script)
        self.first = step.actions
        self.deadline = step.deadline

    def handle(self, event: ChallengeEvent, now: float) -> tuple[ChallengeAction, ...]:
        """Return what the driver must now do, in order; nothing once it is done."""
        if self.is_done:
            return ()
        try:
            step = self._script.send(Turn(event, now))
        except StopIteration as end:
            actions, outcome = end.value
            return self._done(actions, outcome)
        except PeerError as error:
            failed = Failed(error.code, error.message, self._heard())
            is_told = isinstance(error, EndedByPeerError)
            return self._done(() if is_told else (refusal(error.code),), failed)
        self.deadline = step.deadline
        return step.actions

    def close(self) -> None:
        """End the session without a word, as when the node stops."""
        self.is_done = True
        self._script.close()

    def _done(
        self, actions: tuple[ChallengeAction, ...], outcome: Outcome
    ) -> tuple[ChallengeAction, ...]:
        self.is_done = True
        return (*actions, Done(outcome))


def refusal(code: str) -> Send:
    """Return what tells the other party why the session ends."""
    return Send(encode_message(Refuse(code)))


def hear(step: Step, late: str = LATE) -> Script[tuple[Statement, float]]:
    """Take a step; return the other party's next statement, and when it came.

    Args:
        step: what is done before.
        late: the code when nothing comes in time.

    Raises:
        PeerError: `late`, `bad-statement`, a code of `codec.decode`, or the code with
            which the other party ended the session.
    """
    turn = yield step
    return spoken(turn, late), turn.now


def spoken(turn: Turn, late: str = LATE) -> Statement:
    """Return the statement that came.

    Raises:
        PeerError: as `hear`.
    """
    match turn.event:
        case Received(payload):
            return _statement(decode_message(payload))
        case TimedOut():
            raise PeerError(late, "nothing came in time")
        case Closed():
            raise EndedByPeerError("stream-reset", "the other party went away")
        case Hashed() | Answered():
            raise PeerError("bad-statement", "an answer that nobody waits for")
        case _:
            assert_never(turn.event)


def _statement(message: Message) -> Statement:
    match message:
        case Statement():
            return message
        case Refuse(code):
            raise EndedByPeerError(code, "the other party ended the session")
        case Fail(score):
            raise EndedByPeerError("not-passed", f"{score} answers were right")
