"""A mesh's node in a process of its own: JSON lines in, JSON lines out.

Each line in is `[call, value]`, a method of `members.Member`; each line out is
`{"value": …}` or `{"error": …}`. It ends when its input does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any, Final

import trio

from moltp2p.core.errors import MoltError, UsageError
from moltp2p.testing.faults.conditions import orders_of
from moltp2p.testing.members import Member, MemberSettings, Text, open_local_member

CALLS: Final = frozenset(
    {
        "addresses",
        "admits",
        "arrivals",
        "audit",
        "cut",
        "face",
        "faults_injected",
        "newest",
        "peer",
        "publish",
        "snapshot",
    }
)

Answer = Callable[[str, Any], Awaitable[object]]


async def answer_lines(answer: Answer) -> None:
    """Answer what is asked on standard input, until there is no more."""
    while line := await trio.to_thread.run_sync(
        sys.stdin.readline, abandon_on_cancel=True
    ):
        sys.stdout.write(json.dumps(await answered(answer, line)) + "\n")
        sys.stdout.flush()


def run_worker(work: Callable[[], Awaitable[None]]) -> None:
    """Run what answers lines; what it fails by is its last answer."""
    failure: BaseException | None = None
    try:
        trio.run(work)
    except* MoltError as group:
        failure = group
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if failure is not None:
        sys.stdout.write(json.dumps({"error": str(failure)}) + "\n")
        sys.exit(1)


async def answered(answer: Answer, line: str) -> dict[str, object]:
    """Return the answer to one line."""
    call, value = json.loads(line)
    try:
        return {"value": None if call == "ready" else await answer(call, value)}
    except MoltError as error:
        return {"error": str(error)}


async def call_member(member: Member, call: str, value: Any) -> object:  # noqa: ANN401 - JSON
    """Return what a member answers to a call.

    Raises:
        UsageError: `bad-call`.
        MoltError: what the member raises.
    """
    if call not in CALLS:
        raise UsageError("bad-call", f"a member has no call {call!r}")
    if call == "publish":
        value = [Text(**each) for each in value]
    elif call == "face":
        value = orders_of(value)
    asked = getattr(member, call)
    return _plain(await (asked() if value is None else asked(value)))


def _plain(answer: object) -> object:
    """Return an answer as JSON has it."""
    if isinstance(answer, list):
        return [_plain(each) for each in answer]
    if is_dataclass(answer) and not isinstance(answer, type):
        return asdict(answer)
    return answer


async def serve(settings: MemberSettings) -> None:
    """Run a node, and answer lines until there are no more."""
    async with open_local_member(settings) as member:

        async def answer(call: str, value: Any) -> object:  # noqa: ANN401 - JSON
            return await call_member(member, call, value)

        await answer_lines(answer)


if __name__ == "__main__":
    run_worker(partial(serve, MemberSettings(**json.loads(sys.argv[1]))))
