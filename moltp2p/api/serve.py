"""The local API of a node, on a unix socket and perhaps on TCP.

Who may speak to it:

    <home>/api.sock     whoever may enter the home
    127.0.0.1:PORT      if asked for; whoever knows what <home>/api.token holds
    HOST:PORT           if asked for; metrics and health alone, for everybody
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import trio

from moltp2p.api.access import Guard, open_token
from moltp2p.api.closing import Closing
from moltp2p.api.connection import App, Connection
from moltp2p.api.http import make_app, make_metrics_app
from moltp2p.api.loop_lag import LoopLag
from moltp2p.api.sockets import accept, bind_loopback, bind_metrics, bind_unix
from moltp2p.net.log import get_logger
from moltp2p.node.node import Node

MAX_CLIENTS: Final = 128
"""Clients at once on each socket; a further one waits to be accepted."""

GOODBYE_S: Final = 2.0
"""What running requests get, once the API closes; then they are cut off."""

Door = tuple[trio.SocketListener, App]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API listens.

    Attributes:
        socket: the unix socket.
        url: the loopback address, `http://127.0.0.1:PORT`; None when not asked for.
        token_file: what a client over loopback must know; None without one.
        metrics_url: where metrics are, besides on the socket; None if nowhere.
        lag: how late the loop is, measured while the API is open.
    """

    socket: Path
    lag: LoopLag
    url: str | None = None
    token_file: Path | None = None
    metrics_url: str | None = None


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
    with ExitStack() as sockets:
        api, doors = _open_doors(sockets, node, closing)
        async with trio.open_nursery() as nursery:
            accepting = [
                await nursery.start(partial(_serve, listener, door, closing))
                for listener, door in doors
            ]
            nursery.start_soon(api.lag.run)
            yield api
            for scope in accepting:
                scope.cancel()
            closing.begin()
            nursery.cancel_scope.deadline = trio.current_time() + GOODBYE_S


def _open_doors(
    sockets: ExitStack, node: Node, closing: Closing
) -> tuple[Api, list[Door]]:
    """Bind every socket that the settings ask for, and say what is served on each."""
    home, config, lag = node.config.home, node.config, LoopLag()
    api = Api(home / "api.sock", lag)
    doors: list[Door] = [
        (sockets.enter_context(bind_unix(api.socket)), make_app(node, closing, lag))
    ]
    if config.http_listen is not None:
        listener = sockets.enter_context(bind_loopback(config.http_listen))
        port = listener.socket.getsockname()[1]
        outside = make_app(node, closing, admin=False)
        doors.append((listener, Guard(outside, open_token(home), port)))
        url = _url(listener)
        api = replace(api, url=url, token_file=home / "api.token")
    if config.metrics is not None:
        listener = sockets.enter_context(bind_metrics(config.metrics))
        doors.append((listener, make_metrics_app(node, closing, lag)))
        api = replace(api, metrics_url=f"{_url(listener)}/metrics")
    return api, doors


def _url(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
        except Exception:  # a bug of ours in one connection must not end the node
            log.exception("a connection failed")
        finally:
            room.release()

    async with trio.open_nursery() as clients:
        with trio.CancelScope() as accepting:
            task_status.started(accepting)
            while True:
                await room.acquire()
                clients.start_soon(serve_one, await accept(listener))
