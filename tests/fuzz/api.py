"""Rows of the table: addresses, names, archives, and what clients of the API send."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from urllib.parse import parse_qsl

import pydantic
import trio
import trio.testing

from moltp2p.api import inputs
from moltp2p.api.closing import Closing
from moltp2p.api.connection import Connection
from moltp2p.api.splitting import ArchiveSplitter, Line, LineSplitter
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.core.ids import (
    DID_PREFIX,
    agent_text,
    parse_agent,
    parse_record_id,
    record_text,
)
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.address import parse_address, parse_endpoint, parse_peer_id
from moltp2p.proto.archive import Head, SectionWriter
from moltp2p.store.base import Query, Store
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS
from scripts.vectors import form
from tests.fuzz import corpus, mutations, series
from tests.fuzz.parser import Parser, Read
from tests.patience import PATIENCE_S
from tests.unit.api.test_connection import echo


def _reads_text(read: Callable[[str], object]) -> Read:
    """Return a reader of what is text; peers' text is UTF-8 by then."""
    return lambda data: read(data.decode(errors="replace"))


def _address(text: str) -> None:
    with suppress(UsageError):
        parse_endpoint(text)
    address = parse_address(text)
    assert parse_address(str(address)) == address
    assert parse_peer_id(address.peer) == address.peer


def _name(text: str) -> None:
    if text.startswith(DID_PREFIX):
        assert agent_text(parse_agent(text)) == text
    else:
        assert record_text(parse_record_id(text)) == text


def _names() -> list[bytes]:
    records = corpus.records()
    valid = [agent_text(records[0].header.agent), *(record_text(r.id) for r in records)]
    agents = corpus.texts("01-identity", "parse-agent")
    return [
        *(name.encode() for name in valid),
        *agents,
        *corpus.texts("03-records", "parse-record-id"),
    ]


@cache
def _held() -> Store:
    store = open_store(NetworkParams("test-net"))
    store.add(corpus.records(), EPOCH_MS)
    return store


def _cursors() -> list[bytes]:
    found = [_held().page(Query(limit=limit)).cursor for limit in (1, 2, 3)]
    return [cursor.encode() for cursor in found if cursor]


def _cursor(text: str) -> None:
    assert _held().page(Query(limit=2, cursor=text)).records


MODELS = (
    inputs.PostIn, inputs.ReplyIn, inputs.ProfileIn, inputs.RotateIn,
    inputs.ConnectIn, inputs.ImportIn, inputs.ProveIn, inputs.AnswerIn,
    inputs.ChallengeIn,
)  # fmt: skip

OBJECTS = (
    b'{"community": "general", "text": "hello", "title": "t", "language": "en"}',
    b'{"body": "well said", "ai_generated": true, "origin": {"trigger": "reply"}}',
    b'{"name": "alice", "about": "an agent", "origin": {"model": "m"}}',
    b'{"since": 12}',
    b'{"address": "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW"}',
    b'{"wire": "0102", "id": "bafyrei"}',
    b'{"anew": true, "by_hand": false}',
    b'{"answer": "I think so. ANSWER: 17"}',
    b'{"agent": "did:key:z6MktCj8PeHpWbxPht4LmVU68jgLD1xwUYB9sy3DTkLvTGVx"}',
)


def _object(data: bytes) -> None:
    for model in MODELS:
        with suppress(UsageError):
            parsed = inputs.parse(model, data)
            if isinstance(parsed, inputs.PostIn):
                inputs.post_draft(parsed)
            elif isinstance(parsed, inputs.ProfileIn):
                inputs.profile_draft(parsed)


QUERIES = (
    b"community=general&kind=post&limit=10&order=newest",
    b"agent=did:key:z6MktCj8PeHpWbxPht4LmVU68jgLD1xwUYB9sy3DTkLvTGVx&deleted=true",
    b"parent=bafyreigulq6quy2gj2xezbhefpf3fvfjt2fgqdcnunjj4hhahaxepkukze&cursor=AA",
)


