"""The local API of a node, on a unix socket and perhaps on loopback TCP.

Who may speak to it:

    <home>/api.sock     whoever may enter the home
    127.0.0.1:PORT      if asked for; whoever knows what <home>/api.token holds
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

from moltp2p.api.access import Guard, open_token
from moltp2p.api.closing import Closing
from moltp2p.api.connection import App, Connection
from moltp2p.api.http import make_app
from moltp2p.api.sockets import accept, bind_loopback, bind_unix
from moltp2p.net.log import get_logger
from moltp2p.node.node import Node

MAX_CLIENTS: Final = 128
"""Clients at once on each socket; a further one waits to be accepted."""

GOODBYE_S: Final = 2.0
"""What running requests get, once the API closes; then they are cut off."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API listens.

    Attributes:
        socket: the unix socket.
        url: the loopback address, `http://127.0.0.1:PORT`; None when not asked for.
        token_file: what a client over loopback must know; None without one.
    """

    socket: Path
    url: str | None = None
    token_file: Path | None = None


@asynccontextmanager
async def open_api(node: Node) -> AsyncIterator[Api]:
    """Serve the API of `node` for the length of the block: ready on entry.

    On leaving, idle clients are let go, watchers read to the end, running requests
    get `GOODBYE_S`; nobody can hold us longer.

    Raises:
        LocalError: `home-in-use`, `socket-blocked`, `socket-path-too-long`,
            `port-in-use`, `token-permissions`, `home-failed`.
        UsageError: `bad-setting`, `not-loopback`.
    """
    closing = Closing()
    app = make_app(node, closing)
    home = node.config.home
    with ExitStack() as sockets:
        path = home / "api.sock"
        doors: list[tuple[trio.SocketListener, App]]
        doors = [(sockets.enter_context(bind_unix(path)), app)]
        api = Api(path)
        if node.config.http_listen is not None:
            listener = sockets.enter_context(bind_loopback(node.config.http_listen))
            host, port = listener.socket.getsockname()[:2]
            outside = make_app(node, closing, admin=False)
            doors.append((listener, Guard(outside, open_token(home), port)))
            shown = f"[{host}]" if ":" in host else host
            api = Api(path, f"http://{shown}:{port}", home / "api.token")
        async with trio.open_nursery() as nursery:
            accepting = [
                await nursery.start(partial(_serve, listener, door, closing))
                for listener, door in doors
            ]
            yield api
            for scope in accepting:
                scope.cancel()
            closing.begin()
            nursery.cancel_scope.deadline = trio.current_time() + GOODBYE_S


async def _serve(
    listener: trio.SocketListener,
    app: App,
    closing: Closing,
    *,
    task_status: trio.TaskStatus[trio.CancelScope],
) -> None:
    """Accept clients until the scope that is reported is cancelled."""
    room = trio.Semaphore(MAX_CLIENTS)

    async def serve_one(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await Connection(app, stream, closing).run()
        except Exception:
            # A bug of ours in one connection must not end the node.
            log.exception("a connection failed")
        finally:
            room.release()

    async with trio.open_nursery() as clients:
        with trio.CancelScope() as accepting:
            task_status.started(accepting)
            while True:
                await room.acquire()
                clients.start_soon(serve_one, await accept(listener))
