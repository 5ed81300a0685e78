"""The nodes of a local mesh, and one inside this process.

Each is a real node on real sockets, with a home and a port of its own;
`testing/remote.py` runs one in a process of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import psutil
import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId, agent_text, parse_agent
from moltp2p.core.kinds import Kind, Post, parse_body
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.net.background import open_background
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.solver_settings import BY_HAND, ORACLE
from moltp2p.node.status import Status
from moltp2p.node.world import World, real_world
from moltp2p.store.base import Order, Query
from moltp2p.testing.audit import (
    PAGE_RECORDS,
    Audit,
    Repeats,
    all_records,
    ids_held,
    is_valid,
)
from moltp2p.testing.faults.conditions import Faults, Orders
from moltp2p.testing.faults.network import faulty

RECORD_CAUSES: Final = (
    "queue-full",
    "answer-queue-full",
    "pending-full",
    "pending-expired",
    "peer-gone",
    "relay-full",
    "read-only",
)
"""The causes by which gossip drops a record (spec 09)."""


@dataclass(frozen=True, slots=True)
class Text:
    """What an agent of the mesh will post.

    Attributes:
        community: where to.
        body: what it says.
    """

    community: str
    body: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A post as it stands in a member's store.

    Attributes:
        agent: who wrote it, as `did:key`.
        community: where.
        text: what it says.
    """

    agent: str
    community: str
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A member at a glance.

    Attributes:
        agent: its agent's `did:key`.
        peers: connected peers.
        mesh: the smallest number of mesh peers over all its topics.
        records: records in its store.
        fingerprint: of the set of them: nodes with the same one hold the same.
        proof: how it stands with its proof: `open` where none is needed; else what
            its applicant does (waiting, ticket, asking), or `proved`.
        dropped: records that its gossip dropped. A GRAFT that was refused, or an id
            that nobody wanted, is no loss and is left out.
    """

    agent: str
    peers: int
    mesh: int
    records: int
    dropped: int
    fingerprint: str = ""
    proof: str = "open"


class Member(Protocol):
    """One node of a mesh."""

    async def peer(self) -> PeerId:
        """Return who it is to its peers."""
        ...

    async def addresses(self) -> list[str]:
        """Return where it listens."""
        ...

    async def publish(self, texts: Sequence[Text]) -> list[str]:
        """Post texts; return the records' ids as hex, once they are durable."""
        ...

    async def snapshot(self) -> Snapshot:
        """Return how it is."""
        ...

    async def admits(self, agents: Sequence[str]) -> bool:
        """Tell whether it would take what all of these agents say, as `did:key`."""
        ...

    async def newest(self, count: int) -> list[Heard]:
        """Return the newest posts in its store, newest first."""
        ...

    async def arrivals(self) -> Mapping[str, int]:
        """Return, for each post in its store, when it came after it was written.

        Milliseconds by record id in hex: received less authored.
        """
        ...

    async def audit(self, agents: Sequence[str]) -> Audit:
        """Verify all that is in its store; `agents` may have written it."""
        ...

    async def face(self, orders: Orders) -> None:
        """Let it bear faults from now on."""
        ...

    async def cut(self, peers: Sequence[PeerId]) -> None:
        """Cut it off from these peers, and from no others."""
        ...

    async def faults_injected(self) -> Mapping[str, int]:
        """Return how often faults struck, by what they did."""
        ...

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        ...


