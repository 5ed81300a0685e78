"""Two nodes as `moltp2p run` runs them, killed in the middle of what they do."""

from __future__ import annotations

import secrets
import signal
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import trio

from moltp2p.core.ids import parse_record_id
from moltp2p.node.config import Config
from moltp2p.node.home import Home as NodeHome
from moltp2p.store.leveldb import open_store
from tests.command_line import PATIENCE_S, Home, Lines, RunningNode

POSTERS = 4
ENOUGH = 60
"""Records acknowledged by the one, and heard by the other, before both are killed."""


async def _post(node: RunningNode, acknowledged: list[str]) -> None:
    """Post until the node is gone; note what it acknowledged."""
    body = {"community": "general", "text": "said under load " * 20}
    async with node.api() as api:
        while True:
            try:
                answer = await api.post("/posts", json=body)
            except httpx.TransportError:
                return
            assert answer.status_code == 201
            acknowledged.append(answer.json()["id"])


async def _hear(lines: Lines, heard: list[str]) -> None:
    """Note what a watcher is told: it is on disk by then."""
    while len(heard) < ENOUGH:
        heard.append((await lines.next())["id"])


def _assert_holds(home: Home, ids: list[str]) -> None:
    """Hold a home's store to being whole, and to holding these records."""
    with closing(open_store(home.path / "records", Config(home.path).network)) as store:
        assert list(store.verify()) == []
        assert all(store.has(parse_record_id(text)) for text in ids)


@pytest.mark.slow
async def test_what_was_acknowledged_and_what_was_heard_outlive_both_nodes(
    tmp_path: Path,
) -> None:
    alice, bob = Home(tmp_path / "alice"), Home(tmp_path / "bob")
    for home in (alice, bob):
        NodeHome(home.path).init_agent(secrets.token_bytes)
    acknowledged: list[str] = []
    heard: list[str] = []

    async with (
        alice.run() as first,
        bob.run("--bootstrap", first.address) as second,
    ):
        await second.has_peers(1)
        async with bob.start("watch") as (_, lines), trio.open_nursery() as nursery:
            for _ in range(POSTERS):
                nursery.start_soon(_post, first, acknowledged)
            with trio.fail_after(PATIENCE_S):
                await _hear(lines, heard)
            for node in (first, second):
                node.process.send_signal(signal.SIGKILL)

    assert len(acknowledged) >= ENOUGH - POSTERS
    _assert_holds(alice, acknowledged)
    _assert_holds(bob, heard)
