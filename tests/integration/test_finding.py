"""Nodes on real sockets that find their peers again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from moltp2p.net.finding import discovery, relay_seeking
from moltp2p.node.config import load_config
from moltp2p.node.node import Node, open_node
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow


@asynccontextmanager
async def listener(
    home: Path, *bootstrap: str, listen: list[str] | None = None
) -> AsyncIterator[Node]:
    flags = {"role": "listener", "bootstrap": list(bootstrap), "listen": listen}
    async with open_node(load_config(home, {}, flags)) as node:
        yield node


@asynccontextmanager
async def boot_node(home: Path) -> AsyncIterator[Node]:
    async with open_node(load_config(home, {}, {"role": "bootstrap"})) as node:
        yield node


async def addresses(node: Node) -> list[str]:
    gossip = (await node.status()).gossip
    assert gossip is not None
    return gossip.addresses


async def wait_for_peers(node: Node, wanted: set[str | None]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not wanted <= {each.peer for each in await node.peers()}:  # noqa: ASYNC110
            await trio.sleep(0.05)


async def test_a_node_restarted_finds_its_peers_without_its_bootstrap_peer(
    tmp_path: Path,
) -> None:
    home = tmp_path / "alice"
    async with trio.open_nursery() as nursery:
        boot = await nursery.start(run, tmp_path / "boot")
        (first,) = await addresses(boot.node)
        async with (
            listener(tmp_path / "bob", first) as bob,
            listener(tmp_path / "carol", first) as carol,
        ):
            others: set[str | None] = {bob.peer_id, carol.peer_id}
            async with listener(home, first) as alice:
                await wait_for_peers(alice, {*others, boot.node.peer_id})
            boot.scope.cancel()

            async with listener(home) as alice:
                await wait_for_peers(alice, others)

                status = (await alice.status()).gossip
                assert status is not None
                assert {each.bootstrap for each in status.dials} == {False}
    assert (home / "peers.json").stat().st_mode & 0o777 == 0o600


class Running:
    """A node in a task of its own."""

    def __init__(self, node: Node, scope: trio.CancelScope) -> None:
        self.node = node
        self.scope = scope


async def run(home: Path, *, task_status: trio.TaskStatus[Running]) -> None:
    with trio.CancelScope() as scope:
        async with listener(home) as node:
            task_status.started(Running(node, scope))
            await trio.sleep_forever()


async def test_two_that_listen_nowhere_find_each_other_through_a_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_seeking, "LOOK_S", 0.2)
    monkeypatch.setattr(discovery, "NEWS_S", 0.2)
    async with boot_node(tmp_path / "boot") as boot:
        (first,) = await addresses(boot)
        async with (
            listener(tmp_path / "alice", first, listen=[]) as alice,
            listener(tmp_path / "bob", first, listen=[]) as bob,
        ):
            await wait_for_peers(alice, {boot.peer_id, bob.peer_id})
            await wait_for_peers(bob, {boot.peer_id, alice.peer_id})

            (relayed,) = [e for e in await alice.peers() if e.peer == bob.peer_id]
            assert f"/p2p/{boot.peer_id}/p2p-circuit/" in relayed.address
            status = (await alice.status()).gossip
            serving = (await boot.status()).gossip
    assert status is not None
    assert serving is not None
    assert serving.finding.relay is not None
    assert serving.finding.relay.circuits == 1
    assert [each.split("/p2p/")[1] for each in status.finding.relayed] == [
        f"{boot.peer_id}/p2p-circuit"
    ]
