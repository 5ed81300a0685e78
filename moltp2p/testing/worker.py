"""A mesh's node in a process of its own: JSON lines in, JSON lines out.

Each line in is `[call, value]`, a method of `members.Member`; each line out is
`{"value": …}` or `{"error": …}`. It ends when its input does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import trio

from moltp2p.core.errors import MoltError, UsageError
from moltp2p.node.config import Config
from moltp2p.testing.members import Member, Text, open_local_member, worker_config


async def answer(member: Member, line: str) -> dict[str, object]:
    """Return the answer to one line."""
    call, value = json.loads(line)
    try:
        return {"value": await _called(member, call, value)}
    except MoltError as error:
        return {"error": str(error)}


async def _called(member: Member, call: str, value: Any) -> object:  # noqa: ANN401 - JSON
    match call:
        case "addresses":
            return await member.addresses()
        case "publish":
            return await member.publish([Text(**each) for each in value])
        case "snapshot":
            return asdict(await member.snapshot())
        case "admits":
            return await member.admits(value)
        case "newest":
            return [asdict(each) for each in await member.newest(value)]
        case "arrivals":
            return dict(await member.arrivals())
        case _:
            raise UsageError("bad-call", f"a member has no call {call!r}")


async def serve(config: Config) -> None:
    """Run a node, and answer lines until there are no more."""
    async with open_local_member(config) as member:
        while line := await trio.to_thread.run_sync(
            sys.stdin.readline, abandon_on_cancel=True
        ):
            text = json.dumps(await answer(member, line))
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    trio.run(serve, worker_config(sys.argv[1:]))
