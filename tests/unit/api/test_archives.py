from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from moltp2p.api.http import make_app
from moltp2p.api.lines import CBOR_SEQUENCE
from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import agent_text, record_text
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record, parse
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.exporting import Export
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role
from moltp2p.proto.archive import ArchiveReader, Head, SectionWriter
from moltp2p.testing.factories import EPOCH_MS, TestAgent

ARCHIVE = {"accept": CBOR_SEQUENCE}
SEQUENCE = {"content-type": CBOR_SEQUENCE}


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API of an empty node."""
    config = Config(tmp_path / "elsewhere", network=NetworkParams(), role=Role.LISTENER)
    async with open_node(config, offline=True) as node:
        transport = httpx.ASGITransport(make_app(node))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node/v1"
        ) as client:
            yield client


async def publish(node: Node, count: int, community: str = "general") -> list[Record]:
    texts = [Post(f"{community} {number}") for number in range(count)]
    drafts = [Draft(Kind.POST, text, community=community) for text in texts]
    return await node.publish(*drafts)


def records_in(archive: bytes) -> list[Record]:
    reader = ArchiveReader("main")
    found = [parse(wire) for wire in reader.feed(archive)]
    reader.end()
    assert reader.is_whole
    return found


async def test_an_archive_read_elsewhere_is_the_same_records(
    http: httpx.AsyncClient, node: Node, elsewhere: httpx.AsyncClient
) -> None:
    written = await publish(node, 600)
    archive = (await http.get("/export", headers=ARCHIVE)).content

    answer = await elsewhere.post("/import", content=archive, headers=SEQUENCE)
    again = (await elsewhere.get("/export", headers=ARCHIVE)).content

    totals = json.loads(answer.content)
    assert (totals["lines"], totals["accept"]) == (601, 601)
    assert records_in(again) == records_in(archive)
    assert {each.id for each in records_in(archive)} > {each.id for each in written}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"community": "art"}, 2),
        ({"kind": ["post"]}, 5),
        ({"kind": ["delete"]}, 0),
        ({"since": 2**60}, 0),
        ({"until": 2**60}, 6),
        ({"agent": agent_text(TestAgent("bob").id)}, 0),
    ],
)
async def test_an_export_has_what_is_asked_for(
    http: httpx.AsyncClient, node: Node, query: dict[str, Any], count: int
) -> None:
    await publish(node, 3)
    await publish(node, 2, "art")

    answer = await http.get("/export", headers=ARCHIVE, params=query)
    lines = await http.get("/export", params=query)

    found = records_in(answer.content)
    beside = sum(record.header.seq == 0 for record in found)
    assert len(found) - (beside if count not in (0, 6) else 0) == count
    assert [json.loads(text)["id"] for text in lines.text.splitlines()] == [
        record_text(record.id) for record in found
    ]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"community": "No Such"}, "bad-community"),
        ({"agent": "bob"}, "bad-agent"),
        ({"kind": "poem"}, "bad-kind"),
        ({"since": "yesterday"}, "bad-request"),
        ({"since": -1}, "bad-request"),
        ({"after": "x"}, "bad-record-id"),
        ({"after": record_text(TestAgent("bob").incept().id)}, "not-found"),
        ({"shape": "square"}, "bad-request"),
    ],
)
@pytest.mark.parametrize("headers", [{}, ARCHIVE])
async def test_an_export_that_cannot_be_is_refused(
    http: httpx.AsyncClient, query: dict[str, str], code: str, headers: dict[str, str]
) -> None:
    answer = await http.get("/export", params=query, headers=headers)

    assert (answer.status_code // 100, answer.json()["code"]) == (4, code)


async def test_an_archive_goes_on_behind_a_record(
    http: httpx.AsyncClient, node: Node
) -> None:
    await publish(node, 300)
    whole = records_in((await http.get("/export", headers=ARCHIVE)).content)
    query = {"after": record_text(whole[255].id)}

    answer = await http.get("/export", headers=ARCHIVE, params=query)

    found = records_in(answer.content)
    posts = {record.id for record in found if record.header.seq}
    assert posts == {record.id for record in whole[256:]}


@pytest.mark.parametrize("headers", [{}, ARCHIVE])
async def test_an_export_that_meets_trouble_says_so_at_its_end(
    http: httpx.AsyncClient,
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    await publish(node, 300)
    read = Export.next
    asked = 0

    def fail_at_the_second_page(export: Export) -> list[Record] | None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise LocalError("store-failed", "the disk is gone")
        return read(export)

    monkeypatch.setattr(Export, "next", fail_at_the_second_page)

    content = (await http.get("/export", headers=headers)).content

    if headers:
        reader = ArchiveReader()
        found: list[bytes] = []
        with pytest.raises(LocalError, match="the disk is gone"):
            found.extend(reader.feed(content))
        assert len(found) == 256
    else:
        *lines, last = content.splitlines()
        assert len(lines) == 256
        assert json.loads(last)["code"] == "store-failed"


async def imported(http: httpx.AsyncClient, archive: bytes) -> list[dict[str, Any]]:
    answer = await http.post("/import", content=archive, headers=SEQUENCE)
    assert answer.status_code == 200, answer.text
    return [json.loads(text) for text in answer.text.splitlines()]


async def test_only_what_is_refused_of_an_archive_is_named(
    http: httpx.AsyncClient,
) -> None:
    bob = TestAgent("bob", network="main")
    bob.post()
    forged = bytearray(bob.post("forged").wire())
    forged[40] ^= 1
    future = TestAgent("carol", network="main", time_ms=2**52)
    future.incept()
    section = SectionWriter(Head("main", EPOCH_MS))
    archive = section.begin() + b"".join(map(section.add, bob.records[:2]))
    archive += bytes(forged) + future.records[0].wire() + bob.records[0].wire()

    *named, totals = await imported(http, archive)

    assert [(each["line"], each["verdict"]) for each in named] == [
        (3, "reject"),
        (4, "ignore"),
    ]
    assert totals == {
        "status": "imported",
        "lines": 5,
        "accept": 2,
        "ignore": 2,
        "reject": 1,
        "failed": 0,
    }


async def test_of_a_damaged_archive_the_sound_part_is_taken(
    http: httpx.AsyncClient,
) -> None:
    bob = TestAgent("bob", network="main")
    bob.post()
    wires = b"".join(record.wire() for record in bob.records)

    problem, totals = await imported(http, wires + b"\xff\xff" + wires)
    cut, _ = await imported(http, wires + wires[:-1])

    assert (problem["code"], totals["accept"]) == ("bad-archive", 2)
    assert f"byte {len(wires):,}" in problem["message"]
    assert cut["code"] == "bad-archive"


async def test_an_archive_of_another_network_is_refused_at_its_head(
    http: httpx.AsyncClient,
) -> None:
    bob = TestAgent("bob", network="elsewhere")
    section = SectionWriter(Head("elsewhere", EPOCH_MS))
    archive = section.begin() + section.add(bob.incept())

    problem, totals = await imported(http, archive)

    assert (problem["code"], totals["lines"]) == ("wrong-network", 0)


async def test_of_a_part_that_is_asked_for_each_line_is_answered_and_some_taken(
    http: httpx.AsyncClient, node: Node, elsewhere: httpx.AsyncClient
) -> None:
    await publish(node, 2, "art")
    await publish(node, 3)
    lines = (await http.get("/export")).content
    query, kind = {"community": "art"}, {"content-type": "application/x-ndjson"}

    answer = await elsewhere.post("/import", content=lines, params=query, headers=kind)

    *answers, totals = map(json.loads, answer.content.splitlines())
    codes = [each["code"] for each in answers]
    assert codes == [*("ok",) * 3, *("not-selected",) * 3]  # the inception, and two
    assert (totals["lines"], totals["accept"], totals["ignore"]) == (3, 3, 0)


async def test_of_a_part_that_no_record_can_be_nothing_is_read(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(
        "/import", content=b"", params={"community": "No!"}, headers=SEQUENCE
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-community")
