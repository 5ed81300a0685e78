"""What `prove` shows to a person, and takes from a program."""

from __future__ import annotations

from io import StringIO
from typing import Any, cast

import pytest
import trio
from rich.console import Console
from trio.testing import MockClock

from moltp2p.cli.client import Client
from moltp2p.cli.prove import _answered
from moltp2p.cli.prove_screen import Screen, lines_of
from moltp2p.core.errors import MoltError, UsageError

BOB = "did:key:z6MkbobbybobbyBobby"
PROOF = {"state": "unverified", "solver": "by-hand"}


class Answers:
    """Takes answers in place of a node."""

    def __init__(self, failure: MoltError | None = None) -> None:
        self.taken: list[tuple[str, object]] = []
        self.failure = failure

    async def ask(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.taken.append((path, body["answer"]))
        return {"number": int(path.rpartition("/")[2]), "answer": body["answer"]}


def screen(answers: Answers) -> tuple[Screen, StringIO]:
    """Return a screen, and what is written on it."""
    paper = StringIO()
    console = Console(file=paper, width=100, markup=False)
    return Screen(console, cast("Client", answers), is_by_hand=False), paper


def task(number: int, seconds_left: float = 40.0, **fields: Any) -> dict[str, Any]:
    told = {"event": "task", "number": number, "text": f"text {number}"}
    return told | {"reminder": None, "seconds_left": seconds_left} | fields


async def test_tasks_are_asked_one_after_the_other(autojump_clock: MockClock) -> None:
    answers = Answers()
    shown, paper = screen(answers)

    with shown.open():
        await shown.show({"event": "begun", "proof": PROOF})
        await shown.show(task(1))
        await shown.show(task(2, reminder="told before"))
        assert "text 2" not in paper.getvalue()
        await shown.take(b" 17 ")
        await shown.take(b"18")
        await shown.take(b"nobody asked")

    assert answers.taken == [("/tasks/1", "17"), ("/tasks/2", "18")]
    said = paper.getvalue()
    assert "task 1 · 40 s left" in said
    assert "You were told before: told before" in said
    assert "made for a model" in " ".join(said.split())


async def test_a_task_whose_time_is_over_is_passed_over(
    autojump_clock: MockClock,
) -> None:
    answers = Answers()
    shown, paper = screen(answers)

    with shown.open():
        await shown.show(task(1, 5.0))
        await shown.show(task(2, 20.0))
        await trio.sleep(6)
        await shown.take(b"17")

    assert answers.taken == [("/tasks/2", "17")]
    assert "time for task 1 is over" in paper.getvalue()


async def test_an_answer_that_is_none_is_asked_for_again() -> None:
    answers = Answers(UsageError("bad-answer", "not an answer: '…'", "say 17"))
    shown, paper = screen(answers)

    with shown.open():
        await shown.show(task(1))
        await shown.take(b"what?")
        answers.failure = None
        await shown.take(b"17")

    assert "not an answer: '…': say 17" in paper.getvalue()
    assert paper.getvalue().count("text 1") == 1
    assert answers.taken == [("/tasks/1", "17")]


def test_who_did_not_pass_sees_what_was_asked_and_what_is_right() -> None:
    tasks = [
        {"text": "how many?", "answer": "17", "right": "17"},
        {"text": "who?\x1b[2J", "answer": "ann", "right": "bob"},
        {"text": "when?", "answer": None, "right": "monday"},
    ]
    event = {"event": "refused", "agent": BOB, "code": "not-passed", "tasks": tasks}
    event |= {"message": "1 answers were right", "hint": "a better solver"}

    said = "\n".join(text for text, _ in lines_of(event))

    assert said == (
        "z6Mk…yBobby: 1 answers were right (not-passed)\n"
        "  who?\\x1b[2J\n    the answer was ann; right is bob\n"
        "  when?\n    there was no answer; right is monday\n"
        "  a better solver"
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "asked", "agent": BOB}, "Applying to z6Mk…yBobby."),
        (
            {"event": "attested", "agent": BOB, "score": 7},
            "z6Mk…yBobby attests: 7 of 8 right.",
        ),
        (
            {"event": "checked", "agent": BOB, "code": "passed"},
            "z6Mk…yBobby has challenged the agent itself, and it passed.",
        ),
        (
            {"event": "proved", "expires_ms": 1_800_000_000_000},
            "Proved. It holds until 2027-01-15 08:00 UTC.",
        ),
    ],
)
def test_what_goes_on_is_told_in_a_sentence(event: dict[str, Any], said: str) -> None:
    assert [text for text, _ in lines_of(event)] == [said]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"17", "bad-request"),
        (b"not json", "not-json"),
        (b'{"answer": "17"}', "bad-request"),
        (b'{"number": "3", "answer": "17"}', "bad-request"),
        (b'{"number": 3, "answer": 17}', "bad-request"),
        (b"[" * 50_000, "not-json"),
    ],
)
async def test_a_line_that_answers_nothing_is_told_so(line: bytes, code: str) -> None:
    answers = Answers()

    told = await _answered(cast("Client", answers), line)

    assert (told["status"], told["code"]) == ("error", code)
    assert answers.taken == []


async def test_a_line_answers_a_task_and_is_told_what_became_of_it() -> None:
    answers = Answers()
    line = b'{"number": 3, "answer": "17"}'

    taken = await _answered(cast("Client", answers), line)
    answers.failure = UsageError("no-such-task", "no task 3 waits")
    refused = await _answered(cast("Client", answers), line)

    assert taken == {"event": "answered", "number": 3, "answer": "17"}
    assert (refused["code"], refused["number"]) == ("no-such-task", 3)
