"""Whole nodes on one clock of ours, on a network inside this process.

Time passes only while everybody waits. Threads would work while it passes, so there
are none: what a node does in a thread is done at once.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.topics import NetworkParams
from moltp2p.net.base import Network, Stream, StreamHandler
from moltp2p.net.gossip.rpc_codec import MAX_FRAME_BYTES, decode_rpc, encode_rpc, frame
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.settings import Role
from moltp2p.node.world import World
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.rpc import IHave, Rpc
from moltp2p.store import layout
from moltp2p.store.base import MAX_PAGE_RECORDS, Policy, Query, Store
from moltp2p.store.engine import Change, Engine, Hole, Put
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS

PARAMS: Final = NetworkParams("test-net", shards=2)
LOOK_S: Final = 0.25
LATENCY_S: Final = 0.03


class Village:
    """A place for nodes, and what befalls them.

    Args:
        folder: where homes are; stores are in memory, and outlive their nodes.
        rng: all chance.

    Attributes:
        hub: the network.
        loss: the share of gossip that is lost.
        full: the names of nodes whose disks have no room.
        params: what the nodes agree on.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.hub = MemoryHub(lambda _from, _to: LATENCY_S)
        self.loss = 0.0
        self.full: set[str] = set()
        self.params = PARAMS
        self._folder = folder
        self._rng = rng
        self._engines: dict[str, Engine] = {}

    def now_ms(self) -> int:
        """Return the wall clock of all nodes."""
        return EPOCH_MS + int(trio.current_time() * 1000)

    def forget(self, name: str) -> None:
        """Lose a node's store."""
        self._engines.pop(name, None)

    def engine(self, name: str) -> Engine:
        """Return what is on a node's disk."""
        return self._engines[name]

    def copy(self, name: str) -> Engine:
        """Return a copy of what is on a node's disk."""
        copied = Memory()
        with self._engines[name].view() as view:
            entries = [each for each in view.scan(b"") if not isinstance(each, Hole)]
        copied.apply([Put(key, value) for key, value in entries])
        return copied

    def put_back(self, name: str, backup: Engine) -> None:
        """Have a node begin with a backup: it may have written more since."""
        backup.apply([Put(layout.BEHIND_KEY, b"")])
        self._engines[name] = backup

    @asynccontextmanager
    async def open(
        self, name: str, role: Role = Role.AGENT, **settings: Any
    ) -> AsyncIterator[Node]:
        """Run the node of that name."""
        home = Home(self._folder / name)
        if role is Role.AGENT and not home.has_agent:
            home.init_agent(self._rng.randbytes)
        engine = self._engines.setdefault(name, Memory())

        def open_store(_: Path, params: NetworkParams, policy: Policy) -> Store:
            lent = _Lent(engine, lambda: name in self.full)
            return RecordStore(lent, params, policy)

        world = World(
            now_ms=self.now_ms,
            draw=self._rng.randbytes,
            dice=random.Random(self._rng.random()),
            open_network=self._open_network,
            open_store=open_store,
        )
        config = Config(home.path, self.params, role, **settings)
        async with open_node(config, world=world) as node:
            yield node

    @asynccontextmanager
    async def open_many(self, count: int, **settings: Any) -> AsyncIterator[list[Node]]:
        """Run so many nodes, nobody connected."""
        async with AsyncExitStack() as stack:
            opening = (self.open(f"node {n}", **settings) for n in range(count))
            yield [await stack.enter_async_context(each) for each in opening]

    @asynccontextmanager
    async def stranger(self, name: str) -> AsyncIterator[Network]:
        """Run a bare network, for a peer that does what a test says."""
        async with open_memory_network(self.hub, name.encode()) as network:
            yield network

    @asynccontextmanager
    async def _open_network(
        self, config: Config, seed: bytes
    ) -> AsyncIterator[Network]:
        async with open_memory_network(self.hub, seed) as network:
            yield cast("Network", _Lossy(network, self))

    def keep(self, rpc: Rpc) -> Rpc:
        """Return what of an RPC is not lost."""
        messages = tuple(each for each in rpc.messages if self._arrives())
        ihave = tuple(
            IHave(each.topic, tuple(one for one in each.ids if self._arrives()))
            for each in rpc.ihave
        )
        return Rpc(
            rpc.subscriptions,
            messages,
            ihave,
            rpc.iwant,
            rpc.graft,
            rpc.prune,
            rpc.idontwant,
        )

    def _arrives(self) -> bool:
        return self._rng.random() >= self.loss


