from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from fastapi import Request
from trio.testing import MockClock

from moltp2p.api import lines
from moltp2p.api.connection import ClientGoneError, Message
from moltp2p.api.lines import LinesResponse, Write, answer_lines
from moltp2p.api.splitting import Line
from moltp2p.api.views import View
from moltp2p.core.errors import UsageError
from tests.patience import PATIENCE_S


class Exchange:
    """One request as an app sees it, with both ends of it in our hands."""

    def __init__(self) -> None:
        self.says, self._hears = trio.open_memory_channel[bytes](1_000)
        self.sent: list[Message] = []
        self.reads = trio.Event()
        self.request = Request({"type": "http", "headers": []}, self._receive)

    async def _receive(self) -> Message:
        try:
            body = await self._hears.receive()
        except trio.EndOfChannel:
            return {"type": "http.request", "body": b"", "more_body": False}
        if body == b"<gone>":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        self.sent.append(message)

    async def answer(self, response: LinesResponse) -> None:
        await response({}, self._receive, self.send)

    @property
    def answers(self) -> list[Any]:
        body = b"".join(message.get("body", b"") for message in self.sent)
        return [json.loads(text) for text in body.splitlines()]


async def repeat(lines: Sequence[Line]) -> list[View]:
    return [{"line": each.number, "text": each.whole().decode()} for each in lines]


async def test_a_line_is_answered_before_the_next_one_comes(
    autojump_clock: MockClock,
) -> None:
    exchange = Exchange()
    exchange.reads.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.answer, answer_lines(exchange.request, repeat))
        for number in range(1, 4):
            await exchange.says.send(b"%d\n" % number)
            await trio.sleep(1)
            assert exchange.answers[-1] == {"line": number, "text": str(number)}
        exchange.says.close()

    assert exchange.sent[-1]["more_body"] is False


async def test_the_last_line_needs_no_end() -> None:
    exchange = Exchange()
    exchange.reads.set()
    await exchange.says.send(b"one\ntwo")
    exchange.says.close()

    await exchange.answer(
        answer_lines(exchange.request, repeat, lambda: [{"total": 2}])
    )

    assert exchange.answers == [
        {"line": 1, "text": "one"},
        {"line": 2, "text": "two"},
        {"total": 2},
    ]


async def test_lines_are_worked_on_in_groups() -> None:
    sizes = []

    async def count(lines: Sequence[Line]) -> list[View]:
        sizes.append(len(lines))
        return []

    exchange = Exchange()
    exchange.reads.set()
    await exchange.says.send(b"x\n" * 600)
    exchange.says.close()

    await exchange.answer(answer_lines(exchange.request, count))

    assert sizes == [lines.BATCH_LINES, lines.BATCH_LINES, 88]


async def test_a_client_that_sends_all_before_it_reads_is_served(
    autojump_clock: MockClock,
) -> None:
    exchange = Exchange()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.answer, answer_lines(exchange.request, repeat))
        for _ in range(1_000):
            await exchange.says.send(b"x" * 1_000 + b"\n")
            await trio.sleep(0.001)
        exchange.says.close()
        await trio.sleep(1)
        exchange.reads.set()

    assert len(exchange.answers) == 1_000


async def test_what_a_client_leaves_unread_is_bounded(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "UNREAD_BYTES", 10_000)
    worked_on = 0

    async def count(lines: Sequence[Line]) -> list[View]:
        nonlocal worked_on
        worked_on += len(lines)
        return await repeat(lines)

    exchange = Exchange()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.answer, answer_lines(exchange.request, count))
        for _ in range(100):
            await exchange.says.send(b"x" * 1_000 + b"\n")
        await trio.sleep(1)
        held = worked_on
        exchange.says.close()
        exchange.reads.set()

    assert held < 20
    assert len(exchange.answers) == 100


async def test_a_client_that_leaves_is_noticed_and_whole_lines_count() -> None:
    exchange = Exchange()
    exchange.reads.set()
    for piece in (b"one\ntw", b"<gone>"):
        await exchange.says.send(piece)
    seen: list[bytes | None] = []

    async def note(lines: Sequence[Line]) -> list[View]:
        seen.extend(each.text for each in lines)
        return []

    with pytest.raises(ClientGoneError):
        await exchange.answer(answer_lines(exchange.request, note))

    assert seen == [b"one"]


async def test_when_nobody_reads_the_work_ends() -> None:
    exchange = Exchange()

    async def gone(_: Message) -> None:
        raise ClientGoneError

    await exchange.says.send(b"one\n")

    # It would wait for the next line for ever.
    with trio.fail_after(PATIENCE_S):
        await answer_lines(exchange.request, repeat)({}, exchange._receive, gone)


async def test_a_failure_before_the_first_line_is_told_as_any_other() -> None:
    async def fail(_: Write) -> None:
        raise UsageError("bad-community", "no such place")

    with pytest.raises(UsageError):
        await Exchange().answer(LinesResponse(fail))


async def test_a_failure_after_the_first_line_is_the_last_line() -> None:
    async def fail(write: Write) -> None:
        await write(b'{"so": "far"}\n')
        raise UsageError("bad-community", "no such place", "elsewhere")

    exchange = Exchange()
    exchange.reads.set()

    await exchange.answer(LinesResponse(fail))

    assert exchange.answers == [
        {"so": "far"},
        {
            "status": "error",
            "code": "bad-community",
            "message": "no such place",
            "hint": "elsewhere",
        },
    ]
    assert exchange.sent[-1]["more_body"] is False
