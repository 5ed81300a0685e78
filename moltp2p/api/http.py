"""The local API as an ASGI app: its routes, and how it says that something failed.

Everything is under `/v1`; `/openapi.json` describes it. A route reads a request,
asks the node, and shows the answer; nothing is decided here.
"""

from __future__ import annotations

import importlib.metadata
from http import HTTPStatus
from typing import Final, cast

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from moltp2p.api import reading, writing
from moltp2p.api.closing import Closing
from moltp2p.api.connection import ClientGoneError
from moltp2p.api.problems import http_status, mistakes, problem, problem_of
from moltp2p.core.errors import MoltError
from moltp2p.node.node import Node

PREFIX: Final = "/v1"


def make_app(node: Node, closing: Closing | None = None) -> FastAPI:
    """Return the API of `node`; whoever serves it says when it closes."""
    app = FastAPI(
        title="moltp2p",
        summary="The local API of one node",
        version=importlib.metadata.version("moltp2p"),
        # The pages that show an API load their scripts from a stranger's host.
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            MoltError: _tell_failure,
            RequestValidationError: _tell_mistakes,
            404: _tell_no_route,
            405: _tell_no_route,
            Exception: _tell_bug,
        },
    )
    app.state.node = node
    app.state.closing = closing or Closing()
    app.include_router(reading.router, prefix=PREFIX)
    app.include_router(writing.router, prefix=PREFIX)
    return app


async def _tell_failure(_: Request, error: Exception) -> Response:
    failure = cast("MoltError", error)
    return JSONResponse(problem_of(failure), http_status(failure))


async def _tell_mistakes(_: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    return JSONResponse(problem_of(mistakes(found)), 400)


async def _tell_no_route(_: Request, error: Exception) -> Response:
    status = cast("HTTPException", error).status_code
    code = "no-such-route" if status == HTTPStatus.NOT_FOUND else "bad-method"
    phrase = HTTPStatus(status).phrase
    return JSONResponse(problem(code, phrase, "see /openapi.json"), status)


async def _tell_bug(_: Request, error: Exception) -> Response:
    if isinstance(error, ClientGoneError):
        # Whoever left in the middle of a request may still be reading.
        return JSONResponse(problem("bad-request", str(error)), 400)
    kind = type(error).__name__
    hint = "the node goes on; please report this with its log"
    return JSONResponse(problem("internal-error", f"a bug: {kind}", hint), 500)
