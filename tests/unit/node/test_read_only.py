"""A whole node whose disk is full: it says so, reads on, and recovers by itself.

A limit on the size of files stands for the disk, as in tests/unit/store.
"""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.node import outage
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.store.base import Query
from moltp2p.testing.factories import TestAgent
from tests.full_disk import no_file_larger_than

PATIENCE_S = 20.0
MIB = 2**20


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Make a home, and have its node look for room more often than it would."""
    monkeypatch.setattr(outage, "LOOK_S", 0.02)
    Home(tmp_path / "home").init_agent(secrets.token_bytes)
    return Config(tmp_path / "home", NetworkParams())


async def _fill(node: Node, dice: random.Random) -> list[Record]:
    """Publish large posts until there is no room; return what was acknowledged."""
    kept: list[Record] = []

    async def go_on() -> None:
        while True:
            post = Draft(Kind.POST, Post(dice.randbytes(19_000).hex()), "general")
            kept.extend(await node.publish(post))

    with pytest.raises(LocalError, match="disk-full") as raised:
        await go_on()
    assert raised.value.hint
    return kept


@pytest.mark.slow
async def test_a_node_without_room_reads_on_says_so_and_recovers_by_itself(
    config: Config, rng: random.Random
) -> None:
    stranger = TestAgent("stranger", network=config.network.id)
    wire = stranger.incept().wire()
    async with open_node(config, offline=True) as node:
        with no_file_larger_than(MIB):
            kept = await _fill(node, rng)
            store = (await node.status()).store
            assert (store.state, store.records) == ("disk-full", len(kept) + 1)
            assert store.read_only_s is not None
            assert "make room" in store.hint
            with pytest.raises(LocalError, match="disk-full"):
                await node.take([wire], Road.SYNC)
            assert len((await node.query(Query(limit=1000))).records) == store.records

        with trio.fail_after(PATIENCE_S):
            await node._journal.outage.wait_over()
        assert (await node.status()).store.state == "ok"

        (ruling,) = await node.take([wire], Road.SYNC)
        assert ruling.code == "ok"
        kept += await node.publish(Draft(Kind.POST, Post("room!"), "general"))

    async with open_node(config, offline=True) as node:
        for record in kept:
            assert await node.get(record.id) is not None