def _query(text: str) -> None:
    fields: dict[str, object] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        fields[name] = [value] if name == "kind" else value
    with suppress(pydantic.ValidationError):
        inputs.RecordsQuery.model_validate(fields).query()


def _lines(data: bytes) -> None:
    """Cut lines at once and in pieces, alike."""
    step = max(1 + len(data) % 5, len(data) // 16)
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    assert _cut([data]) == _cut(pieces)


def _cut(pieces: list[bytes]) -> list[Line]:
    splitter = LineSplitter()
    return [line for piece in [*pieces, b"\n"] for line in splitter.feed(piece)]


def archives() -> list[bytes]:
    writer = SectionWriter(Head("test-net", EPOCH_MS))
    records = [writer.add(record) for record in corpus.records()]
    section = b"".join([writer.begin(), *records, writer.end()])
    outage = LocalError("disk-full", "the disk is full")
    cut_short = section + writer.begin() + SectionWriter.trouble(outage)
    kept = [
        form.read(each["input"]["bytes"])
        for each in corpus.cases("10-archives", "archive")
    ]
    return [section, section * 2, cut_short, *kept]


def _archive(data: bytes) -> None:
    """Read an archive at once and in pieces: the same records, and the same end."""
    step = max(1 + len(data) % 7, len(data) // 16)
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    records, end = _unpacked([data])
    again, other_end = _unpacked(pieces)
    assert records == again
    assert str(end) == str(other_end)
    if isinstance(end, UsageError):
        raise end


def _unpacked(pieces: list[bytes]) -> tuple[list[Line], MoltError | None]:
    """Return the records, and what the reading ended with: a LocalError is told."""
    splitter, found = ArchiveSplitter("test-net"), list[Line]()
    try:
        for piece in pieces:
            found += splitter.feed(piece)
        found += splitter.end()
    except (UsageError, LocalError) as error:
        return found, error
    return found, None


def _request_of(line: str, *fields: str, body: str = "") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "host: x", *fields, "", body]).encode()


REQUESTS = (
    _request_of("GET /records?limit=1"),
    _request_of("POST /posts", "content-length: 5", body="hello"),
    _request_of(
        "POST /posts",
        "transfer-encoding: chunked",
        body="5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n",
    ),
    _request_of("POST /", "expect: 100-continue", "content-length: 2", body="hi"),
    _request_of("GET /a") + _request_of("GET /b"),
    _request_of("HEAD /a") + b"nonsense\r\n\r\n",
    _request_of("GET /watch", "upgrade: websocket", "connection: upgrade"),
    b"HEAD / HTTP/1.0\r\nconnection: keep-alive\r\nauthorization: Bearer x\r\n\r\n",
)


async def _request(data: bytes) -> None:
    """Let a client say something and hang up: answered or not, that is all."""
    client, served = trio.testing.memory_stream_pair()
    await client.send_all(data)
    await client.send_eof()
    with trio.fail_after(PATIENCE_S):
        await Connection(echo, served, Closing()).run()


ROWS = (
    Parser("http", lambda: list(REQUESTS), mutations.lines, lambda: _request),
    Parser(
        "address",
        lambda: corpus.texts("04-transport", "address"),
        mutations.text,
        lambda: _reads_text(_address),
        UsageError,
    ),
    Parser(
        "archive",
        archives,
        series.sequence(mutations.cbor),
        lambda: _archive,
        UsageError,
        weight=5,
    ),
    Parser("name", _names, mutations.text, lambda: _reads_text(_name), UsageError),
    Parser(
        "cursor", _cursors, mutations.text, lambda: _reads_text(_cursor), UsageError
    ),
    Parser("json", lambda: list(OBJECTS), mutations.text, lambda: _object, UsageError),
    Parser(
        "query",
        lambda: list(QUERIES),
        mutations.text,
        lambda: _reads_text(_query),
        UsageError,
    ),
    Parser(
        "lines",
        lambda: [b"\n".join(OBJECTS), b"{}\r\n\n{}\n"],
        mutations.raw,
        lambda: _lines,
        UsageError,
    ),
)
