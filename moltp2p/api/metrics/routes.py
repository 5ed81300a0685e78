"""`/metrics`, `/livez` and `/readyz`: on the unix socket, and where `metrics` says."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import trio
from fastapi import APIRouter, FastAPI, Request, Response

from moltp2p.api.loop_lag import LoopLag
from moltp2p.api.metrics.exposition import TEXT, exposition
from moltp2p.api.metrics.health import Reason, not_live, not_ready
from moltp2p.api.metrics.readings import families
from moltp2p.api.reading import json_response, node_of

FRESH_S: Final = 1.0
"""For so long the same figures are told again: to ask all the time costs us little."""

router = APIRouter()


class Figures:
    """The last text of metrics.

    Attributes:
        at: when it was made, on trio's clock.
        text: what was told.
    """

    def __init__(self) -> None:
        self.at = -math.inf
        self.text = b""
        self.lock = trio.Lock()


def add_routes(app: FastAPI, lag: LoopLag) -> None:
    """Serve metrics and health on an app that has a node."""
    app.state.lag = lag
    app.state.figures = Figures()
    app.include_router(router)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return every metric, for Prometheus."""
    figures: Figures = request.app.state.figures
    async with figures.lock:
        if trio.current_time() - figures.at > FRESH_S:
            readings = await node_of(request).readings()
            figures.at = trio.current_time()
            figures.text = exposition(
                families(readings), request.app.state.lag, figures.at
            )
    return Response(figures.text, headers={"content-type": TEXT})


@router.get("/livez")
async def livez(request: Request) -> Response:
    """Tell whether the node is alive: 200, or 503 with the reasons."""
    return _health("live", not_live(request.app.state.lag, trio.current_time()))


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Tell whether the node is of use now: 200, or 503 with the reasons."""
    status = await node_of(request).status()
    lag: LoopLag = request.app.state.lag
    reasons = not_ready(status, lag, trio.current_time())
    if request.app.state.closing.begun:
        reasons.append(Reason("ending", "the node was told to end"))
    return _health("ready", reasons)


def _health(word: str, reasons: list[Reason]) -> Response:
    view: dict[str, object] = {
        "status": f"not-{word}" if reasons else word,
        "reasons": [dataclasses.asdict(reason) for reason in reasons],
    }
    return json_response(view, 503 if reasons else 200)
