"""How commands speak to a node: its local API, in a running node or in this process.

    a node runs     httpx ── <home>/api.sock ── the node
    none runs       httpx ── the same API, in process ── the store, opened here

So there is one code path, whoever answers. What writes needs a running node: a post
that is made while nobody can pass it on would reach nobody.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import trio

from moltp2p.api.sockets import reachable
from moltp2p.cli.settling import not_running, settled
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.core.ids import parse_record_id, record_text
from moltp2p.node.home import Home

ANSWER_S: Final = 120.0
"""How long a node may take for one answer: a slow disk, a long dial."""

NDJSON: Final = "application/x-ndjson"
CBOR_SEQUENCE: Final = "application/cbor-seq"
ANY_HOST: Final = "http://moltp2p"
"""A URL needs a host; a unix socket has none."""

View = dict[str, Any]


class Client:
    """Asks the API.

    Attributes:
        is_live: whether a node runs; else the store is read directly.
    """

    def __init__(self, http: httpx.AsyncClient, *, is_live: bool) -> None:
        self.is_live = is_live
        self._http = http

    async def get(self, path: str, **query: object) -> View:
        """Return what is at `path`; arguments that are None are left out."""
        return await self.ask("GET", path, query=query)

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> View:
        """Make one request, and return its answer.

        Raises:
            UsageError: `not-text` when the body is not Unicode.
            MoltError: what the API told.
        """
        request = self._http.build_request(
            method,
            f"/v1{path}",
            content=None if body is None else _json(body),
            headers={"content-type": "application/json"},
            params=_given(query or {}),
        )
        async with self._answered(request) as response:
            await response.aread()
            return _view(response.content)

    async def health(self, name: str) -> View:
        """Return what `/livez` or `/readyz` says; not ready is an answer too."""
        request = self._http.build_request("GET", f"/{name}")
        async with self._answered(request, whatever=True) as response:
            await response.aread()
            return _view(response.content)

    async def send_lines(
        self, path: str, lines: list[bytes], **query: object
    ) -> list[View]:
        """Send JSON lines, and return their answers.

        Raises:
            MoltError: what the API told of all of them at once.
        """
        return await self._send_many(path, b"\n".join(lines), NDJSON, query)

    async def send_records(
        self, path: str, wires: list[bytes], **query: object
    ) -> list[View]:
        """Send records as a CBOR sequence; return what is said of them, and totals.

        Raises:
            MoltError: what the API told of all of them at once.
        """
        return await self._send_many(path, b"".join(wires), CBOR_SEQUENCE, query)

    @asynccontextmanager
    async def pieces(
        self, path: str, accept: str, **query: object
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of bytes, as they come."""
        request = self._http.build_request(
            "GET",
            f"/v1{path}",
            params=_given(query),
            headers={"accept": accept},
            timeout=httpx.Timeout(ANSWER_S, read=None),
        )
        async with self._answered(request) as response:
            yield response.aiter_raw()

    @asynccontextmanager
    async def lines(
        self,
        path: str,
        method: str = "GET",
        body: Mapping[str, object] | None = None,
        **query: object,
    ) -> AsyncIterator[Lines]:
        """Open a stream of JSON lines."""
        request = self._http.build_request(
            method,
            f"/v1{path}",
            content=None if body is None else _json(body),
            headers={"content-type": "application/json"},
            params=_given(query),
            timeout=httpx.Timeout(ANSWER_S, read=None),
        )
        async with self._answered(request) as response:
            yield Lines(response)

    async def _send_many(
        self, path: str, content: bytes, kind: str, query: Mapping[str, object]
    ) -> list[View]:
        request = self._http.build_request(
            "POST",
            f"/v1{path}",
            content=content,
            headers={"content-type": kind},
            params=_given(query),
        )
        async with self._answered(request) as response:
            await response.aread()
            return [_view(text) for text in response.content.split(b"\n") if text]

    @asynccontextmanager
    async def _answered(
        self, request: httpx.Request, *, whatever: bool = False
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; an answer that tells of a failure is raised by default."""
        try:
            response = await self._http.send(request, stream=True)
            try:
                if response.is_error and not whatever:
                    await response.aread()
                    raise failure(_view(response.content))
                yield response
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise LocalError(
                "node-stopped",
                f"the node went away before it answered ({type(error).__name__})",
                "look at its log, and start it again with `moltp2p run`",
            ) from None


class Lines:
    """JSON lines as they come; `async for` gives each as bytes, blank ones not."""

    def __init__(self, response: httpx.Response) -> None:
        self._pieces = response.aiter_raw()
        self._rest = b""
        self._ready: list[bytes] = []

    def __aiter__(self) -> Lines:
        """Iterate over the lines."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for a line.

        Raises:
            MoltError: when the node says that it cannot go on.
        """
        while not self._ready:
            *ended, self._rest = (self._rest + await anext(self._pieces)).split(b"\n")
            self._ready = [text for text in reversed(ended) if text]
        text = self._ready.pop()
        if text.startswith(b'{"status":"error"'):
            raise failure(_view(text))
        return text


@asynccontextmanager
async def open_client(home: Path, *, writes: bool = False) -> AsyncIterator[Client]:
    """Find whoever can answer for `home`.

    Args:
        home: whose node is asked.
        writes: whether only a running node will do.

    Raises:
        LocalError: `not-running`, `home-missing`, `key-permissions`, `store-locked`,
            and what else opening a store may raise.
    """
    async with AsyncExitStack() as stack:
        transport = await _transport(stack, home, writes=writes)
        is_live = isinstance(transport, httpx.AsyncHTTPTransport)
        http = httpx.AsyncClient(
            transport=transport, base_url=ANY_HOST, timeout=ANSWER_S
        )
        yield Client(await stack.enter_async_context(http), is_live=is_live)


async def _transport(
    stack: AsyncExitStack, home: Path, *, writes: bool
) -> httpx.AsyncBaseTransport:
    """Return the way to the node that runs, or to the store where none does."""
    is_last = False
    while True:
        if await settled(home):
            name = stack.enter_context(reachable(home / "api.sock"))
            return httpx.AsyncHTTPTransport(uds=name)
        if writes:
            raise not_running(home)
        try:
            return await stack.enter_async_context(_open_offline(home))
        except LocalError as error:
            # A node that started at this very moment was quicker.
            if is_last or error.code != "store-locked":
                raise
            is_last = True


@asynccontextmanager
async def _open_offline(home: Path) -> AsyncIterator[httpx.AsyncBaseTransport]:
    from moltp2p.api.http import make_app
    from moltp2p.cli.bars import open_bars
    from moltp2p.cli.inprocess import InProcess
    from moltp2p.node.config import load_config
    from moltp2p.node.node import open_node
    from moltp2p.node.settings import Role
    from moltp2p.node.world import real_world

    Home(home).check()
    config = load_config(home, os.environ, {})
    if not Home(home).has_agent:
        config = dataclasses.replace(config, role=Role.LISTENER)
    async with AsyncExitStack() as stack:
        with open_bars(live=True) as bars:  # a store of an older version takes a while
            world = real_world(bars.add("building tables, records"))
            opening = open_node(config, world=world, offline=True)
            node = await stack.enter_async_context(opening)
        nursery = await stack.enter_async_context(trio.open_nursery())
        yield InProcess(make_app(node), nursery)
        nursery.cancel_scope.cancel()


def in_path(text: str) -> str:
    """Return a record's id as it was typed, fit to stand in a path.

    Raises:
        UsageError: `bad-record-id`.
    """
    return record_text(parse_record_id(text))


def failure(told: Mapping[str, Any]) -> MoltError:
    """Return what the API told as the failure that it was."""
    return MoltError(told["code"], told["message"], told.get("hint", ""))


def _json(body: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise not_text("an argument") from None


def not_text(what: str) -> UsageError:
    """Return the refusal of bytes that are not text."""
    hint = "give text in UTF-8, not a file of bytes"
    return UsageError("not-text", f"{what} is not UTF-8", hint)


def _view(content: bytes) -> View:
    try:
        view: View = json.loads(content)
    except ValueError:
        raise LocalError("node-stopped", "the answer was cut off") from None
    return view


def _given(query: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
