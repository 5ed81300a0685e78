"""Tasks that somebody answers by hand."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import UsageError
from moltp2p.node.proving.by_hand import LOOK_S, MAX_PINNED, Board, EitherSolver, Task
from moltp2p.node.proving.solvers import Answering, Question
from moltp2p.proto.challenge.events import Ask


class Fixed:
    """A solver that says one thing."""

    sessions = 2
    is_ready = True

    async def solve(self, question: Question) -> str:
        await trio.lowlevel.checkpoint()
        return "by the solver"


def ask(*texts: str, limit_ms: int = 32_000) -> Ask:
    return Ask(0, texts, (), limit_ms)


async def test_a_task_is_told_and_its_answer_returned() -> None:
    told: list[Task] = []
    board = Board(told.append)
    answers: list[str] = []

    async def solve() -> None:
        answers.append(await board.solve(Question("how many?", "", 30.0)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(solve)
        await trio.testing.wait_all_tasks_blocked()
        (task,) = board.tasks()
        assert board.answer(task.number, "It is ANSWER: 17.") == "17"

    assert told == [task]
    assert (task.text, task.reminder) == ("how many?", "")
    assert answers == ["It is ANSWER: 17."]
    assert board.tasks() == []


async def test_an_answer_of_no_form_leaves_the_task_waiting() -> None:
    board = Board(lambda _: None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(board.solve, Question("how many?", "", 30.0))
        await trio.testing.wait_all_tasks_blocked()
        (task,) = board.tasks()
        with pytest.raises(UsageError) as caught:
            board.answer(task.number, "words beyond what an answer may ever hold, my")

        assert caught.value.code == "bad-answer"
        assert board.tasks() == [task]
        nursery.cancel_scope.cancel()


async def test_no_task_is_answered_twice_or_after_its_time(
    autojump_clock: MockClock,
) -> None:
    board = Board(lambda _: None)
    answering = Answering(board)
    found: list[tuple[str | None, ...]] = []

    async def answer() -> None:
        found.append(await answering.answer(ask("one", "two")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await trio.testing.wait_all_tasks_blocked()
        first, second = sorted(board.tasks(), key=lambda task: task.text)
        assert first.seconds_left == 30.0
        board.answer(first.number, "1")
        with pytest.raises(UsageError) as twice:
            board.answer(first.number, "2")

    with pytest.raises(UsageError) as late:
        board.answer(second.number, "2")
    assert (twice.value.code, late.value.code) == ("no-such-task", "no-such-task")
    assert found == [("1", None)]
    assert trio.current_time() == 30.0
    assert answering.last_error.startswith("too-late: 1 of 2 tasks")


async def test_whoever_asks_for_tasks_is_there_for_a_minute(
    autojump_clock: MockClock,
) -> None:
    board = Board(lambda _: None)
    assert not board.is_ready

    board.look()
    assert (board.is_ready, board.is_watched) == (True, False)
    await trio.sleep(LOOK_S)
    assert not board.is_ready

    with board.watched():
        assert (board.is_ready, board.is_watched) == (True, True)
    assert not board.is_ready


async def test_more_tasks_than_anybody_answers_are_refused() -> None:
    board = Board(lambda _: None)

    async with trio.open_nursery() as nursery:
        for _ in range(MAX_PINNED):
            nursery.start_soon(board.solve, Question("how many?", "", 30.0))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(UsageError):
            await board.solve(Question("one more?", "", 30.0))
        nursery.cancel_scope.cancel()


async def test_the_solver_answers_unless_somebody_follows_the_tasks() -> None:
    board = Board(lambda _: None)
    either = EitherSolver(board, Fixed())

    board.look()
    by_solver = await either.solve(Question("how many?", "", 30.0))
    assert (by_solver, either.sessions) == ("by the solver", 2)

    with board.watched():
        assert either.sessions == 1
        with trio.move_on_after(0) as waiting:
            await either.solve(Question("how many?", "", 30.0))
    assert waiting.cancelled_caught
