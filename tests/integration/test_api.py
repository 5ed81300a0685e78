"""The local API on real sockets."""

from __future__ import annotations

import secrets
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from moltp2p.api.serve import GOODBYE_S, open_api
from moltp2p.api.sockets import bind_unix, reachable
from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError, MoltError, UsageError
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role

pytestmark = pytest.mark.slow

HOST = b"HTTP/1.1\r\nhost: x\r\n"


@asynccontextmanager
async def open_listener(home: Path, **settings: Any) -> AsyncIterator[Node]:
    config = Config(home, network=NetworkParams(), role=Role.LISTENER, **settings)
    async with open_node(config, offline=True) as node:
        yield node


async def ask_over(name: str) -> int:
    transport = httpx.AsyncHTTPTransport(uds=name)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return (await client.get("/v1/status")).status_code


async def test_the_socket_is_in_the_home_and_for_nobody_else(tmp_path: Path) -> None:
    async with open_listener(tmp_path / "home") as node, open_api(node) as api:
        mode = api.socket.stat().st_mode

        assert api.socket == tmp_path / "home" / "api.sock"
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert await ask_over(str(api.socket)) == 200
    assert not api.socket.exists()


async def test_what_a_killed_node_left_behind_is_replaced(tmp_path: Path) -> None:
    async with open_listener(tmp_path / "home") as node:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "home" / "api.sock"))

        async with open_api(node) as api:
            assert await ask_over(str(api.socket)) == 200


async def test_a_socket_that_answers_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    with bind_unix(path), pytest.raises(LocalError) as caught, bind_unix(path):
        pass

    assert caught.value.code == "home-in-use"


async def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    path.write_text("somebody's")

    with pytest.raises(LocalError) as caught, bind_unix(path):
        pass

    assert caught.value.code == "socket-blocked"
    assert path.read_text() == "somebody's"


async def test_a_home_with_a_long_path_has_a_socket_too(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30) / "home"

    async with open_listener(home) as node, open_api(node) as api:
        with reachable(api.socket) as name:
            assert len(str(api.socket)) > 120 > len(name)
            assert await ask_over(name) == 200
    assert not api.socket.exists()


async def test_on_loopback_one_needs_the_token(tmp_path: Path) -> None:
    async with (
        open_listener(tmp_path / "home", http_listen="127.0.0.1:0") as node,
        open_api(node) as api,
        httpx.AsyncClient(base_url=str(api.url)) as client,
    ):
        assert api.token_file is not None
        token = api.token_file.read_text().strip()

        refused = await client.get("/v1/status")
        let_in = await client.get(
            "/v1/status", headers={"authorization": f"Bearer {token}"}
        )
        rebound = await client.get(
            "/v1/status",
            headers={"authorization": f"Bearer {token}", "host": "evil.example"},
        )

    assert (refused.status_code, refused.json()["code"]) == (401, "bad-token")
    assert let_in.status_code == 200
    assert (rebound.status_code, rebound.json()["code"]) == (403, "bad-host")


async def test_ipv6_is_loopback_too(tmp_path: Path) -> None:
    async with (
        open_listener(tmp_path / "home", http_listen="[::1]:0") as node,
        open_api(node) as api,
        httpx.AsyncClient(base_url=str(api.url)) as client,
    ):
        assert (await client.get("/v1/status")).status_code == 401


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0.0.0.0:0", "not-loopback"),
        ("192.0.2.1:80", "not-loopback"),
        ("[::]:0", "not-loopback"),
        ("example.org:80", "bad-setting"),
        ("127.0.0.1", "bad-setting"),
        ("127.0.0.1:http", "bad-setting"),
        ("127.0.0.1:65536", "bad-setting"),
        (":80", "bad-setting"),
    ],
)
async def test_other_machines_are_never_served(
    tmp_path: Path, text: str, code: str
) -> None:
    async with open_listener(tmp_path / "home", http_listen=text) as node:
        with pytest.raises(UsageError) as caught:
            async with open_api(node):
                pass

    assert caught.value.code == code


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with open_listener(tmp_path / "home", http_listen=address) as node:
            with pytest.raises(MoltError) as caught:
                async with open_api(node):
                    pass

    assert caught.value.code == "port-in-use"
    assert not (tmp_path / "home" / "api.sock").exists()


