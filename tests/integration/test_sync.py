"""Whole nodes with their stores on disk, on real sockets: the late one gets all."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import trio

from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.node.config import Config, Role
from moltp2p.node.home import Home
from moltp2p.node.node import open_node
from tests.village import alike, meet, say

pytestmark = pytest.mark.slow

PARAMS = NetworkParams("test-net", shards=2)


async def test_who_joins_late_gets_all_that_was_said_and_then_nothing_differs(
    tmp_path: Path,
) -> None:
    Home(tmp_path / "alice").init_agent(secrets.token_bytes)
    writer = Config(tmp_path / "alice", PARAMS)
    listener = Config(tmp_path / "bob", PARAMS, Role.LISTENER, sync_interval=0)
    async with open_node(writer, offline=True) as alice:
        await say(alice, 2_000)
    async with (
        open_node(writer) as alice,
        open_node(listener) as bob,
        bob.subscribe() as arrivals,
    ):
        await meet(bob, alice)
        with trio.fail_after(60):
            steps = [step async for step in bob.sync()]
        await alike([alice, bob], within_s=20)
        roads = {(await anext(arrivals)).road for _ in range(1_000)}
        again = [step async for step in bob.sync()]

        assert steps[-1].peers[0].gained >= 2_000
        assert Road.SYNC in roads
        (peer,) = again[-1].peers
        assert (peer.behind, peer.failure) == (0, None)
        assert peer.gained == steps[-1].peers[0].gained
