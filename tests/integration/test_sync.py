"""Whole nodes with their stores on disk, on real sockets: each ends with all."""

from __future__ import annotations

import json
import secrets
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trio

from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role
from moltp2p.store import layout
from moltp2p.store.base import Query
from moltp2p.store.engine import Delete, Put
from moltp2p.store.leveldb import LevelDb, open_store
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


async def synced(one: Node, other: Node) -> None:
    """Let a node compare with another until both hold the same."""
    await meet(one, other)
    async for _ in one.sync():
        pass
    await alike([one, other], within_s=20)


async def test_what_repair_could_not_read_comes_back_from_a_peer(
    tmp_path: Path,
) -> None:
    Home(tmp_path / "alice").init_agent(secrets.token_bytes)
    Home(tmp_path / "bob").create()
    (tmp_path / "bob" / "config.toml").write_text('network = "test-net"\n')
    params = NetworkParams("test-net")
    writer = Config(tmp_path / "alice", params)
    listener = Config(tmp_path / "bob", params, Role.LISTENER, sync_interval=0)
    records = Home(tmp_path / "bob").records
    async with open_node(writer) as alice, open_node(listener) as bob:
        posts = await say(alice, 200)
        await synced(bob, alice)
    rotten, gone = posts[10:30], posts[50:55]
    with closing(LevelDb(records)) as engine:
        engine.apply([Put(layout.record_key(each), b"rotten") for each in rotten])
        engine.apply([Delete(layout.record_key(each)) for each in gone])

    program = str(Path(sys.executable).with_name("moltp2p"))
    home = ("--home", str(tmp_path / "bob"))
    repaired = await trio.run_process(
        [program, *home, "--json", "verify-store", "--repair"], capture_stdout=True
    )
    told = json.loads(repaired.stdout.splitlines()[-1])
    async with open_node(writer) as alice, open_node(listener) as bob:
        lacking = [each for each in posts if await bob.get(each) is None]
        await synced(bob, alice)
        pages = [
            await node.query(Query(agent=alice.agent, limit=1_000))
            for node in (alice, bob)
        ]

    assert (told["status"], told["missing"]) == ("repaired", 25)
    assert lacking == [*rotten, *gone]
    bodies = [[stored.record for stored in page.records] for page in pages]
    assert bodies[0] == bodies[1]
    with closing(open_store(records, params)) as store:
        assert list(store.verify()) == []
        assert list(store.missing()) == []