class _Lossy:
    """A network on whose way in some of the gossip is lost."""

    def __init__(self, network: Network, village: Village) -> None:
        self._network = network
        self._village = village

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def handle(self, protocol: str, handler: StreamHandler) -> None:
        async def serve(stream: Stream) -> None:
            await handler(cast("Stream", _LossyStream(stream, self._village)))

        is_gossip = protocol.startswith("/meshsub/")
        self._network.handle(protocol, serve if is_gossip else handler)


class _LossyStream:
    def __init__(self, stream: Stream, village: Village) -> None:
        self._stream = stream
        self._village = village
        self._decoder = FrameDecoder(MAX_FRAME_BYTES)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive_some(self, max_bytes: int) -> bytes:
        left = b""
        while not left:
            data = await self._stream.receive_some(max_bytes)
            if not data or not self._village.loss:
                return data
            self._decoder.feed(data)
            while (payload := self._decoder.next_frame()) is not None:
                kept = encode_rpc(self._village.keep(decode_rpc(payload)))
                left += frame([kept]) if kept else b""
        return left


class _Lent:
    """An engine that a store closes, and that can be opened again."""

    def __init__(self, engine: Engine, is_full: Callable[[], bool]) -> None:
        self._engine = engine
        self._is_full = is_full

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes, if there is room."""
        self._check_room()
        self._engine.apply(changes)

    def mend(self) -> bool:
        """Get ready to write, if there is room."""
        self._check_room()
        return self._engine.mend()

    def _check_room(self) -> None:
        if self._is_full():
            raise LocalError("disk-full", "no room on this disk")

    def close(self) -> None:
        """Leave it open."""


@pytest.fixture
def village(
    tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> Village:
    """Return a place for nodes; the test itself asks for `autojump_clock`."""

    async def at_once(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    return Village(tmp_path, rng)


def post(text: str = "hello", community: str = "general") -> Draft:
    """Return a post to publish."""
    return Draft(Kind.POST, Post(text), community)


async def say(node: Node, count: int, text: str = "post") -> list[RecordId]:
    """Publish posts at once; return their ids."""
    drafts = (post(f"{text} {number}", f"c-{number % 5}") for number in range(count))
    posts = await node.publish(*drafts)
    return [each.id for each in posts]


async def address_of(node: Node) -> str:
    """Return where a node can be dialled."""
    gossip = (await node.status()).gossip
    assert gossip is not None
    return gossip.addresses[0]


async def meet(one: Node, *others: Node) -> None:
    """Connect a node to others."""
    for other in others:
        await one.connect(await address_of(other))


async def held(node: Node) -> set[RecordId]:
    """Return the ids of all that a node holds."""
    found: set[RecordId] = set()
    cursor = None
    while True:
        page = await node.query(
            Query(deleted=True, limit=MAX_PAGE_RECORDS, cursor=cursor)
        )
        found |= {stored.record.id for stored in page.records}
        if not page.more:
            return found
        cursor = page.cursor


async def alike(nodes: Sequence[Node], within_s: float) -> float:
    """Wait until all nodes hold the same; return how long that took, seconds."""
    start = trio.current_time()
    while True:
        sets = [await held(node) for node in nodes]
        if all(each == sets[0] for each in sets):
            return trio.current_time() - start
        if trio.current_time() - start > within_s:
            union = set().union(*sets)
            lacking = [len(union - each) for each in sets]
            pytest.fail(f"after {within_s} s they lack {lacking}")
        await trio.sleep(LOOK_S)


def peer_of(node: Node) -> PeerId:
    """Return who a node is to its peers."""
    assert node.peer_id is not None
    return node.peer_id
