"""Houses that challenge each other in memory, on two clocks that a test sets.

    async with open_houses("alice", "bob") as town:
        town.announce("bob")                 # bob says that he can be asked
        town["alice"].count("bob")           # alice has challenged him
        await town["alice"].applying._prove()

Each has the node's own drivers over a real stream of the in-memory network; machines
and Argon2 run at once, where a node would take a thread. Records reach everybody.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trio

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Availability, parse_attested
from moltp2p.core.challenge.work import epoch_of
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.net.base import Network
from moltp2p.net.memory import MemoryHub, open_memory_network
from moltp2p.node.agents import Agents
from moltp2p.node.proving.applying import Applying
from moltp2p.node.proving.challenge_means import Means
from moltp2p.node.proving.challenging import Challenging
from moltp2p.node.proving.solvers import Answering, Question
from moltp2p.proto.challenge.desk import Desk, DeskSettings, Seat
from moltp2p.proto.challenge.events import Party
from moltp2p.proto.challenge.messages import PROTOCOL
from moltp2p.store.memory import open_store
from moltp2p.testing.challenging import dice
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import known_agent
from moltp2p.testing.toy_tasks import ToyTasks, solve_toy, word_toy

NETWORK = NetworkParams("test-net", admission=True)
Result = TypeVar("Result")


class Clock:
    """The wall clock: trio's, and what a test has added."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return EPOCH_MS + round(trio.current_time() * 1_000) + self.ahead_ms


class Toy:
    """A solver of toy tasks, as quick as it is told.

    Attributes:
        think_s: for one task.
        asked: the texts that it was shown.
    """

    sessions = 2
    is_ready = True

    def __init__(self) -> None:
        self.think_s = 0.1
        self.asked: list[str] = []

    async def solve(self, question: Question) -> str:
        """Return the word that stands in the text."""
        self.asked.append(question.text)
        await trio.sleep(self.think_s)
        return solve_toy(question.text)


@dataclass
class House:
    """One node, as far as challenges go.

    Attributes:
        town: all others.
        agent: writes its records.
        network: its peers.
        agents: who counts.
        solver: answers its tasks.
        desk: its slots; another after a restart.
        in_compute: how deep a machine is at work now.
        told: what its drivers said was going on.
    """

    town: Town
    agent: TestAgent
    network: Network
    agents: Agents
    solver: Toy = field(default_factory=Toy)
    settings: DeskSettings = field(default_factory=DeskSettings)
    in_compute: int = 0
    told: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin as a node does that starts."""
        self.start()

    def start(self) -> None:
        """Begin anew, with what is on disk alone."""
        self.desk = Desk(self.settings)
        self.desk.restore(self._seats())
        self.means = Means(
            agent=self.agent.id,
            network_id=NETWORK.id,
            network=self.network,
            agents=self.agents,
            answering=Answering(self.solver),
            party=self._party,
            publish=self.publish,
            tell=self.told.append,
            now_ms=self.town.clock.now_ms,
            dice=random.Random(self.agent.name),
            compute=self._compute,
            hash=_at_once,
            seek=_at_once,
        )
        self.challenging = Challenging(self.means, self._word, self.desk)
        self.applying = Applying(self.means)
        self.network.handle(PROTOCOL, self._serve)

    async def publish(self, draft: Draft) -> Record:
        """Write a record, which reaches everybody."""
        await trio.lowlevel.checkpoint()
        self.agent.time_ms = max(self.agent.time_ms, self.town.clock.now_ms())
        record = self.agent.write(draft)
        self.town.spread(record)
        return record

    def count(self, *names: str) -> None:
        """Count somebody as challenged by this house."""
        now_ms = self.town.clock.now_ms()
        for name in names:
            self.agents.believe(self.town[name].agent.id, now_ms)

    def _word(self, world: str) -> str:
        # Off the loop, where a node takes a thread: no session holds up another.
        assert self.in_compute
        return word_toy(world)

    async def _serve(self, stream: Any) -> None:
        await self.challenging.serve(stream)

    async def _compute(self, work: Callable[..., Result], *args: Any) -> Result:
        await trio.lowlevel.checkpoint()
        self.in_compute += 1
        try:
            return work(*args)
        finally:
            self.in_compute -= 1

    def _party(self) -> Party:
        agent = self.agent
        chance = dice(f"{agent.name} {self.town.chance.random()}")
        peer = self.network.peer_id
        return Party(
            agent.id, agent.author.signer, peer, NETWORK.id, ToyTasks(), chance
        )

    def _seats(self) -> list[Seat]:
        return [
            Seat(says.epoch, says.slot, says.ticket)
            for says in self.town.attested(self.agent.id)
            if says.epoch is not None
            and says.slot is not None
            and says.ticket is not None
        ]


async def _at_once(work: Callable[..., Result], *args: Any) -> Result:
    await trio.lowlevel.checkpoint()
    return work(*args)


class Town:
    """All houses, and what was said."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = MemoryHub()
        self.chance = random.Random(1)
        self.houses: dict[str, House] = {}
        self.records: list[Record] = []

    def __getitem__(self, name: str) -> House:
        """Return a house."""
        return self.houses[name]

    def spread(self, record: Record) -> None:
        """Have everybody note a record."""
        self.records.append(record)
        for house in self.houses.values():
            house.agents.advance(self.clock.now_ms())
            house.agents.note(record)

    def announce(self, *names: str) -> None:
        """Have somebody say that it can be asked."""
        for name in names:
            house = self[name]
            now_ms = self.clock.now_ms()
            addresses = tuple(house.network.addresses())
            said = Availability(
                epoch_of(now_ms), 4, house.network.peer_id, ("test/1",), addresses
            )
            house.agent.time_ms = max(house.agent.time_ms, now_ms)
            self.spread(house.agent.write(Draft(Kind.AVAILABILITY, said)))

    def advance(self, days: float) -> None:
        """Set the wall clock ahead."""
        self.clock.ahead_ms += round(days * 86_400_000)
        for house in self.houses.values():
            house.agents.advance(self.clock.now_ms())

    def of_kind(self, kind: Kind) -> list[Record]:
        """Return the records of a kind, in order."""
        return [each for each in self.records if each.header.kind == kind]

    def attested(self, issuer: AgentId) -> Sequence[Any]:
        """Return what somebody has attested."""
        return [
            parse_attested(each.body).says
            for each in self.of_kind(Kind.ATTESTATION)
            if each.header.agent == issuer and each.body is not None
        ]


@asynccontextmanager
async def open_houses(*names: str) -> AsyncIterator[Town]:
    """Let some houses stand for the length of the block; all can dial all."""
    town = Town()
    async with contextlib.AsyncExitStack() as stack:
        for name in names:
            network = await stack.enter_async_context(
                open_memory_network(town.hub, name.encode())
            )
            agent = known_agent(name)
            agents = Agents(agent.id, open_store(NETWORK), town.clock.now_ms)
            town.houses[name] = House(town, agent, network, agents)
        yield town
