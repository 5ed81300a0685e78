"""One HTTP/1.1 connection to an ASGI app: h11 decides, trio carries.

Not Hypercorn: see spec/decisions/0010-local-api.md. A client can hold this one
connection, for a while; it cannot hold or end anything else.

    idle ──request──▶ exchange ──both sides done──▶ idle
      │                  └── anything else ──▶ closed
      └── IDLE_S, or the API closes ──▶ closed
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import unquote

import h11
import trio

from moltp2p.api.closing import Closing
from moltp2p.api.problems import problem_of
from moltp2p.api.views import line
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.net.log import get_logger

READ_BYTES: Final = 65_536
IDLE_S: Final = 300.0
"""Between requests; clients keep a connection open and come back to it."""
HEAD_S: Final = 10.0
"""From a request's first byte to the end of its headers."""
BODY_S: Final = 600.0
"""Between two pieces of a body: whoever pipes posts may think for a while."""
WRITE_S: Final = 60.0
"""How long a client may leave an answer unread; then we hang up."""
LINGER_S: Final = 1.0
LINGER_BYTES: Final = 2**20
"""What we read on of a body that the app did not want, so that the client gets to
read the answer; a longer one is cut off."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = get_logger(__name__)


class ClientGoneError(OSError):
    """The client hung up, or does not read; what ASGI wants `send` to raise."""


class Connection:
    """Serves one client until it leaves, misbehaves, or the API closes."""

    def __init__(self, app: App, stream: trio.abc.Stream, closing: Closing) -> None:
        self._app = app
        self._stream = stream
        self._closing = closing
        self._http = h11.Connection(h11.SERVER)
        self._writing = trio.Lock()
        self._head: Message | None = None
        self._has_body = True

    async def run(self) -> None:
        """Serve requests one after the other; the stream is the caller's to close."""
        try:
            while (request := await self._next_request()) is not None:
                await self._exchange(request)
                if not await self._is_reusable():
                    return
        except h11.RemoteProtocolError as error:
            await self._refuse(error)
        except (ClientGoneError, trio.BrokenResourceError):
            return

    async def _next_request(self) -> h11.Request | None:
        """Wait for a request; None when there will be none."""
        event: object = self._http.next_event()
        if event is h11.NEED_DATA:
            with trio.move_on_after(IDLE_S) as idle, self._closing.calls(idle.cancel):
                await self._feed()
            if idle.cancelled_caught:
                return None
            with trio.move_on_after(HEAD_S):
                event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.PAUSED:
                return h11.ConnectionClosed()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]
            await self._feed()

    async def _feed(self) -> None:
        self._http.receive_data(bytes(await self._stream.receive_some(READ_BYTES)))

    async def _exchange(self, request: h11.Request) -> None:
        """Have one request answered."""
        self._head = None
        self._has_body = request.method != b"HEAD"
        try:
            await self._app(_scope(request), self._receive, self._send)
        except ClientGoneError:
            raise
        except Exception:  # a handler's bug ends this request alone
            # The app has answered it with `internal-error`, if it still could.
            log.exception("a request failed")
        if self._http.our_state is h11.SEND_RESPONSE:
            await self._answer(500, LocalError("internal-error", "no answer was made"))

    async def _receive(self) -> Message:
        """Return the next piece of the request's body (ASGI)."""
        if self._http.their_state is not h11.SEND_BODY:
            # Whoever asks on after the body's end waits for the client to leave;
            # we notice that when we write.
            await trio.sleep_forever()
        await self._ask_for_body()
        event: object = None
        try:
            with trio.move_on_after(BODY_S):
                event = await self._next_event()
        except (h11.RemoteProtocolError, trio.BrokenResourceError):
            pass
        if isinstance(event, h11.Data):
            return {
                "type": "http.request",
                "body": bytes(event.data),
                "more_body": True,
            }
        if isinstance(event, h11.EndOfMessage):
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def _ask_for_body(self) -> None:
        """Tell a client that waits to be asked (RFC 9110 section 10.1.1)."""
        # Looked at first: an answer on its way may hold the lock, for a client that
        # sends everything before it reads.
        if not self._http.they_are_waiting_for_100_continue:
            return
        async with self._writing:
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._write(go_on)

    async def _send(self, message: Message) -> None:
        """Send the head or a piece of the answer (ASGI).

        Raises:
            ClientGoneError: when nobody reads it.
        """
        if message["type"] == "http.response.start":
            self._head = message
            return
        async with self._writing:
            await self._write(*self._events(message))

    def _events(self, message: Message) -> Iterator[h11.Event]:
        if self._head is not None:
            yield _head(self._head)
            self._has_body = self._has_body and self._head["status"] not in (204, 304)
            self._head = None
        if self._has_body and message.get("body"):
            yield h11.Data(data=message["body"])
        if not message.get("more_body", False):
            yield h11.EndOfMessage()

    async def _write(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        try:
            with trio.fail_after(WRITE_S):
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.TooSlowError) as error:
            raise ClientGoneError("the client does not read") from error

    async def _is_reusable(self) -> bool:
        """Make the connection ready for another request, if that can be."""
        if self._http.our_state is not h11.DONE:
            return False
        if self._http.their_state is h11.SEND_BODY:
            await self._read_on()
        if self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return not self._closing.begun

    async def _read_on(self) -> None:
        """Read what is left of a body, within reason."""
        left = LINGER_BYTES
        with trio.move_on_after(LINGER_S):
            while left > 0:
                event = await self._next_event()
                if not isinstance(event, h11.Data):
                    return
                left -= len(event.data)

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Tell a client that what it speaks is not HTTP."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            if self._http.our_state is h11.IDLE:
                self._has_body = True  # no request yet; the one before was perhaps HEAD
            told = f"not HTTP as we speak it: {error}"[:200]
            await self._answer(error.error_status_hint, UsageError("bad-request", told))

    async def _answer(self, status: int, error: MoltError) -> None:
        body = line(problem_of(error))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        head = {"type": "http.response.start", "status": status, "headers": headers}
        try:
            await self._send(head)
            await self._send({"type": "http.response.body", "body": body})
        except ClientGoneError:
            return


def _head(message: Message) -> h11.Response:
    date = (b"date", formatdate(usegmt=True).encode())
    return h11.Response(
        status_code=message["status"], headers=[*message.get("headers", ()), date]
    )


def _scope(request: h11.Request) -> Scope:
    """Return what ASGI tells an app of a request."""
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        # From 2.4 on an app learns from `send` alone that its client has gone, and
        # may read the body and write the answer at the same time.
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": None,
        "server": None,
    }
