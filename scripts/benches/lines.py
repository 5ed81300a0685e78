"""The Python half of a benchmark's node: answers lines on stdin until they end."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import trio

Op = Callable[[dict[str, Any]], Awaitable[Mapping[str, object]]]


class Meter:
    """Counts what arrives, and how late."""

    def __init__(self) -> None:
        self.received = 0
        self.last = 0.0
        self.delays_ms: list[float] = []

    def count(self, sent: float) -> None:
        """Count a message that was published at `sent`, seconds since 1970."""
        self.last = now()
        self.received += 1
        self.delays_ms.append((self.last - sent) * 1e3)

    def state(self) -> dict[str, object]:
        """Return what was received, and what this process has cost."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return {
            "received": self.received,
            "last": self.last,
            "cpu_s": used.ru_utime + used.ru_stime,
            "rss": pages * resource.getpagesize(),
        }


def now() -> float:
    """Return seconds since 1970: the clock that the processes of a run share."""
    return time.time_ns() / 1e9


async def paced(
    count: int,
    rate: float | None,
    send: Callable[[int], Awaitable[None]],
    under_way: int = 1,
) -> dict[str, object]:
    """Call `send` for each of `count`, at `rate` a second or without a pause.

    Args:
        count: how often.
        rate: calls a second; None for as many as there can be.
        send: called with 0, 1 and so on.
        under_way: without a rate, how many calls may be under way.
    """
    began, start = now(), trio.current_time()
    numbers = iter(range(count))

    async def send_on() -> None:
        for number in numbers:
            if rate:
                await trio.sleep_until(start + number / rate)
            await send(number)

    async with trio.open_nursery() as nursery:
        for _ in range(1 if rate else under_way):
            nursery.start_soon(send_on)
    return {"began": began, "ended": now()}


async def answer_lines(ops: Mapping[str, Op]) -> None:
    """Answer each line by the operation it names, until stdin ends."""
    while line := await trio.to_thread.run_sync(
        sys.stdin.readline, abandon_on_cancel=True
    ):
        command = json.loads(line)
        answer = await ops[command.pop("op")](command)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
