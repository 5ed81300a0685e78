"""A mesh's node in a process of its own: JSON lines in, JSON lines out.

Each line in is `[call, value]`, a method of `members.Member`; each line out is
`{"value": …}` or `{"error": …}`. It ends when its input does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import trio

from moltp2p.core.errors import MoltError
from moltp2p.node.config import Config
from moltp2p.testing.members import Member, Text, open_local_member, worker_config


async def answer(member: Member, line: str) -> dict[str, object]:
    """Return the answer to one line."""
    call, value = json.loads(line)
    try:
        match call:
            case "addresses":
                return {"value": await member.addresses()}
            case "publish":
                texts = [Text(**each) for each in value]
                return {"value": await member.publish(texts)}
            case "snapshot":
                return {"value": asdict(await member.snapshot())}
            case "arrivals":
                return {"value": dict(await member.arrivals())}
            case _:
                return {"error": f"there is no call {call!r}"}
    except MoltError as error:
        return {"error": str(error)}


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
