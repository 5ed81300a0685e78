"""Routes for the operator: bans, connections, meshes, logs. On the unix socket alone.

Whoever may enter the home is the operator. A token can be copied to a program that
is to post, and that program is not to ban anybody.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from moltp2p.api import schemas
from moltp2p.api.inputs import ConnectIn, LevelIn, PeerIn, RuleIn, parse
from moltp2p.api.lines import read_object
from moltp2p.api.reading import json_response, node_of
from moltp2p.api.views import peer_view
from moltp2p.core.errors import UsageError
from moltp2p.net.log import get_level, set_level
from moltp2p.node.access import rule_fields
from moltp2p.proto.access import parse_subject
from moltp2p.proto.address import parse_address, parse_peer_id

router = APIRouter(prefix="/admin", responses=schemas.PROBLEMS)

elsewhere = APIRouter(prefix="/admin", include_in_schema=False)
"""The same paths where the API can be reached from outside of the home."""


@router.get("/peers")
async def peers(request: Request) -> Response:
    """Return the connected peers, and the operator's rule about each."""
    node = node_of(request)
    access = node.admin.access
    shown = []
    for peer in await node.peers():
        rule = access.about(parse_address(peer.address))
        fields = None if rule is None else rule_fields(rule)
        shown.append(peer_view(peer) | {"rule": fields})
    return json_response({"peers": shown})


@router.get("/rules")
async def rules(request: Request) -> Response:
    """Return the bans and allowances in force, oldest first."""
    found = node_of(request).admin.access.rules()
    return json_response({"rules": [rule_fields(rule) for rule in found]})


@router.put("/rules")
async def put_rule(request: Request) -> Response:
    """Ban or allow somebody; whom a ban concerns is disconnected."""
    wanted = parse(RuleIn, await read_object(request))
    rule = await node_of(request).admin.access.put(
        parse_subject(wanted.subject),
        allows=wanted.allows,
        reason=wanted.reason,
        for_s=wanted.for_s,
    )
    return json_response(rule_fields(rule))


@router.delete("/rules")
async def remove_rule(request: Request, subject: Annotated[str, Query()]) -> Response:
    """Undo the rule about exactly this subject."""
    access = node_of(request).admin.access
    return json_response(rule_fields(await access.remove(parse_subject(subject))))


@router.post("/connect")
async def connect(request: Request) -> Response:
    """Connect to a peer now."""
    wanted = parse(ConnectIn, await read_object(request))
    return json_response({"peer": await node_of(request).connect(wanted.address)})


@router.post("/disconnect")
async def disconnect(request: Request) -> Response:
    """End the connection to a peer; it may come again, unless it is banned."""
    peer = parse_peer_id(parse(PeerIn, await read_object(request)).peer)
    await node_of(request).admin.disconnect(peer)
    return json_response({"peer": peer})


@router.get("/mesh")
async def mesh(request: Request) -> Response:
    """Return each topic that was joined, and who is in our mesh of it."""
    topics = node_of(request).admin.mesh()
    return json_response({"topics": [dataclasses.asdict(each) for each in topics]})


@router.get("/sync")
async def sync(request: Request) -> Response:
    """Return how this node keeps up with each peer, and what that took."""
    node = node_of(request)
    _ = node.admin
    status = (await node.status()).sync
    return json_response({} if status is None else dataclasses.asdict(status))


@router.get("/log-level")
async def level(_: Request) -> Response:
    """Return the least severe event that is logged."""
    return json_response({"level": get_level()})


@router.put("/log-level")
async def put_level(request: Request) -> Response:
    """Change it, until the node ends."""
    set_level(parse(LevelIn, await read_object(request)).level)
    return json_response({"level": get_level()})


@elsewhere.api_route("/{rest:path}", methods=["GET", "PUT", "POST", "DELETE"])
async def refuse(rest: str) -> Response:
    """Say where these routes are."""
    raise UsageError(
        "socket-only",
        f"admin/{rest[:50]} is on the unix socket alone",
        "use api.sock in the node's home, as `moltp2p admin` does",
    )
