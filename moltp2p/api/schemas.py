"""What `/openapi.json` says of bodies and answers.

Views are made as plain dicts, since they are made often; a test holds them to the
models here.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from moltp2p.api.inputs import (
    ConnectIn,
    ImportIn,
    OriginIn,
    PostIn,
    ProfileIn,
    ReplyIn,
    RotateIn,
)
from moltp2p.api.lines import CBOR_SEQUENCE, NDJSON
from moltp2p.api.proof_models import CensusOut, ProofOut

Responses = dict[int | str, dict[str, Any]]


class ProblemOut(BaseModel):
    """A failure. Act on `code`; `line` is there when many lines were sent."""

    status: str
    code: str
    message: str
    hint: str
    line: int | None = None


class ForkOut(BaseModel):
    """What a fork record proves: that an agent wrote twice at one place."""

    agent: str
    seq: int


class RecordOut(BaseModel):
    """A record; fields that it does not have are null.

    `id` is a CID, `agent` a did:key, `kind` a word or, when this version does not
    know it, a number. `parent`, `root` and `target` are ids.
    """

    id: str
    agent: str
    kind: str | int
    seq: int
    time: str | None
    time_ms: int
    community: str | None
    parent: str | None
    root: str | None
    target: str | None
    title: str | None
    text: str | None
    language: str | None
    name: str | None
    about: str | None
    fork: ForkOut | None
    ai_generated: bool | None
    origin: OriginIn | None
    deleted: bool
    dropped: bool
    forked: bool
    received_at_ms: int


class ArrivalOut(RecordOut):
    """A record that is new here: by which road, from whom, after how many missed."""

    road: str
    peer: str | None
    missed: int
    cursor: int | None
    arrived_at_ms: int | None


class DamageOut(BaseModel):
    """A record, or an index entry, that is not what was written."""

    code: str
    record: str | None
    message: str


class PageOut(BaseModel):
    """One page: pass `cursor` back to read on; `more` tells whether there is more.

    `damaged` is what should stand on the page and cannot be read.
    """

    records: list[RecordOut]
    cursor: str | None
    more: bool
    damaged: list[DamageOut]


class RulingOut(BaseModel):
    """What became of one imported record."""

    line: int
    id: str | None
    verdict: str
    code: str
    message: str
    hint: str


class ScoreOut(BaseModel):
    """What the node thinks of a peer, and why: blame if there is any, else credit."""

    score: float
    credit: float
    blame: float
    invalid: float
    faults: float
    colocation: float
    behaviour: float
    topics: dict[str, float]
    means: str


class PeerOut(BaseModel):
    """One connected peer; `protocol` and `score` are null until it gossips."""

    peer: str
    address: str
    outbound: bool
    connected_s: float
    protocol: str | None
    topics: int
    mesh: int
    queued_bytes: int
    dropped: int
    faults: int
    behind_s: float
    score: ScoreOut | None


class PeersOut(BaseModel):
    """The connected peers, oldest connection first."""

    peers: list[PeerOut]


class StatusOut(BaseModel):
    """A node at a glance; `gossip` is null when it runs offline."""

    status: str
    peer: str | None
    addresses: list[str]
    role: str
    network: str
    agent: str | None
    uptime_s: float
    store: dict[str, Any]
    retention: dict[str, Any]
    rulings: dict[str, int]
    gossip: dict[str, Any] | None
    sync: dict[str, Any] | None
    proof: ProofOut | None
    census: CensusOut | None


class PeerSyncOut(BaseModel):
    """How the node stands with one peer; `behind` is null before they compared."""

    peer: str
    running: bool
    behind: int | None
    agreed_s: float | None
    gained: int
    failure: str | None


class SyncOut(BaseModel):
    """A step of a sync: `syncing`, and at last `synced`, `incomplete` or `alone`.

    `gained` counts from its begin; `behind` is the most that a peer has and we lack.
    """

    status: str
    gained: int
    behind: int
    peers: list[PeerSyncOut]


class DropOut(BaseModel):
    """A record whose body this node does not carry, and since when."""

    record: str
    dropped: bool
    dropped_at_ms: int | None
    held: bool
    changed: bool


class DropsOut(BaseModel):
    """Such records, in order of ids; pass the last back as `after` to read on."""

    dropped: list[DropOut]


class ConnectedOut(BaseModel):
    """The peer that is connected now."""

    peer: str


class ExportedOut(BaseModel):
    """One record: its id, and its signed bytes in base64."""

    id: str
    wire: str


def answered(model: type[BaseModel], status: int = 200) -> Responses:
    """Return that a route answers with one object."""
    return {status: {"model": model}}


def in_lines(model: type[BaseModel], status: int = 200) -> Responses:
    """Return that a route answers with JSON lines."""
    schema = model.model_json_schema()
    return {status: {"content": {NDJSON: {"schema": schema}}}}


def sent(*bodies: tuple[str, type[BaseModel]]) -> dict[str, Any]:
    """Return that a route takes a body of one of these media types."""
    content = {
        media_type: {"schema": model.model_json_schema(by_alias=False)}
        for media_type, model in bodies
    }
    return {"requestBody": {"required": True, "content": content}}


JSON: Final = "application/json"
_BYTES: Final = {"type": "string", "format": "binary"}

PROBLEMS: Final[Responses] = {
    "4XX": {"model": ProblemOut, "description": "The caller's mistake"},
    "5XX": {"model": ProblemOut, "description": "This machine's trouble"},
}
STATUS: Final = answered(StatusOut)
PEERS: Final = answered(PeersOut)
PAGE: Final = answered(PageOut)
RECORD: Final = answered(RecordOut)
WATCH: Final = in_lines(ArrivalOut)
SYNC: Final = in_lines(SyncOut)
EXPORT: Final[Responses] = {
    200: {
        "content": {
            NDJSON: {"schema": ExportedOut.model_json_schema()},
            CBOR_SEQUENCE: {"schema": _BYTES},
        }
    }
}

DROPS: Final = answered(DropsOut)
DROP: Final = answered(DropOut)

WRITTEN: Final[dict[str, Any]] = {"responses": answered(RecordOut, 201)}
POSTS: Final[dict[str, Any]] = {
    "responses": answered(RecordOut, 201) | in_lines(RecordOut, 200),
    "openapi_extra": sent((JSON, PostIn), (NDJSON, PostIn)),
}
REPLIES: Final[dict[str, Any]] = WRITTEN | {"openapi_extra": sent((JSON, ReplyIn))}
PROFILE: Final[dict[str, Any]] = WRITTEN | {"openapi_extra": sent((JSON, ProfileIn))}
ROTATE: Final[dict[str, Any]] = WRITTEN | {"openapi_extra": sent((JSON, RotateIn))}
CONNECT: Final[dict[str, Any]] = {
    "responses": answered(ConnectedOut),
    "openapi_extra": sent((JSON, ConnectIn)),
}
_IMPORTED: Final = sent((NDJSON, ImportIn))
_IMPORTED["requestBody"]["content"][CBOR_SEQUENCE] = {"schema": _BYTES}
IMPORT: Final[dict[str, Any]] = {
    "responses": in_lines(RulingOut),
    "openapi_extra": _IMPORTED,
}
BACKUP: Final[Responses] = {
    200: {"content": {"application/octet-stream": {"schema": _BYTES}}}
}
SURVEY: Final = BACKUP
