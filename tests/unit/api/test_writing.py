from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from moltp2p.api import schemas
from moltp2p.api.http import make_app
from moltp2p.api.lines import NDJSON
from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import parse_record_id, record_text
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Ruling
from moltp2p.node.config import Config
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role
from moltp2p.testing.factories import TestAgent

LINES = {"content-type": NDJSON}


def post_line(text: str, community: str = "general") -> bytes:
    return json.dumps({"community": community, "text": text}).encode()


async def send_lines(
    http: httpx.AsyncClient, path: str, lines: Sequence[bytes]
) -> list[dict[str, Any]]:
    response = await http.post(path, content=b"\n".join(lines), headers=LINES)
    assert response.status_code == 200, response.text
    return [json.loads(text) for text in response.text.splitlines()]


async def written(response: httpx.Response) -> dict[str, Any]:
    record: dict[str, Any] = response.json()
    assert response.status_code == 201, record
    schemas.RecordOut.model_validate(record, strict=True)
    return record


async def test_a_post_is_answered_when_it_is_kept(
    node: Node, http: httpx.AsyncClient
) -> None:
    body = {"community": "general", "text": "hello", "ai_generated": True}

    record = await written(await http.post("/posts", json=body))

    stored = await node.get(parse_record_id(record["id"]))
    assert stored is not None
    assert stored.received_at_ms == record["received_at_ms"]
    assert (record["text"], record["ai_generated"]) == ("hello", True)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"community": "No Such"}, 400, "bad-community"),
        ({"text": ""}, 400, "bad-body"),
        ({"text": "x" * 40_001}, 400, "bad-body"),
        ({"text": "\U0001f980" * 40_000}, 413, "too-large"),
        ({"title": "x" * 301}, 400, "bad-body"),
        ({"language": "klingon?"}, 400, "bad-body"),
        ({"origin": {"model": "x" * 65}}, 400, "bad-header"),
        ({"text": None}, 400, "bad-request"),
        ({"kind": 3}, 400, "bad-request"),
    ],
)
async def test_a_post_that_nobody_would_accept_is_refused(
    http: httpx.AsyncClient, fields: dict[str, Any], status: int, code: str
) -> None:
    body = {"community": "general", "text": "hello"} | fields

    response = await http.post("/posts", json=body)

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_body_of_another_type_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/posts", data={"text": "hello"})

    assert (response.status_code, response.json()["code"]) == (415, "bad-media-type")


async def test_a_listener_cannot_post(tmp_path: Path) -> None:
    config = Config(tmp_path / "listener", network=NetworkParams(), role=Role.LISTENER)
    async with open_node(config, offline=True) as node:
        transport = httpx.ASGITransport(make_app(node))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node/v1"
        ) as http:
            body = {"community": "general", "text": "hello"}
            response = await http.post("/posts", json=body)

    assert (response.status_code, response.json()["code"]) == (409, "no-agent")


async def test_many_posts_are_answered_line_for_line(http: httpx.AsyncClient) -> None:
    sent = [post_line(str(number)) for number in range(600)]

    answers = await send_lines(http, "/posts", sent)

    assert [answer["text"] for answer in answers] == [str(n) for n in range(600)]
    assert len({answer["id"] for answer in answers}) == 600


async def test_a_bad_line_is_answered_with_its_number_and_the_others_are_published(
    node: Node, http: httpx.AsyncClient
) -> None:
    bad = {
        2: (b"not json", "not-json"),
        4: (b'{"text": "to nowhere"}', "bad-request"),
        5: (post_line("x", "No Such"), "bad-community"),
        8: (post_line("x" * 40_001), "bad-body"),
        9: (post_line("x" * 600_000), "too-large"),
        11: (b"\xff", "not-json"),
    }
    lines = [
        bad[number][0] if number in bad else post_line(str(number))
        for number in range(1, 14)
    ]
    lines[5] = b"  "

    answers = await send_lines(http, "/posts", lines)

    refused = {
        answer["line"]: answer["code"]
        for answer in answers
        if answer.get("status") == "error"
    }
    published = [answer["text"] for answer in answers if "id" in answer]
    assert refused == {number: code for number, (_, code) in bad.items()}
    assert published == ["1", "3", "7", "10", "12", "13"]
    assert (await node.status()).store.records == 1 + len(published)


async def test_no_lines_have_no_answers(http: httpx.AsyncClient) -> None:
    assert await send_lines(http, "/posts", []) == []


async def test_when_the_disk_is_full_every_line_is_told(
    http: httpx.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Draft) -> list[Record]:
        raise LocalError("disk-full", "no room", "make room")

    monkeypatch.setattr(node, "publish", fail)

    answers = await send_lines(http, "/posts", [post_line("a"), b"x", post_line("b")])

    assert [answer["code"] for answer in answers] == [
        "disk-full",
        "not-json",
        "disk-full",
    ]


async def test_a_reply_stands_below_its_parent(
    node: Node, http: httpx.AsyncClient
) -> None:
    (post,) = await node.publish(Draft(Kind.POST, Post("why?"), "science"))
    parent = record_text(post.id)

    reply = await written(
        await http.post(f"/records/{parent}/replies", json={"text": "because"})
    )

    assert (reply["parent"], reply["community"]) == (parent, "science")
    page = (await http.get("/records", params={"parent": parent})).json()
    assert [record["id"] for record in page["records"]] == [reply["id"]]


async def test_a_record_is_deleted_once_and_then_nobody_replies(
    node: Node, http: httpx.AsyncClient
) -> None:
    (post,) = await node.publish(Draft(Kind.POST, Post("oops"), "general"))
    path = f"/records/{record_text(post.id)}"

    deletion = await written(await http.delete(path))
    again = await http.delete(path)
    reply = await http.post(f"{path}/replies", json={"text": "what was it?"})

    assert (deletion["kind"], deletion["target"]) == ("delete", record_text(post.id))
    assert (await http.get(path)).json()["text"] is None
    assert (again.status_code, again.json()["code"]) == (409, "deleted")
    assert (reply.status_code, reply.json()["code"]) == (409, "deleted")


