"""The nodes of a local mesh: inside this process, or each in one of its own.

Both are real nodes on real sockets, with a home and a port of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import psutil
import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import agent_text, parse_agent
from moltp2p.core.kinds import Kind, Post, parse_body
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.solver_settings import BY_HAND, ORACLE
from moltp2p.node.status import Status
from moltp2p.node.world import real_world
from moltp2p.store.base import Order, Query

PAGE_RECORDS: Final = 1_000

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
START_S: Final = 60.0
"""How long a node's process may take until it answers."""

ANSWER_S: Final = 60.0
"""How long it may take over one question."""

STOP_S: Final = 15.0
"""How long it may take to end."""


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
    proof: str = "open"


class Member(Protocol):
    """One node of a mesh."""

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

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        ...


class LocalMember:
    """A node in this process."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def addresses(self) -> list[str]:
        """Return where it listens."""
        gossip = (await self._node.status()).gossip
        return [] if gossip is None else gossip.addresses

    async def publish(self, texts: Sequence[Text]) -> list[str]:
        """Post texts; return the records' ids as hex, once they are durable."""
        drafts = [Draft(Kind.POST, Post(each.body), each.community) for each in texts]
        return [record.id.hex() for record in await self._node.publish(*drafts)]

    async def snapshot(self) -> Snapshot:
        """Return how it is."""
        status = await self._node.status()
        gossip = status.gossip
        agent = "" if status.agent is None else agent_text(status.agent)
        if gossip is None:
            return Snapshot(agent, 0, 0, status.store.records, 0)
        return Snapshot(
            agent=agent,
            peers=gossip.peers,
            mesh=min(gossip.mesh.values(), default=0),
            records=status.store.records,
            dropped=sum(gossip.dropped.get(cause, 0) for cause in RECORD_CAUSES),
            proof=self._proof(status),
        )

    def _proof(self, status: Status) -> str:
        if not self._node.config.network.admission or status.proof is None:
            return "open"
        is_proved = status.proof.own.expires_ms is not None
        return "proved" if is_proved else status.proof.phase

    async def admits(self, agents: Sequence[str]) -> bool:
        """Tell whether it would take what all of these agents say, as `did:key`."""
        await trio.lowlevel.checkpoint()
        admitted = self._node.agents.admitted_until_ms
        return all(admitted(parse_agent(each)) is not None for each in agents)

    async def newest(self, count: int) -> list[Heard]:
        """Return the newest posts in its store, newest first."""
        query = Query(kinds=frozenset({Kind.POST}), limit=count)
        page = await self._node.query(query)
        return [_heard(stored.record) for stored in page.records]

    async def arrivals(self) -> Mapping[str, int]:
        """Return, for each post in its store, when it came after it was written."""
        ages: dict[str, int] = {}
        cursor, more = None, True
        while more:
            page = await self._node.query(
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

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        return psutil.Process()


def _heard(record: Record) -> Heard:
    header = record.header
    body = None if record.body is None else parse_body(header.kind, record.body)
    text = body.text if isinstance(body, Post) else ""
    return Heard(agent_text(header.agent), header.community or "", text)


class RemoteMember:
    """A node in a process of its own, spoken to in JSON lines (testing/worker.py)."""

    def __init__(self, pid: int, stdio: trio.abc.Stream) -> None:
        self._pid = pid
        self._stdio = stdio
        self._turn = trio.Lock()
        self._unread = b""

    async def addresses(self) -> list[str]:
        """Return where it listens."""
        return list(await self._ask("addresses"))

    async def publish(self, texts: Sequence[Text]) -> list[str]:
        """Post texts; return the records' ids as hex, once they are durable."""
        return list(await self._ask("publish", [asdict(text) for text in texts]))

    async def snapshot(self) -> Snapshot:
        """Return how it is."""
        return Snapshot(**await self._ask("snapshot"))

    async def admits(self, agents: Sequence[str]) -> bool:
        """Tell whether it would take what all of these agents say, as `did:key`."""
        return bool(await self._ask("admits", list(agents)))

    async def newest(self, count: int) -> list[Heard]:
        """Return the newest posts in its store, newest first."""
        return [Heard(**each) for each in await self._ask("newest", count)]

    async def arrivals(self) -> Mapping[str, int]:
        """Return, for each post in its store, when it came after it was written."""
        return dict(await self._ask("arrivals"))

    def process(self) -> psutil.Process:
        """Return the process that it runs in."""
        return psutil.Process(self._pid)

    async def _ask(self, call: str, value: object = None) -> Any:  # noqa: ANN401 - JSON
        # Cancelled half-way, the next to ask would read this answer for its own.
        async with self._turn, _uninterrupted(ANSWER_S):
            await self._stdio.send_all(json.dumps([call, value]).encode() + b"\n")
            answer = json.loads(await self._line())
        if "error" in answer:
            raise LocalError("member-failed", answer["error"])
        return answer["value"]

    async def _line(self) -> bytes:
        found = self._unread
        while b"\n" not in found:
            part = await self._stdio.receive_some()
            if not part:
                raise LocalError("member-failed", "a node's process has ended")
            found += part
        line, self._unread = found.split(b"\n", 1)
        return line


@asynccontextmanager
async def _uninterrupted(within_s: float) -> AsyncIterator[None]:
    with trio.fail_after(within_s) as scope:
        scope.shield = True
        yield


def member_config(
    home: Path, network: str, bootstrap: Sequence[str], *, proof: bool = False
) -> Config:
    """Return the settings of a mesh's node: loopback, a free port.

    Args:
        home: where its keys and records are.
        network: the network's name.
        bootstrap: addresses of first peers.
        proof: whether only those who prove to be agents may speak; here an oracle
            proves it for them.
    """
    return Config(
        home,
        NetworkParams(network, admission=proof),
        bootstrap=tuple(bootstrap),
        solver=ORACLE if proof else BY_HAND,
    )


@asynccontextmanager
async def open_local_member(config: Config) -> AsyncIterator[Member]:
    """Run a node in this process for the length of the block."""
    Home(config.home).init_agent(real_world().draw)
    async with open_node(config) as node:
        yield LocalMember(node)


@asynccontextmanager
async def open_remote_member(config: Config) -> AsyncIterator[Member]:
    """Run a node in a process of its own for the length of the block.

    Raises:
        LocalError: `member-failed` when it does not come up.
    """
    child = await trio.lowlevel.open_process(
        [sys.executable, "-m", "moltp2p.testing.worker", *worker_arguments(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        stdin, stdout = child.stdin, child.stdout
        if stdin is None or stdout is None:
            raise LocalError("member-failed", "a node's process has no pipes")
        member = RemoteMember(child.pid, trio.StapledStream(stdin, stdout))
        with trio.fail_after(START_S):
            await member.addresses()
        yield member
        await stdin.aclose()
        with trio.move_on_after(STOP_S):
            await child.wait()
    finally:
        child.kill()  # harmless once it has ended
        with trio.CancelScope(shield=True):
            await child.wait()


def worker_arguments(config: Config) -> list[str]:
    """Return the command line by which a worker learns its settings."""
    admission = "proof" if config.network.admission else "open"
    return [str(config.home), config.network.id, admission, *config.bootstrap]


def worker_config(arguments: Sequence[str]) -> Config:
    """Return the settings that `worker_arguments` wrote."""
    home, network, admission, *bootstrap = arguments
    proof = admission == "proof"
    return member_config(Path(home), network, bootstrap, proof=proof)
