"""Routes that only look: records, status, peers, the live feed, the export."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Annotated, Final

import trio
from fastapi import APIRouter, Query, Request, Response

from moltp2p.api import schemas
from moltp2p.api.closing import Closing
from moltp2p.api.inputs import ExportQuery, RecordsQuery, SurveyQuery, WatchQuery
from moltp2p.api.lines import CBOR_SEQUENCE, LinesResponse, Write
from moltp2p.api.problems import problem_of
from moltp2p.api.views import (
    arrival_view,
    dropped_view,
    line,
    page_view,
    peer_view,
    record_view,
    status_view,
)
from moltp2p.core.errors import MoltError, UsageError
from moltp2p.core.ids import parse_record_id, record_text
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.node.events import Arrival, Subscription
from moltp2p.node.feed import Feed
from moltp2p.node.node import Node
from moltp2p.proto.archive import Head, SectionWriter
from moltp2p.store.backup import broken_off
from moltp2p.store.base import MAX_PAGE_RECORDS, Stored
from moltp2p.store.survey import TROUBLE, json_frame

HEARTBEAT_S: Final = 15.0
"""A blank line after so long without news, so that either side notices that the
other has gone."""

OCTETS: Final = "application/octet-stream"

router = APIRouter(responses=schemas.PROBLEMS)


def node_of(request: Request) -> Node:
    """Return the node that a request is for."""
    node: Node = request.app.state.node
    return node


async def get_stored(node: Node, text: str) -> Stored:
    """Return the record that a CID names.

    Raises:
        UsageError: `bad-record-id`, `not-found`.
    """
    stored = await node.get(parse_record_id(text))
    if stored is None:
        raise UsageError(
            "not-found",
            f"this node does not hold {text}",
            "it may arrive later, or be held by others",
        )
    return stored


@router.get("/status", responses=schemas.STATUS)
async def status(request: Request) -> Response:
    """Return the node at a glance: who it is, where it listens, what it dropped."""
    return json_response(status_view(await node_of(request).status()))


@router.get("/peers", responses=schemas.PEERS)
async def peers(request: Request) -> Response:
    """Return the connected peers, oldest connection first."""
    connected = await node_of(request).peers()
    return json_response({"peers": [peer_view(peer) for peer in connected]})


@router.get("/records", responses=schemas.PAGE)
async def records(
    request: Request, wanted: Annotated[RecordsQuery, Query()]
) -> Response:
    """Return one page of records; pass its `cursor` back for the next."""
    return json_response(page_view(await node_of(request).query(wanted.query())))


@router.get("/records/{record}", responses=schemas.RECORD)
async def record(request: Request, record: str) -> Response:
    """Return one record."""
    return json_response(record_view(await get_stored(node_of(request), record)))


@router.get("/dropped", responses=schemas.DROPS)
async def dropped(
    request: Request, after: str | None = None, limit: int = MAX_PAGE_RECORDS
) -> Response:
    """Return the records whose bodies this node's operator dropped."""
    place = None if after is None else parse_record_id(after)
    size = min(max(limit, 1), MAX_PAGE_RECORDS)
    found = await node_of(request).dropped(place, size)
    return json_response({"dropped": [dropped_view(each) for each in found]})


@router.get("/watch", responses=schemas.WATCH)
async def watch(request: Request, wanted: Annotated[WatchQuery, Query()]) -> Response:
    """Tell what is new, as JSON lines, until either side leaves.

    A listener tells everything in order, at the client's pace. Each line has a
    `cursor`; `after` that cursor it goes on where it was left, and from 0 it begins
    with the first arrival. `missed` counts arrivals before the line that this node
    has let go of.

    Other nodes know no order of arrivals: their lines have no cursor, and `missed`
    is above 0 when the client was too slow for that many arrivals before it; they
    can be read from `/records`. Blank lines are heartbeats.
    """
    selection = wanted.selection()
    closing: Closing = request.app.state.closing
    node = node_of(request)
    arrivals: Subscription | Feed
    if node.config.policy.arrivals or wanted.after is not None:
        arrivals = await node.feed(wanted.after)
    else:
        arrivals = node.subscribe(selection.community)

    async def produce(write: Write) -> None:
        async with arrivals:
            with closing.calls(arrivals.close):
                await write(b"")
                await tell_arrivals(arrivals, write, selection)

    return LinesResponse(produce)


