"""JSON lines in and out of one request: long, and never whole in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import trio
from fastapi import Request, Response

from moltp2p.api.connection import ClientGoneError, Receive, Scope, Send
from moltp2p.api.problems import problem_of
from moltp2p.api.splitting import MAX_OBJECT_BYTES, Line, LineSplitter
from moltp2p.api.views import View, line
from moltp2p.core.errors import MoltError, UsageError

NDJSON: Final = "application/x-ndjson"
CBOR_SEQUENCE: Final = "application/cbor-seq"
"""Of records, an archive (RFC 8742 section 6.1, spec 10)."""

BATCH_LINES: Final = 256
"""Lines worked on together: one synced batch of the store."""

UNREAD_BYTES: Final = 16 * 2**20
"""Answers kept for a client that sends all before it reads; then we wait for it."""

Write = Callable[[bytes], Awaitable[None]]


Work = Callable[[Sequence[Line]], Awaitable[Sequence[View]]]
"""Answers some lines, each with one view, in order."""


async def read_object(request: Request) -> bytes:
    """Return the body of a request that is one JSON object.

    Raises:
        UsageError: `too-large`.
        ClientGoneError: when it never came whole.
    """
    body = bytearray()
    more = True
    while more:
        piece, more = await _read_piece(request)
        body += piece
        if len(body) > MAX_OBJECT_BYTES:
            raise UsageError("too-large", f"more than {MAX_OBJECT_BYTES} bytes")
    return bytes(body)


async def _read_piece(request: Request) -> tuple[bytes, bool]:
    """Return the next piece of a body, and whether more may follow."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError("the body ended before its end")
    return message.get("body", b""), message.get("more_body", False)


class LinesResponse(Response):
    """An answer of JSON lines, or of other items, written while it is made.

    Args:
        produce: writes lines with the function that it is given; the answer begins
            with its first call. A `MoltError` before that is told as any other; one
            after that becomes the last line.
        kind: the media type.
        trouble: spells the last line of an answer that cannot go on.
    """

    def __init__(
        self,
        produce: Callable[[Write], Awaitable[None]],
        kind: str = NDJSON,
        trouble: Callable[[MoltError], bytes] = lambda error: line(problem_of(error)),
    ) -> None:
        super().__init__()
        self._produce = produce
        self._kind = kind
        self._trouble = trouble
        self._begun = False

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI's signature
        receive: Receive,  # noqa: ARG002
        send: Send,
    ) -> None:
        """Answer (ASGI)."""
        self._send = send
        try:
            await self._produce(self._write)
        except MoltError as error:
            if not self._begun:
                raise
            await self._write(self._trouble(error))
        except ClientGoneError:
            if not self._begun:
                raise
            return
        if not self._begun:
            await self._write(b"")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", self._kind.encode())]
            head = {"type": "http.response.start", "status": 200, "headers": headers}
            await self._send(head)
        await self._send(
            {"type": "http.response.body", "body": data, "more_body": True}
        )


class Splitter(Protocol):
    """Cuts what a client sends into what is answered one by one."""

    def feed(self, piece: bytes) -> Iterable[Line]:
        """Return what ends in `piece`."""
        ...

    def end(self) -> Iterable[Line]:
        """Return what the end of the body ends."""
        ...


def answer_lines(
    request: Request,
    work: Work,
    end: Callable[[], Iterable[View]] = tuple,
    splitter: Splitter | None = None,
) -> LinesResponse:
    """Return an answer that has one line for each line of the request, in order.

    Lines are answered as they come: a client may write one, read its answer, and
    write the next. One that writes everything before it reads is served too, as
    long as its answers stay below `UNREAD_BYTES`.

    Args:
        request: its body is read.
        work: answers some lines at a time.
        end: what is added after the last line.
        splitter: cuts the body; into JSON lines when there is none.
    """

    async def produce(write: Write) -> None:
        outbox = _Outbox()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outbox.drain, write, nursery.cancel_scope)
            answering = _Answering(work, outbox, splitter or LineSplitter())
            await answering.run(request, nursery.cancel_scope)
            await outbox.put(end())
            outbox.close()
        if outbox.is_client_gone:
            raise ClientGoneError("the client left before the end")

    return LinesResponse(produce)


@dataclass(frozen=True, slots=True)
class _Answering:
    """A body on its way to being answered."""

    work: Work
    outbox: _Outbox
    splitter: Splitter

    async def run(self, request: Request, scope: trio.CancelScope) -> None:
        """Answer all of a body; cancel `scope` when its sender has gone."""
        more = is_good = True
        while more:
            try:
                piece, more = await _read_piece(request)
            except ClientGoneError:
                self.outbox.is_client_gone = True
                scope.cancel()
                return
            # Read on when it is not: many a client reads once it has sent all.
            is_good = is_good and await self._answer(self.splitter.feed(piece))
        if is_good:
            await self._answer(self.splitter.end())

    async def _answer(self, lines: Iterable[Line]) -> bool:
        """Answer what was cut; tell whether what follows can be, too."""
        batch: list[Line] = []
        problem: MoltError | None = None
        lines = iter(lines)
        while problem is None:
            try:
                # What was cut before it fails is in the batch, and is answered.
                batch.extend(islice(lines, BATCH_LINES))
            except MoltError as error:
                problem = error
            if not batch:
                break
            await self.outbox.put(await self.work(batch))
            batch = []
        if problem is not None:
            await self.outbox.put([problem_of(problem)])
        return problem is None


class _Outbox:
    """Answers on their way to a client that may not be reading yet."""

    def __init__(self) -> None:
        self.is_client_gone = False
        self._data = bytearray()
        self._is_closed = False
        self._changed = trio.Event()

    async def put(self, views: Iterable[View]) -> None:
        """Queue answers; waits while too much is unread."""
        while len(self._data) > UNREAD_BYTES:
            await self._changed.wait()
        self._data += b"".join(map(line, views))
        self._change()

    def close(self) -> None:
        """Say that nothing follows."""
        self._is_closed = True
        self._change()

    async def drain(self, write: Write, scope: trio.CancelScope) -> None:
        """Write until closed; cancel `scope` when nobody reads."""
        while self._data or not self._is_closed:
            if not self._data:
                await self._changed.wait()
                continue
            data, self._data = bytes(self._data), bytearray()
            self._change()
            try:
                await write(data)
            except ClientGoneError:
                self.is_client_gone = True
                scope.cancel()
                return

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
