"""Durable local publishing, by every road that an agent has; nostr-relay beside it.

| road | what is counted |
|---|---|
| library | `Node.publish`, 64 calls waiting at once |
| NDJSON | one `POST /v1/posts` with a line for each post, over the unix socket |
| one by one | a `POST /v1/posts` for each post, one connection, each awaited |
| nostr-relay | signed events over one WebSocket, 64 unacknowledged; SQLite |
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import trio

from moltp2p.api.lines import NDJSON
from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import open_node
from moltp2p.node.world import real_world
from scripts.benches.corpus import bodies
from scripts.benches.outcome import Outcome
from scripts.benches.rivals.relay import acknowledged

IN_FLIGHT: Final = 64
BENCHES: Final = "MOLTP2P_BENCH_"
COUNT: Final = 6_000
ONE_BY_ONE: Final = 1_000
COMMUNITY: Final = "bench"
READY_S: Final = 60.0
POLL_S: Final = 0.05
ANSWER_S: Final = 300.0


async def through_library(count: int) -> float:
    """Return how many posts a second are published by tasks that wait for each."""
    texts = bodies()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.init_agent(real_world().draw)
        config = Config(home.path, NetworkParams("test-bench"), target_peers=0)
        async with open_node(config) as node, trio.open_nursery() as nursery:
            numbers = iter(range(count))

            async def publish() -> None:
                for number in numbers:
                    text = Post(texts[number % len(texts)])
                    await node.publish(Draft(Kind.POST, text, community=COMMUNITY))

            began = trio.current_time()
            async with trio.open_nursery() as publishers:
                for _ in range(IN_FLIGHT):
                    publishers.start_soon(publish)
            rate = count / (trio.current_time() - began)
            nursery.cancel_scope.cancel()
    return rate


async def as_lines(count: int) -> float:
    """Return how many posts a second are published by one request of many lines."""
    content = b"\n".join(_posts(count))
    async with _open_api() as client:
        began = trio.current_time()
        answer = await client.post(
            "/v1/posts", content=content, headers={"content-type": NDJSON}
        )
        rate = count / (trio.current_time() - began)
    kept = sum(b'"seq":' in line for line in answer.content.splitlines())
    if kept != count:
        raise RuntimeError(f"{kept} of {count} posts were published")
    return rate


async def one_by_one(count: int) -> float:
    """Return how many posts a second are published, each by a request of its own."""
    posts = _posts(count)
    headers = {"content-type": "application/json"}
    async with _open_api() as client:
        began = trio.current_time()
        for post in posts:
            answer = await client.post("/v1/posts", content=post, headers=headers)
            answer.raise_for_status()
        return count / (trio.current_time() - began)


async def relayed(count: int) -> float:
    """Return how many events a second nostr-relay acknowledges."""
    return await acknowledged(count, IN_FLIGHT)


ROADS: Final[dict[str, tuple[Callable[[int], Awaitable[float]], int]]] = {
    "publish, library": (through_library, COUNT),
    "publish, NDJSON": (as_lines, COUNT),
    "publish, one by one": (one_by_one, ONE_BY_ONE),
    "nostr-relay 1.14": (relayed, COUNT // 4),
}


async def measure(outcome: Outcome, rounds: int) -> None:
    """Note how fast each road is, in turns, in the reverse order every second time."""
    rates: dict[str, list[float]] = {name: [] for name in ROADS}
    for turn in range(rounds):
        for name in list(ROADS)[:: 1 if turn % 2 == 0 else -1]:
            road, count = ROADS[name]
            rates[name].append(await road(count))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        outcome.add(name, rate, "1/s")
    relay = medians.pop("nostr-relay 1.14")
    for name, rate in medians.items():
        outcome.compare(f"{name} / nostr-relay", rate, relay)
    outcome.conditions["publish"] = (
        f"{COUNT} posts, {ONE_BY_ONE} one by one, signed and synced before the answer;"
        f" nostr-relay: {COUNT // 4} events that were signed beforehand, on SQLite"
    )


def _posts(count: int) -> list[bytes]:
    texts = bodies()
    return [
        json.dumps({"community": COMMUNITY, "text": texts[n % len(texts)]}).encode()
        for n in range(count)
    ]


@asynccontextmanager
async def _open_api() -> AsyncIterator[httpx.AsyncClient]:
    """Run a node in a process of its own; yield a client of its socket."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        Home(home).init_agent(real_world().draw)
        program = str(Path(sys.executable).with_name("moltp2p"))
        command = [program, "--home", str(home), "run", "--network", "test-bench"]
        # To the command line, those of benchmarks would be settings that do not exist.
        environ = {k: v for k, v in os.environ.items() if not k.startswith(BENCHES)}
        environ["MOLTP2P_ADMISSION"] = "open"
        child = await trio.lowlevel.open_process(
            command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            transport = httpx.AsyncHTTPTransport(uds=str(home / "api.sock"))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://bench", timeout=ANSWER_S
            ) as client:
                await _until_ready(client)
                yield client
        finally:
            child.terminate()
            with trio.CancelScope(shield=True):
                await child.wait()


async def _until_ready(client: httpx.AsyncClient) -> None:
    with trio.fail_after(READY_S):
        while True:
            try:
                (await client.get("/v1/status")).raise_for_status()
            except httpx.TransportError:
                await trio.sleep(POLL_S)
            else:
                return