async def test_a_watcher_that_never_reads_cannot_hold_the_node(tmp_path: Path) -> None:
    async with open_listener(tmp_path / "home") as node:
        async with open_api(node) as api:
            stuck = await trio.open_unix_socket(api.socket)
            await stuck.send_all(b"GET /openapi.json %b\r\n" % HOST * 50)
            await trio.sleep(0.1)
            start = trio.current_time()
        assert trio.current_time() - start < GOODBYE_S + 1
        await stuck.aclose()


async def test_a_watcher_reads_to_the_end_when_the_node_closes(tmp_path: Path) -> None:
    async with open_listener(tmp_path / "home") as node, trio.open_nursery() as nursery:
        watching = trio.Event()

        async def watch(name: str) -> None:
            transport = httpx.AsyncHTTPTransport(uds=name)
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://x") as client,
                client.stream("GET", "/v1/watch") as response,
            ):
                watching.set()
                await response.aread()  # raises if the answer breaks off

        async with open_api(node) as api:
            nursery.start_soon(watch, str(api.socket))
            await watching.wait()


async def test_whatever_clients_send_the_node_goes_on(
    tmp_path: Path,
) -> None:
    nonsense = [
        b"\x00" * 1000,
        b"GET / %bconnection: upgrade\r\nupgrade: websocket\r\n\r\n" % HOST,
        b"GET / %bupgrade: h2c\r\nhttp2-settings: !!!\r\n\r\n" % HOST,
        b"POST /v1/posts %bcontent-length: 10\r\n\r\nab" % HOST,
        b"POST /v1/posts %btransfer-encoding: chunked\r\n\r\nzz\r\n" % HOST,
        b"POST /v1/import %bcontent-type: application/x-ndjson\r\n" % HOST
        + b"content-length: 900\r\n\r\n"
        + b'{"wire": "AAAA"}\n' * 20,
        b"GET /v1/watch %b\r\n" % HOST,
        b"GET /v1/records/%00%ff HTTP/1.1\r\nhost: [bad\r\n\r\n",
        b"DELETE " + b"/" * 8000 + b" %b\r\n" % HOST,
    ]
    async with open_listener(tmp_path / "home") as node, open_api(node) as api:
        for data in nonsense:
            stream = await trio.open_unix_socket(api.socket)
            await stream.send_all(data)
            with trio.move_on_after(0.05):
                await stream.receive_some(100)
            await stream.aclose()

        assert await ask_over(str(api.socket)) == 200


async def test_too_large_a_body_is_refused_while_it_is_sent(tmp_path: Path) -> None:
    async with (
        open_listener(tmp_path / "home") as node,
        open_api(node) as api,
        await trio.open_unix_socket(api.socket) as stream,
    ):
        head = b"POST /v1/posts %bcontent-length: 10000000\r\n\r\n" % HOST
        await stream.send_all(head)
        with suppress(trio.BrokenResourceError):
            await stream.send_all(b" " * 10_000_000)
        answer = await stream.receive_some()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"too-large"' in answer


async def test_more_clients_than_there_is_room_for_wait_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moltp2p.api.serve.MAX_CLIENTS", 2)
    async with open_listener(tmp_path / "home") as node, open_api(node) as api:
        first = [await trio.open_unix_socket(api.socket) for _ in range(2)]
        with trio.move_on_after(0.2) as waiting:
            await ask_over(str(api.socket))
        for stream in first:
            await stream.aclose()

        assert waiting.cancelled_caught
        assert await ask_over(str(api.socket)) == 200


async def test_posts_acknowledged_together_are_on_disk(
    tmp_path: Path,
) -> None:
    agent_home = tmp_path / "home"
    Home(agent_home).init_agent(secrets.token_bytes)
    async with open_node(Config(agent_home, NetworkParams()), offline=True) as node:
        async with open_api(node) as api:
            transport = httpx.AsyncHTTPTransport(uds=str(api.socket))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://x"
            ) as client:
                lines = b'{"community": "general", "text": "hello"}\n' * 3_000
                response = await client.post(
                    "/v1/posts",
                    content=lines,
                    headers={"content-type": "application/x-ndjson"},
                )
        await node.publish(Draft(Kind.POST, Post("last"), "general"))
    assert response.text.count('"id":') == 3_000

    async with open_node(Config(agent_home, NetworkParams()), offline=True) as node:
        assert (await node.status()).store.records == 3_002