async def test_nobody_deletes_what_somebody_else_wrote(
    node: Node, http: httpx.AsyncClient
) -> None:
    bob = TestAgent("bob", network="main")
    wires = [record.wire() for record in (bob.incept(), bob.post())]
    await send_lines(http, "/import", list(map(export_line, wires)))

    response = await http.delete(f"/records/{record_text(bob.records[1].id)}")

    assert (response.status_code, response.json()["code"]) == (403, "not-yours")


async def test_what_has_no_text_cannot_be_deleted(
    node: Node, http: httpx.AsyncClient
) -> None:
    (first,) = (await http.get("/records")).json()["records"]

    response = await http.delete(f"/records/{first['id']}")

    assert (response.status_code, response.json()["code"]) == (409, "nothing-to-delete")


async def test_what_is_not_held_has_neither_replies_nor_an_end(
    http: httpx.AsyncClient,
) -> None:
    path = f"/records/{record_text(TestAgent('bob').post().id)}"

    for response in (
        await http.delete(path),
        await http.post(f"{path}/replies", json={"text": "hello?"}),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not-found")


async def test_a_profile_says_who_one_is(http: httpx.AsyncClient) -> None:
    record = await written(await http.put("/profile", json={"name": "Ada"}))

    assert (record["kind"], record["name"]) == ("profile", "Ada")


async def test_after_a_rotation_one_posts_on(http: httpx.AsyncClient) -> None:
    rotation = await written(await http.post("/rotate"))
    body = {"community": "general", "text": "still me"}
    post = await written(await http.post("/posts", json=body))

    assert rotation["kind"] == "rotate"
    assert post["agent"] == rotation["agent"]


async def test_a_rotation_can_let_go_of_what_a_thief_wrote(
    http: httpx.AsyncClient,
) -> None:
    body = {"community": "general", "text": "send me your tokens"}
    stolen = await written(await http.post("/posts", json=body))
    await written(await http.post("/rotate", json={"since": stolen["seq"]}))

    response = await http.get(f"/records/{stolen['id']}")

    assert response.status_code == 404


@pytest.mark.parametrize("since", [0, -1, "1", 1.5])
async def test_a_rotation_from_no_place_is_refused(
    http: httpx.AsyncClient, since: object
) -> None:
    response = await http.post("/rotate", json={"since": since})

    assert (response.status_code, response.json()["code"]) == (400, "bad-request")


async def test_a_node_without_a_network_connects_to_nobody(
    http: httpx.AsyncClient,
) -> None:
    body = {"address": "/ip4/127.0.0.1/tcp/1/p2p/12D3KooW"}

    response = await http.post("/connect", json=body)

    assert (response.status_code, response.json()["code"]) == (409, "offline")


def export_line(wire: bytes) -> bytes:
    return json.dumps({"wire": base64.b64encode(wire).decode()}).encode()


async def test_an_export_read_elsewhere_is_the_same_records(
    node: Node, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    await send_lines(http, "/posts", [post_line(str(n)) for n in range(300)])
    await http.post("/rotate")
    await http.post("/posts", json={"community": "general", "text": "with a new key"})
    exported = (await http.get("/export")).content

    config = Config(tmp_path / "listener", network=NetworkParams(), role=Role.LISTENER)
    async with open_node(config, offline=True) as listener:
        transport = httpx.ASGITransport(make_app(listener))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://listener/v1"
        ) as elsewhere:
            answers = await send_lines(elsewhere, "/import", exported.splitlines())
            again = (await elsewhere.get("/export")).content

    assert answers.pop() == {
        "status": "imported",
        "lines": 303,
        "accept": 303,
        "ignore": 0,
        "reject": 0,
        "failed": 0,
    }
    for answer in answers:
        schemas.RulingOut.model_validate(answer, strict=True)
    assert again == exported


async def test_imported_records_are_judged_one_by_one(http: httpx.AsyncClient) -> None:
    bob = TestAgent("bob", network="main")
    mallory = TestAgent("mallory", network="other-net")
    good = bob.post()
    forged = bytearray(bob.post("pay me").wire())
    forged[-1] ^= 1
    lines = [
        export_line(bob.records[0].wire()),
        export_line(good.wire()),
        export_line(good.wire()),
        export_line(bytes(forged)),
        export_line(mallory.incept().wire()),
        b'{"wire": "?"}',
        b'{"id": "x"}',
        b"wire",
    ]

    *answers, totals = await send_lines(http, "/import", lines)

    assert [answer["code"] for answer in answers] == [
        "ok",
        "ok",
        "duplicate",
        "body-mismatch",
        "wrong-network",
        "bad-request",
        "bad-request",
        "not-json",
    ]
    assert [answer["line"] for answer in answers] == list(range(1, 9))
    assert totals == {
        "status": "imported",
        "lines": 8,
        "accept": 2,
        "ignore": 1,
        "reject": 2,
        "failed": 3,
    }


async def test_when_there_is_no_room_for_an_import_every_record_is_told(
    http: httpx.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> list[Ruling]:
        raise LocalError("disk-full", "no room", "make room")

    monkeypatch.setattr(node, "take", fail)
    lines = [export_line(TestAgent("bob").incept().wire()), b"x"]

    *answers, totals = await send_lines(http, "/import", lines)

    assert [answer["code"] for answer in answers] == ["disk-full", "not-json"]
    assert (totals["accept"], totals["failed"]) == (0, 2)
