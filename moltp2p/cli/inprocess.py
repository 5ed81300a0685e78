"""An ASGI app as httpx sees a server, with answers that stream.

httpx's own such transport collects an answer before it shows it, and an export does
not fit into memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import trio

from moltp2p.api.connection import App, ClientGoneError, Message, Scope


class InProcess(httpx.AsyncBaseTransport):
    """Has `app` answer requests, each in a task of `nursery`."""

    def __init__(self, app: App, nursery: trio.Nursery) -> None:
        self._app = app
        self._nursery = nursery

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer as soon as it begins."""
        body = await request.aread()
        send, receive = trio.open_memory_channel[Message](0)
        self._nursery.start_soon(self._answer, _scope(request), body, send)
        head = await receive.receive()
        return httpx.Response(
            head["status"], headers=head["headers"], stream=_Body(receive)
        )

    async def _answer(
        self, scope: Scope, body: bytes, send: trio.MemorySendChannel[Message]
    ) -> None:
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if asked:
                await trio.sleep_forever()
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def tell(message: Message) -> None:
            try:
                await send.send(message)
            except trio.BrokenResourceError:
                raise ClientGoneError from None

        async with send:
            try:
                await self._app(scope, receive, tell)
            except ClientGoneError:
                return


class _Body(httpx.AsyncByteStream):
    def __init__(self, receive: trio.MemoryReceiveChannel[Message]) -> None:
        self._receive = receive

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for message in self._receive:
            yield message.get("body", b"")

    async def aclose(self) -> None:
        self._receive.close()


def _scope(request: httpx.Request) -> Scope:
    raw_path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": None,
        "server": None,
    }
