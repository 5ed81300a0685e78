"""An operator drops bodies and takes them back, over the API and the command line."""

from __future__ import annotations

from pathlib import Path

import httpx

from moltp2p.api import schemas
from moltp2p.core.author import Draft
from moltp2p.core.ids import record_text
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.validate import Road
from moltp2p.node.config import Config, load_config
from moltp2p.node.node import Node, open_node
from moltp2p.testing.factories import TestAgent


async def published(node: Node, text: str = "hello") -> str:
    (record,) = await node.publish(Draft(Kind.POST, Post(text), "general"))
    return record_text(record.id)


async def test_a_dropped_record_shows_its_header_and_no_text(
    node: Node, http: httpx.AsyncClient
) -> None:
    name = await published(node)

    answer = (await http.put(f"/dropped/{name}")).json()

    schemas.DropOut.model_validate(answer, strict=True)
    assert answer["dropped"]
    assert answer["held"]
    assert answer["changed"]
    shown = (await http.get(f"/records/{name}")).json()
    assert (shown["dropped"], shown["deleted"], shown["text"]) == (True, False, None)
    assert (await http.get("/records?community=general")).json()["records"] == []


async def test_dropped_records_are_listed_a_page_at_a_time(
    node: Node, http: httpx.AsyncClient
) -> None:
    names = sorted([await published(node, str(n)) for n in range(5)])
    for name in names:
        await http.put(f"/dropped/{name}")

    first = (await http.get("/dropped?limit=3")).json()
    rest = (
        await http.get(f"/dropped?limit=3&after={first['dropped'][-1]['record']}")
    ).json()

    schemas.DropsOut.model_validate(first, strict=True)
    found = [each["record"] for each in first["dropped"] + rest["dropped"]]
    assert len(first["dropped"]) == 3
    assert sorted(found) == names


async def test_what_has_not_come_yet_can_be_dropped_and_is_not_shown_to_watchers(
    node: Node, http: httpx.AsyncClient
) -> None:
    post = TestAgent("bob", node.config.network.id).post("unwanted")
    answer = (await http.put(f"/dropped/{record_text(post.id)}")).json()
    assert not answer["held"]

    async with node.subscribe() as arrivals:
        (ruling,) = await node.take([post.wire()], Road.IMPORT)
        arrival = await anext(aiter(arrivals))

    assert ruling.code == "dropped"
    assert arrival.stored.record.body is None


async def test_taking_it_back_lets_the_text_come_again(
    node: Node, http: httpx.AsyncClient
) -> None:
    post = TestAgent("bob", node.config.network.id).post("wanted after all")
    name = record_text(post.id)
    await node.take([post.wire()], Road.IMPORT)
    await http.put(f"/dropped/{name}")

    answer = (await http.delete(f"/dropped/{name}")).json()
    (ruling,) = await node.take([post.wire()], Road.IMPORT)

    assert answer["changed"]
    assert not answer["dropped"]
    assert ruling.code == "ok"
    shown = (await http.get(f"/records/{name}")).json()
    assert shown["text"] == "wanted after all"


async def test_what_is_no_record_id_cannot_be_dropped(http: httpx.AsyncClient) -> None:
    answer = await http.put("/dropped/nonsense")

    assert answer.status_code == 400
    assert answer.json()["code"] == "bad-record-id"


async def test_status_tells_what_is_kept(home: Path) -> None:
    flags = {"keep": "all", "keep_mib": 3, "keep_days": 30}
    config = load_config(home, {}, flags)
    async with open_node(config, offline=True) as node:
        kept = (await node.status()).retention

        assert kept.keep == "all"
        assert kept.budget_bytes == 3 * 2**20
        assert kept.used_bytes > 0
        assert kept.horizon_ms is not None
        assert abs(node.now_ms() - 30 * 86_400_000 - kept.horizon_ms) < 60_000


async def test_an_old_post_is_not_taken_below_the_horizon(home: Path) -> None:
    config = load_config(home, {}, {"keep_days": 1, "admission": "open"})
    async with open_node(config, offline=True) as node:
        network = config.network.id
        old = TestAgent("bob", network, node.now_ms() - 2 * 86_400_000).post()
        young = TestAgent("carol", network, node.now_ms() - 60_000).post()

        rulings = await node.take([old.wire(), young.wire()], Road.SYNC)

        assert [ruling.code for ruling in rulings] == ["below-horizon", "ok"]


async def test_a_listener_keeps_all_unless_told_otherwise(tmp_path: Path) -> None:
    def keeps_all(**flags: object) -> bool:
        return load_config(tmp_path, {}, flags).policy.keep_all

    assert keeps_all(role="listener")
    assert not keeps_all(role="listener", keep="quota")
    assert not keeps_all(role="agent")
    assert not keeps_all(role="bootstrap")
    assert keeps_all(role="agent", keep="all")
    assert not Config(tmp_path).policy.keep_all
