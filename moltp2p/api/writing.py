"""Routes that change something: posts, profile, keys, peers, imported records."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from moltp2p.api import schemas
from moltp2p.api.inputs import (
    ConnectIn,
    ImportIn,
    PostIn,
    ProfileIn,
    ReplyIn,
    RotateIn,
    SelectionQuery,
    delete_draft,
    parse,
    post_draft,
    profile_draft,
    reply_draft,
)
from moltp2p.api.lines import CBOR_SEQUENCE, NDJSON, answer_lines, read_object
from moltp2p.api.problems import problem_of
from moltp2p.api.reading import get_stored, json_response, node_of
from moltp2p.api.splitting import ArchiveSplitter, Line
from moltp2p.api.views import View, ruling_view, written_view
from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.core.ids import parse_record_id
from moltp2p.core.kinds import can_be_deleted
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.validate import Road, Ruling
from moltp2p.node.node import Node
from moltp2p.node.reading import NOT_SELECTED

router = APIRouter(responses=schemas.PROBLEMS)


@router.post("/posts", status_code=201, **schemas.POSTS)
async def posts(request: Request) -> Response:
    """Publish a post; or many, one JSON object a line, answered line for line.

    What is answered is on disk. Lines are published in groups, so that a hundred at
    once cost little more than one.
    """
    node = node_of(request)
    if _media_type(request, NDJSON) == NDJSON:

        async def work(lines: Sequence[Line]) -> list[View]:
            return await _publish_lines(node, lines)

        return answer_lines(request, work)
    draft = post_draft(parse(PostIn, await read_object(request)))
    return await _publish(node, draft)


@router.post("/records/{record}/replies", status_code=201, **schemas.REPLIES)
async def replies(request: Request, record: str) -> Response:
    """Publish a reply to a record."""
    node = node_of(request)
    reply = parse(ReplyIn, await read_object(request))
    parent = await get_stored(node, record)
    if parent.deleted:
        raise UsageError("deleted", "its author deleted that record")
    return await _publish(node, reply_draft(reply, parent.record))


@router.delete("/records/{record}", status_code=201, **schemas.WRITTEN)
async def delete(request: Request, record: str) -> Response:
    """Delete a record of this node's own agent; returns the record that says so."""
    node = node_of(request)
    target = await get_stored(node, record)
    if target.deleted:
        raise UsageError("deleted", "that record is deleted already")
    if target.record.header.agent != node.agent:
        raise UsageError("not-yours", "only its author can delete a record")
    if not can_be_deleted(target.record.header):
        raise UsageError("nothing-to-delete", "that record bears witness, and stays")
    return await _publish(node, delete_draft(target.record))


@router.put("/dropped/{record}", responses=schemas.DROP)
async def drop(request: Request, record: str) -> Response:
    """Drop a record's body on this node, and take it by no road; the header stays.

    The record may be one that this node does not hold yet. Nobody else is told.
    """
    return await _turn_drop(request, record, dropped=True)


@router.delete("/dropped/{record}", responses=schemas.DROP)
async def undrop(request: Request, record: str) -> Response:
    """Take a record's body again when it comes from somebody who has it."""
    return await _turn_drop(request, record, dropped=False)


async def _turn_drop(request: Request, text: str, *, dropped: bool) -> Response:
    node = node_of(request)
    record = parse_record_id(text)
    changed = await (node.drop(record) if dropped else node.undrop(record))
    stored = await node.get(record)
    view = {
        "record": text,
        "dropped": dropped,
        "dropped_at_ms": node.now_ms() if dropped and changed else None,
        "held": stored is not None,
        "changed": changed,
    }
    return json_response(view)


@router.put("/profile", status_code=201, **schemas.PROFILE)
async def profile(request: Request) -> Response:
    """Say who this node's agent is; the newest profile counts."""
    said = parse(ProfileIn, await read_object(request))
    return await _publish(node_of(request), profile_draft(said))


@router.post("/rotate", status_code=201, **schemas.ROTATE)
async def rotate(request: Request) -> Response:
    """Put the agent's next key in force.

    After a theft, `since` names the `seq` of the first record that the thief wrote:
    what older keys signed from there on is let go of.
    """
    wanted = parse(RotateIn, await read_object(request) or b"{}")
    record = await node_of(request).rotate(wanted.since)
    return json_response(written_view(record), 201)


@router.post("/connect", **schemas.CONNECT)
async def connect(request: Request) -> Response:
    """Connect to a peer now."""
    wanted = parse(ConnectIn, await read_object(request))
    peer = await node_of(request).connect(wanted.address)
    return json_response({"peer": peer})