class LocalMember:
    """A node in this process.

    Attributes:
        node: the node.
        faults: what is between it and its network; None where nothing can be.
    """

    def __init__(self, node: Node, faults: Faults | None, repeats: Repeats) -> None:
        self.node = node
        self.faults = faults
        self._repeats = repeats

    async def peer(self) -> PeerId:
        """Return who it is to its peers."""
        await trio.lowlevel.checkpoint()
        return self.node.peer_id or PeerId("")

    async def addresses(self) -> list[str]:
        """Return where it listens."""
        gossip = (await self.node.status()).gossip
        return [] if gossip is None else gossip.addresses

    async def publish(self, texts: Sequence[Text]) -> list[str]:
        """Post texts; return the records' ids as hex, once they are durable."""
        drafts = [Draft(Kind.POST, Post(each.body), each.community) for each in texts]
        return [record.id.hex() for record in await self.node.publish(*drafts)]

    async def snapshot(self) -> Snapshot:
        """Return how it is."""
        status = await self.node.status()
        gossip = status.gossip
        agent = "" if status.agent is None else agent_text(status.agent)
        if gossip is None:
            held = status.store
            return Snapshot(agent, 0, 0, held.records, 0, held.fingerprint or "")
        return Snapshot(
            agent=agent,
            peers=gossip.peers,
            mesh=min(gossip.mesh.values(), default=0),
            records=status.store.records,
            dropped=sum(gossip.dropped.get(cause, 0) for cause in RECORD_CAUSES),
            fingerprint=status.store.fingerprint or "",
            proof=self._proof(status),
        )

    def _proof(self, status: Status) -> str:
        if not self.node.config.network.admission or status.proof is None:
            return "open"
        is_proved = status.proof.own.expires_ms is not None
        return "proved" if is_proved else status.proof.phase

    async def admits(self, agents: Sequence[str]) -> bool:
        """Tell whether it would take what all of these agents say, as `did:key`."""
        await trio.lowlevel.checkpoint()
        admitted = self.node.agents.admitted_until_ms
        return all(admitted(parse_agent(each)) is not None for each in agents)

    async def newest(self, count: int) -> list[Heard]:
        """Return the newest posts in its store, newest first."""
        query = Query(kinds=frozenset({Kind.POST}), limit=count)
        page = await self.node.query(query)
        return [_heard(stored.record) for stored in page.records]

    async def arrivals(self) -> Mapping[str, int]:
        """Return, for each post in its store, when it came after it was written."""
        ages: dict[str, int] = {}
        cursor, more = None, True
        while more:
            page = await self.node.query(
                Query(
                    kinds=frozenset({Kind.POST}),
                    order=Order.OLDEST_FIRST,
                    limit=PAGE_RECORDS,
                    cursor=cursor,
                )
            )
            for stored in page.records:
                age_ms = stored.received_at_ms - stored.record.header.time_ms
                ages[stored.record.id.hex()] = age_ms
            cursor, more = page.cursor, page.more
        return ages

    async def audit(self, agents: Sequence[str]) -> Audit:
        """Verify all that is in its store; `agents` may have written it."""
        welcome = {parse_agent(each) for each in agents}
        count = invalid = 0
        async for stored in all_records(self.node):
            count += 1
            invalid += not is_valid(stored.record, welcome)
        gossip = (await self.node.status()).gossip
        rejected = 0 if gossip is None else gossip.counters["rejected"]
        return Audit(count, invalid, self._repeats.count, rejected)

    async def face(self, orders: Orders) -> None:
        """Let it bear faults from now on."""
        await trio.lowlevel.checkpoint()
        self._faulty().face(orders)

    async def cut(self, peers: Sequence[PeerId]) -> None:
        """Cut it off from these peers, and from no others."""
        await trio.lowlevel.checkpoint()
        self._faulty().cut(peers)

    async def faults_injected(self) -> Mapping[str, int]:
        """Return how often faults struck, by what they did."""
        await trio.lowlevel.checkpoint()
        return {} if self.faults is None else dict(self.faults.counts)

    def _faulty(self) -> Faults:
        if self.faults is None:
            raise UsageError("no-faults", "this mesh was opened without faults")
        return self.faults

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        return psutil.Process()


def _heard(record: Record) -> Heard:
    header = record.header
    body = None if record.body is None else parse_body(header.kind, record.body)
    text = body.text if isinstance(body, Post) else ""
    return Heard(agent_text(header.agent), header.community or "", text)


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """How to run one node of a mesh; plain, so that it can be told to a process.

    Attributes:
        home: the folder with its keys and records; made when it is not there.
        network: the network's name.
        listen: multiaddrs to listen on; none for a node that nobody can dial.
        bootstrap: multiaddrs of first peers.
        proof: whether only those who prove to be agents may speak; here an oracle
            proves it for them.
        has_faults: whether faults can be put between it and its network.
        target_peers: how many peers it looks for by itself.
        sync_interval: seconds between comparisons with peers.
    """

    home: str
    network: str
    listen: tuple[str, ...] = ("/ip4/127.0.0.1/tcp/0",)
    bootstrap: tuple[str, ...] = ()
    proof: bool = False
    has_faults: bool = False
    target_peers: int = 12
    sync_interval: int = 60

    def config(self) -> Config:
        """Return the node's settings."""
        return Config(
            Path(self.home),
            NetworkParams(self.network, admission=self.proof),
            listen=tuple(self.listen),
            bootstrap=tuple(self.bootstrap),
            solver=ORACLE if self.proof else BY_HAND,
            target_peers=self.target_peers,
            sync_interval=self.sync_interval,
        )


@asynccontextmanager
async def open_local_member(
    settings: MemberSettings, world: World | None = None
) -> AsyncIterator[LocalMember]:
    """Run a node in this process for the length of the block.

    Args:
        settings: how.
        world: its outside; by default the real one.

    Raises:
        MoltError: as `open_node`.
    """
    world, config = world or real_world(), settings.config()
    home = Home(config.home)
    if not home.has_agent:
        home.init_agent(world.draw)
    faults = None
    if settings.has_faults:
        faults = Faults()
        world = replace(world, open_network=faulty(world.open_network, faults))
    async with open_node(config, world=world) as node, open_background() as nursery:
        repeats = Repeats(await ids_held(node))
        nursery.start_soon(repeats.watch, node)
        yield LocalMember(node, faults, repeats)
