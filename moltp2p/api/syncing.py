"""The route that compares with peers now, and tells how far that is."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response

from moltp2p.api import schemas
from moltp2p.api.lines import LinesResponse, Write
from moltp2p.api.reading import node_of
from moltp2p.api.views import View, line
from moltp2p.node.status import SyncStatus

router = APIRouter(responses=schemas.PROBLEMS)


@router.post("/sync", responses=schemas.SYNC)
async def sync(request: Request) -> Response:
    """Compare with every connected peer now, and fetch what is missing here.

    Told as JSON lines while it goes on, with `status` `syncing`. The last line has
    `synced` when nothing differs any more, `incomplete` when that cannot be said of
    some peer, or `alone` when nobody is there.
    """
    steps = node_of(request).sync()

    async def produce(write: Write) -> None:
        async for view in views(steps):
            await write(line(view))

    return LinesResponse(produce)


async def views(steps: AsyncIterator[SyncStatus]) -> AsyncIterator[View]:
    """Yield what is told of each step, and at last how it ended."""
    first: SyncStatus | None = None
    last: SyncStatus | None = None
    async for last in steps:
        first = first or last
        yield _view("syncing", first, last)
    if first is not None and last is not None:
        yield _view(_outcome(last), first, last)


def _outcome(status: SyncStatus) -> str:
    if not status.peers:
        return "alone"
    agreed = all(not peer.behind and peer.failure is None for peer in status.peers)
    return "synced" if agreed else "incomplete"


def _view(word: str, first: SyncStatus, now: SyncStatus) -> View:
    return {
        "status": word,
        "gained": _gained(now) - _gained(first),
        "behind": max((peer.behind or 0 for peer in now.peers), default=0),
        "peers": [dataclasses.asdict(peer) for peer in now.peers],
    }


def _gained(status: SyncStatus) -> int:
    return sum(peer.gained for peer in status.peers)
