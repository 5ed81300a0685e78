"""A small HTTP server on loopback that speaks as OpenAI's does, or as a test likes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import h11
import trio

from moltp2p.net.background import open_background
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.world import Family
from scripts.solvers.exam import Solver, Task
from scripts.solvers.white_box import white_box

READ_BYTES = 65_536


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def prompt(self) -> str:
        """Return what the user said."""
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Reply:
    """What to answer.

    Attributes:
        body: sent in these pieces.
        status: the HTTP status.
        headers: beside the length.
        length: told as the length of the body; its own by default.
        is_stuck: whether nothing follows, and the connection stays open.
    """

    body: Sequence[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    is_stuck: bool = False


Respond = Callable[[Asked], Reply | bytes]
"""Returns what to answer; bytes are sent as they are, and the connection closed."""


def said(text: str) -> Reply:
    """Return a model's answer as OpenAI's endpoint gives it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    body = json.dumps({"object": "chat.completion", "choices": [choice]})
    return Reply([body.encode()], headers={"content-type": "application/json"})


@dataclass
class Endpoint:
    """Where it listens, and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def open_endpoint(respond: Respond) -> AsyncIterator[Endpoint]:
    """Serve for the length of the block."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")

    async def serve(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await _serve(stream, respond, endpoint)
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return

    async with open_background() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield endpoint


async def _serve(
    stream: trio.SocketStream, respond: Respond, endpoint: Endpoint
) -> None:
    http = h11.Connection(h11.SERVER)
    while asked := await _next(http, stream):
        endpoint.asked.append(asked)
        reply = respond(asked)
        if isinstance(reply, bytes):
            await stream.send_all(reply)
            return
        length = sum(map(len, reply.body)) if reply.length is None else reply.length
        headers = {"content-length": str(length), **reply.headers}
        head = h11.Response(status_code=reply.status, headers=list(headers.items()))
        await stream.send_all(http.send(head))
        for piece in reply.body:
            await stream.send_all(http.send(h11.Data(data=piece)))
        if reply.is_stuck:
            await trio.sleep_forever()
        if length > sum(map(len, reply.body)):
            return
        await stream.send_all(http.send(h11.EndOfMessage()))
        http.start_next_cycle()


async def _next(http: h11.Connection, stream: trio.SocketStream) -> Asked | None:
    request: h11.Request | None = None
    body = b""
    while True:
        event: object = http.next_event()
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some(READ_BYTES))
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            headers = {k.decode(): v.decode() for k, v in request.headers}
            return Asked(request.target.decode(), headers, json.loads(body))
        else:
            return None


@cache
def _parser() -> Solver:
    return white_box(load_library())


def solve(prompt: str) -> str:
    """Return the answer to a task of the built-in pack, found by our white-box parser.

    Nothing tells it the answers: it stands in for a model.
    """
    earlier, _, text = prompt.rpartition("\n\nNow answer: ")
    told = earlier.removeprefix("You were told before: ")
    for family in Family:
        answer = _parser()(Task(family, text, "", (told,) if told else ()))
        if answer is not None:
            return answer
    return "none"