@router.get("/export", responses=schemas.EXPORT)
async def export(request: Request, wanted: Annotated[ExportQuery, Query()]) -> Response:
    """Return records oldest first, with their exact signed bytes.

    Before an agent's first record comes its key chain. JSON lines; with `Accept:
    application/cbor-seq` an archive (spec 10).
    """
    node = node_of(request)
    batches = node.export(wanted.selection(), wanted.after_record())
    if CBOR_SEQUENCE in request.headers.get("accept", ""):
        head = Head(node.config.network.id, node.now_ms(), wanted.selection())
        produce = partial(_write_archive, batches, SectionWriter(head))
        return LinesResponse(produce, CBOR_SEQUENCE, SectionWriter.trouble)
    return LinesResponse(partial(_write_lines, batches))


@router.get("/backup", responses=schemas.BACKUP)
async def backup(request: Request) -> Response:
    """Return a backup of the store as it is now (`moltp2p.store.backup`).

    It says itself whether it is whole; keys are no part of it.
    """
    pieces = node_of(request).backup()

    async def produce(write: Write) -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                await write(piece)

    return LinesResponse(produce, OCTETS, _broken_off)


@router.get("/survey", responses=schemas.SURVEY)
async def survey(request: Request, wanted: Annotated[SurveyQuery, Query()]) -> Response:
    """Return all that is held now, for whoever studies it (`moltp2p.store.survey`).

    Its frames are for `moltp2p dataset` and `moltp2p stats` of the same version.
    """
    frames = node_of(request).survey(wanted.selection())

    async def produce(write: Write) -> None:
        async with aclosing(frames):
            async for piece in frames:
                await write(piece)

    return LinesResponse(produce, OCTETS, _cannot_go_on)


def _cannot_go_on(error: MoltError) -> bytes:
    return json_frame(TROUBLE, problem_of(error))


def _broken_off(error: MoltError) -> bytes:
    return broken_off(problem_of(error))


Batches = AsyncGenerator[list[Record]]


async def _write_lines(batches: Batches, write: Write) -> None:
    async with aclosing(batches):
        async for records in batches:
            await write(b"".join(line(_export_view(record)) for record in records))


async def _write_archive(
    batches: Batches, section: SectionWriter, write: Write
) -> None:
    async with aclosing(batches):
        data = section.begin()
        async for records in batches:
            await write(data + b"".join(map(section.add, records)))
            data = b""
    await write(data + section.end())


async def tell_arrivals(
    arrivals: AsyncIterator[Arrival], write: Write, wanted: Selection | None = None
) -> None:
    """Write arrivals that are wanted, and heartbeats while there are none."""
    picking = _Picking(arrivals, wanted or Selection())
    while True:
        news = b"\n"
        with trio.move_on_after(HEARTBEAT_S):
            try:
                news = line(arrival_view(await picking.next()))
            except StopAsyncIteration:
                return
        await write(news)


class _Picking:
    """Arrivals that are wanted, of all that come. `next` may be cancelled."""

    def __init__(self, arrivals: AsyncIterator[Arrival], wanted: Selection) -> None:
        self._arrivals = arrivals
        self._wanted = wanted
        self._missed = 0

    async def next(self) -> Arrival:
        """Return the next one, with what was missed since the one before."""
        while True:
            arrival = await anext(self._arrivals)
            self._missed += arrival.missed
            if self._wanted.has(arrival.stored.record.header):
                missed, self._missed = self._missed, 0
                return replace(arrival, missed=missed)


def _export_view(record: Record) -> dict[str, object]:
    wire = base64.b64encode(record.wire()).decode()
    return {"id": record_text(record.id), "wire": wire}


def json_response(view: dict[str, object], status: int = 200) -> Response:
    """Return a view as a whole answer."""
    return Response(line(view), status, media_type="application/json")