@router.post("/import", **schemas.IMPORT)
async def import_records(
    request: Request, wanted: Annotated[SelectionQuery, Query()]
) -> Response:
    """Take exported records; each is judged as if a peer had sent it.

    JSON lines are answered line for line with the verdict. Of an archive
    (`application/cbor-seq`) only those records are named that were neither accepted
    nor held already, each by its place. A line with the totals ends the answer.

    Where a part is asked for, the key chains of its authors come along. The rest is
    `not-selected`, and not counted.
    """
    node, selection = node_of(request), wanted.selection()
    is_archive = _media_type(request, NDJSON, CBOR_SEQUENCE) == CBOR_SEQUENCE
    totals: Counter[str] = Counter()

    async def work(lines: Sequence[Line]) -> list[View]:
        wires = [_raw(each) if is_archive else _wire_of(each) for each in lines]
        views = await _import_lines(node, lines, wires, selection)
        totals.update(
            str(view.get("verdict", "failed"))
            for view in views
            if view["code"] != NOT_SELECTED
        )
        if is_archive:
            return [view for view in views if view["code"] not in UNREMARKABLE]
        return views

    def end() -> list[View]:
        counts = {name: totals[name] for name in _OUTCOMES}
        return [{"status": "imported", "lines": totals.total()} | counts]

    splitter = ArchiveSplitter(node.config.network.id) if is_archive else None
    return answer_lines(request, work, end, splitter)


_OUTCOMES = ("accept", "ignore", "reject", "failed")
"""The verdicts; and lines that are no record, or for which there was no room."""

UNREMARKABLE: Final = frozenset({"ok", "duplicate", NOT_SELECTED})
"""The codes of records of an archive that need not be named."""


async def _publish(node: Node, draft: Draft) -> Response:
    (record,) = await node.publish(draft)
    return json_response(written_view(record), 201)


async def _publish_lines(node: Node, lines: Sequence[Line]) -> list[View]:
    """Publish what can be, and answer each line."""
    drafts = [_draft_of(each) for each in lines]
    good = [draft for draft in drafts if isinstance(draft, Draft)]
    written = iter(await _publish_each(node, good))
    results = [next(written) if isinstance(each, Draft) else each for each in drafts]
    return [
        problem_of(result, line=each.number)
        if isinstance(result, MoltError)
        else written_view(result)
        for each, result in zip(lines, results, strict=True)
    ]


def _draft_of(each: Line) -> Draft | UsageError:
    try:
        return post_draft(parse(PostIn, each.whole()))
    except UsageError as error:
        return error


async def _publish_each(
    node: Node, drafts: Sequence[Draft]
) -> Sequence[Record | MoltError]:
    """Publish all at once; when one of them spoils it, halve until it stands alone."""
    if not drafts:
        return []
    try:
        return await node.publish(*drafts)
    except LocalError as error:
        return [error] * len(drafts)
    except UsageError as error:
        if len(drafts) == 1:
            return [error]
    middle = len(drafts) // 2
    first = await _publish_each(node, drafts[:middle])
    return [*first, *await _publish_each(node, drafts[middle:])]


async def _import_lines(
    node: Node,
    lines: Sequence[Line],
    wires: Sequence[bytes | UsageError],
    selection: Selection,
) -> list[View]:
    """Take what could be read of lines, and answer each."""
    good = [wire for wire in wires if isinstance(wire, bytes)]
    rulings = iter(await _take(node, good, selection))
    results = [next(rulings) if isinstance(wire, bytes) else wire for wire in wires]
    return [
        problem_of(result, line=each.number)
        if isinstance(result, MoltError)
        else {"line": each.number} | ruling_view(result)
        for each, result in zip(lines, results, strict=True)
    ]


async def _take(
    node: Node, wires: Sequence[bytes], selection: Selection
) -> Sequence[Ruling | LocalError]:
    if not wires:
        return []
    try:
        return await node.take(wires, Road.IMPORT, selection)
    except LocalError as error:
        return [error] * len(wires)


def _raw(each: Line) -> bytes:
    return each.whole()


def _wire_of(each: Line) -> bytes | UsageError:
    try:
        return base64.b64decode(parse(ImportIn, each.whole()).wire, validate=True)
    except UsageError as error:
        return error
    except (binascii.Error, ValueError):
        return UsageError("bad-request", "wire: not base64")


def _media_type(request: Request, *allowed: str) -> str:
    """Return what the body of a request is, JSON when it does not say.

    Raises:
        UsageError: `bad-media-type`.
    """
    said = request.headers.get("content-type", "application/json")
    media_type = said.partition(";")[0].strip().lower()
    if media_type not in ("application/json", *allowed):
        raise UsageError(
            "bad-media-type",
            f"a body of type {media_type[:60]!r}",
            f"send application/json, or for many {' or '.join(allowed)}",
        )
    return media_type
