"""The operator's routes: what they do to a node, and where they are not."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from trio.testing import MockClock

from moltp2p.api.http import make_app
from moltp2p.node.node import Node
from moltp2p.node.settings import Role
from tests.village import Village, address_of, village

__all__ = ["village"]


@asynccontextmanager
async def client(node: Node, *, admin: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(node, admin=admin)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://node/v1"
    ) as http:
        yield http


@pytest.fixture
async def nodes(village: Village) -> AsyncIterator[list[Node]]:
    """A bootstrap peer, and a node that keeps connected to it."""
    async with village.open("boot", Role.BOOTSTRAP) as boot:
        gossip = (await boot.status()).gossip
        assert gossip is not None
        async with village.open("bob", bootstrap=tuple(gossip.addresses)) as bob:
            await arrives(boot)
            await trio.sleep(5)
            yield [boot, bob]


async def arrives(node: Node) -> None:
    """Wait until somebody is connected."""
    with trio.fail_after(600):
        while True:
            if await node.peers():
                return
            await trio.sleep(1)


async def test_a_ban_ends_the_connection_and_unban_lets_it_come_again(
    nodes: list[Node], autojump_clock: MockClock
) -> None:
    boot, bob = nodes
    async with client(boot) as http:
        ban = {"subject": bob.peer_id, "reason": "spam", "for_s": 3600}

        made = (await http.put("/admin/rules", json=ban)).json()

        assert made["until_ms"] - made["since_ms"] == 3_600_000
        assert (await http.get("/admin/rules")).json() == {"rules": [made]}
        assert (await http.get("/admin/peers")).json() == {"peers": []}
        assert (await http.get("/status")).json()["gossip"]["rules"] == 1
        subject = {"subject": bob.peer_id}
        undone = await http.delete("/admin/rules", params=subject)
        again = await http.delete("/admin/rules", params=subject)

        assert undone.json() == made
        assert (again.status_code, again.json()["code"]) == (404, "no-such-rule")
        await arrives(boot)


async def test_who_is_connected_is_shown_with_what_is_known_of_it(
    nodes: list[Node], autojump_clock: MockClock
) -> None:
    boot, bob = nodes
    async with client(boot) as http:
        allow = {"subject": "10.0.0.0/8", "allows": True}
        rule = (await http.put("/admin/rules", json=allow)).json()

        (peer,) = (await http.get("/admin/peers")).json()["peers"]
        topics = (await http.get("/admin/mesh")).json()["topics"]
        sync = (await http.get("/admin/sync")).json()

    assert (peer["peer"], peer["rule"]) == (bob.peer_id, rule)
    assert peer["score"]["means"] == "welcome"
    assert [each["topic"].rsplit("/", 2)[-2:] for each in topics] == [
        ["test-net", "agents"],
        ["shard", "0"],
        ["shard", "1"],
    ]
    assert {each["subscribers"] for each in topics} == {1}
    assert {tuple(each["mesh"]) for each in topics} == {(bob.peer_id,)}
    assert sync["peers"][0]["behind"] == 0
    assert sync["counters"]


async def test_a_peer_is_disconnected_and_connected(
    nodes: list[Node], autojump_clock: MockClock
) -> None:
    boot, bob = nodes
    address = await address_of(boot)
    async with client(boot) as http, client(bob) as bobs:
        done = await http.post("/admin/disconnect", json={"peer": bob.peer_id})
        gone = await http.post("/admin/disconnect", json={"peer": bob.peer_id})
        back = await bobs.post("/admin/connect", json={"address": address})

    assert done.json() == {"peer": bob.peer_id}
    assert (gone.status_code, gone.json()["code"]) == (404, "not-connected")
    assert back.json() == {"peer": boot.peer_id}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"subject": "10.0.0.1/8"}, "bad-subject"),
        ({"subject": "bob"}, "bad-subject"),
        ({"subject": "10.0.0.1", "reason": "x" * 201}, "bad-subject"),
        ({"subject": "10.0.0.1", "for_s": 0}, "bad-request"),
        ({"subject": "10.0.0.1", "colour": "red"}, "bad-request"),
        ({}, "bad-request"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(
    nodes: list[Node], body: dict[str, object], code: str, autojump_clock: MockClock
) -> None:
    async with client(nodes[0]) as http:
        answer = await http.put("/admin/rules", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert (await http.get("/admin/rules")).json() == {"rules": []}


async def test_logs_change_while_the_node_runs(
    nodes: list[Node], autojump_clock: MockClock
) -> None:
    async with client(nodes[0]) as http:
        await http.put("/admin/log-level", json={"level": "debug"})
        assert logging.getLogger("moltp2p.net.switch").isEnabledFor(logging.DEBUG)
        await http.put("/admin/log-level", json={"level": "error"})
        assert not logging.getLogger("moltp2p.net.switch").isEnabledFor(logging.INFO)
        wrong = await http.put("/admin/log-level", json={"level": "loud"})

        assert wrong.json()["code"] == "bad-request"
        assert (await http.get("/admin/log-level")).json() == {"level": "error"}


PATHS = ("peers", "rules", "mesh", "sync", "log-level", "connect", "disconnect", "x")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
async def test_over_tcp_there_is_nothing_of_it(
    nodes: list[Node], method: str, autojump_clock: MockClock
) -> None:
    async with client(nodes[0], admin=False) as http:
        for path in PATHS:
            answer = await http.request(method, f"/admin/{path}")
            assert (answer.status_code, answer.json()["code"]) == (403, "socket-only")
        assert (await http.get("/peers")).status_code == 200


async def test_a_node_without_a_network_has_nothing_to_administer(
    http: httpx.AsyncClient, autojump_clock: MockClock
) -> None:
    answer = await http.get("/admin/peers")

    assert (answer.status_code, answer.json()["code"]) == (409, "offline")
