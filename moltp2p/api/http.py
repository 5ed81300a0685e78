"""The local API as an ASGI app: its routes, and how it says that something failed.

Everything is under `/v1`; `/openapi.json` describes it. A route reads a request,
asks the node, and shows the answer; nothing is decided here.
"""

from __future__ import annotations

import importlib.metadata
from typing import Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from moltp2p.api import administering, proving, reading, syncing, writing
from moltp2p.api.closing import Closing
from moltp2p.api.connection import ClientGoneError
from moltp2p.api.loop_lag import LoopLag
from moltp2p.api.metrics import routes as metrics
from moltp2p.api.problems import http_status, mistakes, problem_of
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.node.node import Node

PREFIX: Final = "/v1"
_SEE: Final = "see /openapi.json"


def make_app(
    node: Node,
    closing: Closing | None = None,
    lag: LoopLag | None = None,
    *,
    admin: bool = True,
) -> FastAPI:
    """Return the API of `node`; whoever serves it says when it closes.

    Args:
        node: whom it asks.
        closing: says when the API closes.
        lag: how late the loop is; whoever serves it measures.
        admin: whether the operator's routes are there.
    """
    app = _bare_app(node, closing)
    app.include_router(reading.router, prefix=PREFIX)
    app.include_router(writing.router, prefix=PREFIX)
    app.include_router(syncing.router, prefix=PREFIX)
    app.include_router(proving.router, prefix=PREFIX)
    app.include_router(
        administering.router if admin else administering.elsewhere, prefix=PREFIX
    )
    if admin:
        metrics.add_routes(app, lag or LoopLag())
    return app


def make_metrics_app(node: Node, closing: Closing, lag: LoopLag) -> FastAPI:
    """Return metrics and health of `node` alone, for whoever may see no more."""
    app = _bare_app(node, closing, openapi_url=None)
    metrics.add_routes(app, lag)
    return app


def _bare_app(
    node: Node, closing: Closing | None, openapi_url: str | None = "/openapi.json"
) -> FastAPI:
    app = FastAPI(
        title="moltp2p",
        summary="The local API of one node",
        version=importlib.metadata.version("moltp2p"),
        openapi_url=openapi_url,
        # The pages that show an API load their scripts from a stranger's host.
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            MoltError: _tell_failure,
            RequestValidationError: _tell_mistakes,
            404: _tell_no_route,
            405: _tell_bad_method,
            Exception: _tell_bug,
        },
    )
    app.state.node = node
    app.state.closing = closing or Closing()
    return app


async def _tell_failure(_: Request, error: Exception) -> Response:
    failure = cast("MoltError", error)
    return JSONResponse(problem_of(failure), http_status(failure))


async def _tell_mistakes(_: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    return JSONResponse(problem_of(mistakes(found)), 400)


async def _tell_no_route(request: Request, _: Exception) -> Response:
    error = UsageError("no-such-route", f"nothing at {request.url.path[:100]}", _SEE)
    return await _tell_failure(request, error)


async def _tell_bad_method(request: Request, _: Exception) -> Response:
    path, method = request.url.path[:100], request.method
    error = UsageError("bad-method", f"{path} does not take {method}", _SEE)
    return await _tell_failure(request, error)


async def _tell_bug(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientGoneError):
        # Whoever left in the middle of a request may still be reading.
        return await _tell_failure(request, UsageError("bad-request", str(error)))
    bug = LocalError(
        "internal-error",
        f"a bug: {type(error).__name__}",
        "the node goes on; please report this with its log",
    )
    return await _tell_failure(request, bug)
