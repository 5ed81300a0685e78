from __future__ import annotations

from typing import Any

import httpx
import pytest

from moltp2p.api import schemas
from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId, agent_text, record_text
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.node.node import Node
from moltp2p.testing.factories import TestAgent

NOBODY = agent_text(TestAgent("nobody").id)
NO_RECORD = record_text(RecordId(bytes(32)))


async def publish(node: Node, *texts: str, community: str = "general") -> list[Record]:
    return await node.publish(
        *(Draft(Kind.POST, Post(text), community) for text in texts)
    )


async def get(http: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    response = await http.get(path, params=query)
    answer: dict[str, Any] = response.json()
    assert response.status_code == 200, answer
    return answer


async def texts(http: httpx.AsyncClient, **query: Any) -> list[str | None]:
    page = await get(http, "/records", **query)
    schemas.PageOut.model_validate(page, strict=True)
    return [record["text"] for record in page["records"]]


async def test_records_come_newest_first_or_oldest_first(
    node: Node, http: httpx.AsyncClient
) -> None:
    await publish(node, "one", "two")

    oldest = await texts(http, kind="post", order="oldest")

    assert sorted(oldest, key=str) == ["one", "two"]
    assert await texts(http, kind="post") == oldest[::-1]


async def test_records_can_be_those_of_one_community(
    node: Node, http: httpx.AsyncClient
) -> None:
    await publish(node, "here")
    await publish(node, "there", community="science")

    assert await texts(http, community="science") == ["there"]


async def test_records_can_be_those_of_one_agent(
    node: Node, http: httpx.AsyncClient
) -> None:
    assert node.agent is not None
    await publish(node, "mine")

    assert await texts(http, agent=agent_text(node.agent), kind="post") == ["mine"]
    assert await texts(http, agent=NOBODY) == []


async def test_records_can_be_of_some_kinds_by_word_or_number(
    node: Node, http: httpx.AsyncClient
) -> None:
    await publish(node, "hello")

    assert await texts(http, kind="inception") == [None]
    assert await texts(http, kind="3") == ["hello"]
    assert len(await texts(http, kind=["post", "0"])) == 2


async def test_pages_follow_each_other_by_their_cursors(
    node: Node, http: httpx.AsyncClient
) -> None:
    await publish(node, *map(str, range(7)))
    found: list[str] = []
    query: dict[str, Any] = {"kind": "post", "limit": 3}
    more = True

    while more:
        page = await get(http, "/records", **query)
        found += [record["text"] for record in page["records"]]
        more, query["cursor"] = page["more"], page["cursor"]

    assert sorted(found) == list("0123456")


async def test_what_was_deleted_is_shown_only_when_asked_for(
    node: Node, http: httpx.AsyncClient
) -> None:
    (post,) = await publish(node, "gone")
    await node.publish(
        Draft(Kind.DELETE, community="general", refs={"target": post.id})
    )

    assert await texts(http, kind="post") == []
    (record,) = (await get(http, "/records", kind="post", deleted=True))["records"]
    assert (record["text"], record["deleted"]) == (None, True)


async def test_one_record_is_found_by_its_id(
    node: Node, http: httpx.AsyncClient
) -> None:
    (post,) = await publish(node, "hello")

    record = await get(http, f"/records/{record_text(post.id)}")

    schemas.RecordOut.model_validate(record, strict=True)
    assert record["text"] == "hello"


async def test_status_says_who_and_how_many(
    node: Node, http: httpx.AsyncClient
) -> None:
    await publish(node, "hello")

    status = await get(http, "/status")

    schemas.StatusOut.model_validate(status, strict=True)
    assert node.agent is not None
    assert status["agent"] == agent_text(node.agent)
    assert (status["status"], status["store"]["records"]) == ("offline", 2)


async def test_a_node_without_a_network_has_no_peers(http: httpx.AsyncClient) -> None:
    assert await get(http, "/peers") == {"peers": []}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/records?limit=0", 400, "bad-request"),
        ("/records?limit=1001", 400, "bad-request"),
        ("/records?limit=many", 400, "bad-request"),
        ("/records?order=loudest", 400, "bad-request"),
        ("/records?colour=red", 400, "bad-request"),
        ("/records?community=No", 400, "bad-community"),
        ("/records?community=", 400, "bad-community"),
        ("/records?agent=alice", 400, "bad-agent"),
        ("/records?parent=x", 400, "bad-record-id"),
        ("/records?kind=opinion", 400, "bad-kind"),
        ("/records?cursor=x", 400, "bad-cursor"),
        (f"/records?community=general&agent={NOBODY}", 400, "bad-query"),
        ("/records/x", 400, "bad-record-id"),
        (f"/records/{NO_RECORD}", 404, "not-found"),
        ("/watch?community=No", 400, "bad-community"),
        ("/nowhere", 404, "no-such-route"),
        ("/posts", 405, "bad-method"),
    ],
)
async def test_what_cannot_be_answered_is_told_with_a_code(
    http: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    response = await http.get(path)

    told = response.json()
    schemas.ProblemOut.model_validate(told, strict=True)
    assert (response.status_code, told["status"], told["code"]) == (
        status,
        "error",
        code,
    )


async def test_trouble_of_this_machine_is_not_the_callers(
    http: httpx.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise LocalError("damaged-record", "its checksum is wrong", "verify-store")

    monkeypatch.setattr(node, "query", fail)

    response = await http.get("/records")

    assert response.status_code == 500
    assert response.json()["code"] == "damaged-record"


async def test_a_bug_is_told_without_its_insides(
    http: httpx.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(node, "query", fail)

    response = await http.get("/records")

    assert (response.status_code, response.json()["code"]) == (500, "internal-error")
    assert "secret" not in response.text


async def test_the_api_describes_itself(http: httpx.AsyncClient) -> None:
    described = (await http.get("http://node/openapi.json")).json()

    routes = {
        (method.upper(), path)
        for path, methods in described["paths"].items()
        for method in methods
    }
    assert routes == {
        ("GET", "/v1/status"),
        ("GET", "/v1/peers"),
        ("GET", "/v1/records"),
        ("GET", "/v1/records/{record}"),
        ("GET", "/v1/watch"),
        ("GET", "/v1/backup"),
        ("GET", "/v1/dropped"),
        ("PUT", "/v1/dropped/{record}"),
        ("DELETE", "/v1/dropped/{record}"),
        ("GET", "/v1/export"),
        ("POST", "/v1/posts"),
        ("POST", "/v1/records/{record}/replies"),
        ("DELETE", "/v1/records/{record}"),
        ("PUT", "/v1/profile"),
        ("POST", "/v1/rotate"),
        ("POST", "/v1/connect"),
        ("POST", "/v1/sync"),
        ("POST", "/v1/import"),
        ("POST", "/v1/prove"),
        ("GET", "/v1/tasks"),
        ("POST", "/v1/tasks/{number}"),
        ("POST", "/v1/challenge"),
        ("GET", "/v1/attestations/{agent}"),
        ("POST", "/v1/revoke"),
        ("GET", "/v1/admin/peers"),
        ("GET", "/v1/admin/rules"),
        ("PUT", "/v1/admin/rules"),
        ("DELETE", "/v1/admin/rules"),
        ("POST", "/v1/admin/connect"),
        ("GET", "/v1/admin/mesh"),
        ("GET", "/v1/admin/sync"),
        ("GET", "/v1/admin/log-level"),
        ("PUT", "/v1/admin/log-level"),
        ("POST", "/v1/admin/disconnect"),
        ("GET", "/v1/survey"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    }
    post = described["paths"]["/v1/posts"]["post"]["requestBody"]["content"]
    assert set(post) == {"application/json", "application/x-ndjson"}
    assert set(post["application/json"]["schema"]["required"]) == {"text", "community"}


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_no_page_loads_scripts_from_strangers(
    http: httpx.AsyncClient, path: str
) -> None:
    assert (await http.get(f"http://node{path}")).status_code == 404
