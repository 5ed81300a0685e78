"""Sends signed events to a relay, and prints how many it acknowledged a second.

    load.py PORT COUNT IN_FLIGHT CORPUS

Runs under the Python of nostr-relay's own environment, whose libraries it uses.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - what aiohttp runs on, in that environment
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from aionostr.event import Event
from coincurve import PrivateKey

KEY = PrivateKey(bytes(31) + b"\x01")


def events(count: int, corpus: str) -> Iterator[str]:
    """Return that many events, signed beforehand: making them is not measured."""
    lines = Path(corpus).read_text("utf-8").splitlines()
    bodies = [json.loads(line)["body"] for line in lines]
    author = KEY.public_key_xonly.format().hex()
    for number in range(count):
        event = Event(pubkey=author, content=f"{number} {bodies[number % len(bodies)]}")
        event.sign(KEY.secret.hex())
        yield json.dumps(["EVENT", event.to_json_object()])


async def main(port: int, count: int, in_flight: int, corpus: str) -> None:
    """Keep that many events unacknowledged until all are."""
    waiting = list(events(count, corpus))[::-1]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{port}/", max_msg_size=0) as socket,
    ):
        began = time.perf_counter()
        kept = sent = answered = 0
        while answered < count:
            while waiting and sent - answered < in_flight:
                await socket.send_str(waiting.pop())
                sent += 1
            answer = await socket.receive_json()
            answered += answer[0] == "OK"
            kept += answer[0] == "OK" and answer[2] is True
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "kept": kept}))


port, count, in_flight, corpus = sys.argv[1:]
asyncio.run(main(int(port), int(count), int(in_flight), corpus))
