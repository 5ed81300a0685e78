"""Whole nodes, with keys and stores on disk, on a network inside this process."""

from __future__ import annotations

import random
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.net.base import Network
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role
from moltp2p.node.world import World, real_world
from moltp2p.store.base import Query
from moltp2p.testing.factories import TestAgent
from tests.village import meet

PATIENCE_S = 20.0
"""Until a test gives up: only ever waited for when something is broken."""


class Place:
    """Where the nodes of a test live: one hub, one folder."""

    def __init__(self, folder: Path) -> None:
        self.hub = MemoryHub()
        self.folder = folder
        real = real_world()
        self.world = World(
            now_ms=real.now_ms,
            draw=secrets.token_bytes,
            dice=random.Random(1),
            open_network=self._open_network,
        )

    def config(self, name: str, role: Role = Role.AGENT) -> Config:
        home = Home(self.folder / name)
        if role is Role.AGENT and not home.has_agent:
            home.init_agent(secrets.token_bytes)
        return Config(home.path, NetworkParams("test-net", shards=2), role)

    @asynccontextmanager
    async def open(self, name: str, role: Role = Role.AGENT) -> AsyncIterator[Node]:
        async with open_node(self.config(name, role), world=self.world) as node:
            yield node

    @asynccontextmanager
    async def _open_network(
        self, config: Config, seed: bytes
    ) -> AsyncIterator[Network]:
        async with open_memory_network(self.hub, seed) as network:
            yield network


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place with nobody in it."""
    return Place(tmp_path)


async def _holds(node: Node, record: RecordId) -> None:
    """Wait until a node holds a record."""
    async with node.subscribe() as arrivals:
        with trio.fail_after(PATIENCE_S):
            while await node.get(record) is None:
                await anext(arrivals)


def _post(text: str = "hello", community: str = "general") -> Draft:
    return Draft(Kind.POST, Post(text), community)


async def test_a_post_reaches_the_other_nodes_store(place: Place) -> None:
    async with place.open("alice") as alice, place.open("bob") as bob:
        await meet(bob, alice)
        (post,) = await alice.publish(_post())

        await _holds(bob, post.id)

        stored = await bob.get(post.id)
        assert stored is not None
        assert stored.record == post


async def test_what_was_said_alone_is_told_to_whoever_comes(place: Place) -> None:
    async with place.open("alice") as alice:
        (post,) = await alice.publish(_post("anybody?"))
        async with place.open("bob") as bob:
            await meet(bob, alice)

            await _holds(bob, post.id)


async def test_who_leaves_at_once_is_heard_all_the_same(place: Place) -> None:
    async with place.open("bob") as bob:
        async with place.open("alice") as alice:
            await meet(alice, bob)
            (first,) = await alice.publish(_post("first"))
            await _holds(bob, first.id)
            posts = await alice.publish(*(_post(str(number)) for number in range(200)))

        for post in posts:
            await _holds(bob, post.id)


async def test_a_peer_can_follow_a_rotation_from_the_start(place: Place) -> None:
    async with place.open("alice") as alice, place.open("bob") as bob:
        await meet(alice, bob)
        rotation = await alice.rotate()
        (post,) = await alice.publish(_post("under a new key"))

        await _holds(bob, post.id)

        assert post.header.key == rotation.header.key is not None
        assert post.header.agent == alice.agent


async def test_a_rotation_survives_a_restart(place: Place) -> None:
    async with place.open("alice") as alice:
        agent = alice.agent
        first = await alice.rotate()
    async with place.open("alice") as alice:
        (post,) = await alice.publish(_post())
        second = await alice.rotate()

    assert alice.agent == agent
    assert post.header.key == first.header.key
    assert second.header.key != first.header.key


async def test_rotations_at_once_follow_one_another(place: Place) -> None:
    async with place.open("alice") as alice:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.rotate)
            nursery.start_soon(alice.rotate)

        third = await alice.rotate()

    assert third.header.seq == 3


async def test_a_rotation_whose_keys_cannot_be_written_costs_no_key(
    place: Place,
) -> None:
    async with place.open("alice") as alice:
        in_the_way = alice.config.home / "agent.part"
        in_the_way.mkdir()
        with pytest.raises(LocalError, match="home-failed"):
            await alice.rotate()
        (post,) = await alice.publish(_post("under the key that is in force"))
        with pytest.raises(LocalError, match="home-failed"):
            await alice.rotate()
        in_the_way.rmdir()
        rotation = await alice.rotate()
    async with place.open("alice") as alice:
        again = await alice.rotate()

    keys = [post.header.key, rotation.header.key, again.header.key]
    assert len({*keys, None}) == 4


@pytest.mark.parametrize("rotates", [False, True])
async def test_keys_without_their_records_make_no_other_agent(
    place: Place, *, rotates: bool
) -> None:
    async with place.open("alice") as alice:
        if rotates:
            await alice.rotate()
    shutil.rmtree(alice.config.home / "records")

    async with place.open("alice") as alice:
        with pytest.raises(UsageError, match="behind"):
            await alice.publish(_post())
        with pytest.raises(UsageError, match="behind"):
            await alice.rotate()

        assert (await alice.status()).store.records == 0


async def test_whoever_knows_that_nobody_heard_of_it_may_begin_anew(
    place: Place,
) -> None:
    async with place.open("alice") as alice:
        pass
    home = Home(alice.config.home)
    shutil.rmtree(home.records)
    home.forget_written()  # as `verify-store --newest` does

    async with place.open("alice") as alice:
        (post,) = await alice.publish(_post())

    assert post.header.seq == 1
    assert home.has_written


async def test_a_node_that_is_closed_says_so(place: Place) -> None:
    async with place.open("alice") as alice:
        pass

    with pytest.raises(UsageError, match="store-closed"):
        await alice.publish(_post())


async def test_a_rotation_can_let_go_of_what_a_thief_wrote(place: Place) -> None:
    async with place.open("alice") as alice, place.open("bob") as bob:
        await meet(bob, alice)
        (before,) = await alice.publish(_post("mine"))
        (stolen,) = await alice.publish(_post("send me your tokens"))
        await _holds(bob, before.id)
        await _holds(bob, stolen.id)

        rotation = await alice.rotate(since=stolen.header.seq)
        await _holds(bob, rotation.id)

        assert rotation.header.prev == before.id
        assert [await node.get(stolen.id) for node in (alice, bob)] == [None, None]
        assert await bob.get(before.id) is not None


async def test_a_sequence_goes_on_after_a_restart(place: Place) -> None:
    async with place.open("alice") as alice:
        (before,) = await alice.publish(_post("one"))
    async with place.open("alice") as alice:
        (after,) = await alice.publish(_post("two"))

    assert after.header.seq == before.header.seq + 1
    assert after.header.prev == before.id


@pytest.mark.parametrize("role", [Role.BOOTSTRAP, Role.LISTENER])
async def test_the_other_roles_keep_and_relay_but_never_author(
    place: Place, role: Role
) -> None:
    async with (
        place.open("middle", role) as middle,
        place.open("alice") as alice,
        place.open("bob") as bob,
    ):
        await meet(alice, middle)
        await meet(bob, middle)
        (post,) = await alice.publish(_post())
        await _holds(bob, post.id)
        await _holds(middle, post.id)

        assert middle.agent is None
        with pytest.raises(UsageError) as caught:
            await middle.publish(_post())

    assert caught.value.code == "no-agent"


async def test_offline_there_is_a_store_and_no_network(place: Place) -> None:
    config = place.config("alice")
    async with open_node(config, offline=True, world=place.world) as alice:
        (post,) = await alice.publish(_post())
        page = await alice.query(Query(kinds=frozenset({Kind.POST})))
        status = await alice.status()
        with pytest.raises(UsageError, match="offline"):
            await alice.connect("/ip4/127.0.0.1/tcp/1/p2p/x")

    assert [stored.record.id for stored in page.records] == [post.id]
    assert status.gossip is None
    assert await _count(place, "alice") == 2


async def _count(place: Place, name: str) -> int:
    async with open_node(place.config(name), offline=True, world=place.world) as node:
        return (await node.status()).store.records


async def test_an_agent_without_a_home_is_told_how_to_make_one(place: Place) -> None:
    config = Config(place.folder / "nobody", NetworkParams("test-net"))

    with pytest.raises(LocalError, match="home-missing"):
        async with open_node(config, world=place.world):
            pass


async def test_a_home_of_one_network_is_refused_on_another(place: Place) -> None:
    async with place.open("alice"):
        pass
    config = Config(place.config("alice").home, NetworkParams("other-net"))

    with pytest.raises(LocalError, match="other-network"):
        async with open_node(config, world=place.world):
            pass


async def test_two_nodes_cannot_share_a_home(place: Place) -> None:
    async with place.open("alice"):
        with pytest.raises(LocalError, match="store-locked"):
            async with place.open("alice"):
                pass


async def test_what_the_block_raises_comes_out_as_it_is(place: Place) -> None:
    with pytest.raises(ZeroDivisionError):
        async with place.open("alice"):
            raise ZeroDivisionError


async def test_junk_from_a_peer_is_rejected_and_the_node_lives(place: Place) -> None:
    carol = TestAgent("carol", time_ms=place.world.now_ms())
    async with place.open("alice") as alice:
        wires = [b"", b"junk", carol.post().wire()[:-1], carol.post().wire()]

        rulings = await alice.take(wires, Road.IMPORT)

    assert [ruling.verdict.value for ruling in rulings] == ["reject"] * 3 + ["accept"]


async def test_a_deleted_post_loses_its_body_everywhere(place: Place) -> None:
    async with place.open("alice") as alice, place.open("bob") as bob:
        await meet(bob, alice)
        (post,) = await alice.publish(_post("regrettable"))
        await _holds(bob, post.id)
        (delete,) = await alice.publish(
            Draft(Kind.DELETE, community="general", refs={"target": post.id})
        )
        await _holds(bob, delete.id)
        (ruling,) = await bob.take([post.wire()], Road.SYNC)

        bodies = [await _body(node, post) for node in (alice, bob)]

    assert bodies == [None, None]
    assert ruling.code == "duplicate"


async def _body(node: Node, record: Record) -> bytes | None:
    stored = await node.get(record.id)
    assert stored is not None
    assert stored.deleted
    return stored.record.body
