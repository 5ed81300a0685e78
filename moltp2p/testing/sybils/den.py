"""All Sybils of a mesh, in a process of their own: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import trio
from pydantic import TypeAdapter

from moltp2p.core.errors import MoltError, UsageError
from moltp2p.core.ids import AgentId, PeerId, parse_agent
from moltp2p.core.topics import NetworkParams, all_topics
from moltp2p.core.verdict import Verdict
from moltp2p.net.base import Network
from moltp2p.net.finding.discovery import DiscoverySettings, Means, open_discovery
from moltp2p.net.gossip.inbox import Incoming
from moltp2p.net.gossip.pubsub import open_pubsub
from moltp2p.net.host import open_host
from moltp2p.node.world import real_world
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.settings import GossipSettings
from moltp2p.testing.sim.behaviours import Behaviour
from moltp2p.testing.sim.sybil import GREEDY
from moltp2p.testing.sybils.liar import LyingRouter
from moltp2p.testing.worker import answer_lines, run_worker

AGAIN_S: Final = 1.0
"""How often a Sybil that nobody shall find dials those that it lost."""

_BEHAVIOURS: Final = TypeAdapter(tuple[Behaviour, ...])


@dataclass(frozen=True, slots=True)
class DenSettings:
    """What all Sybils of a mesh are to be; plain, to be told to a process.

    Attributes:
        count: how many.
        network: the network's name.
        behaviours: what they do while they attack, as in a scenario.
        seed: of all their chance, keys included.
        targets: addresses of the nodes that they may dial.
        dials: how many of these each is connected to.
        are_listed: whether honest nodes find them as they find each other.
        are_greedy: whether they graft themselves into every mesh that lets them.
        victim: the agent whose records `censor` keeps back, as `did:key`; or empty.
        listen: where each listens.
    """

    count: int
    network: str
    behaviours: Sequence[Mapping[str, object]]
    seed: str
    targets: Sequence[str]
    dials: int = 20
    are_listed: bool = True
    are_greedy: bool = True
    victim: str = ""
    listen: str = "/ip4/127.0.0.1/tcp/0"


class Den:
    """Sybils that listen, and at a word join, attack and leave.

    Args:
        settings: what they are to be.
        stack: ends them.
    """

    def __init__(self, settings: DenSettings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._networks: list[Network] = []
        self._liars: list[LyingRouter] = []
        self._is_attacking = False

    async def open(self) -> None:
        """Let all of them listen; nobody hears of them yet."""
        for index in range(self._settings.count):
            dice = self._dice(f"key/{index}")
            opening = open_host(dice.randbytes(32), [self._settings.listen])
            self._networks.append(await self._stack.enter_async_context(opening))

    def peers(self) -> list[PeerId]:
        """Return who they are."""
        return [network.peer_id for network in self._networks]

    async def join(self) -> None:
        """Let them gossip, and dial."""
        settings = self._settings
        topics = all_topics(NetworkParams(settings.network))
        for index, network in enumerate(self._networks):
            rng = self._dice(f"sybil/{index}")
            greed = GREEDY if settings.are_greedy else GossipSettings()
            router = Gossip(greed, rng, frozenset(topics).__contains__)
            habits = _BEHAVIOURS.validate_python(list(settings.behaviours))
            victim = _agent(settings.victim)
            liar = LyingRouter(router, habits, topics, rng, victim)
            liar.friends = frozenset(self.peers())
            liar.is_attacking = self._is_attacking
            self._liars.append(liar)
            opening = _open_sybil(network, liar, settings, topics)
            await self._stack.enter_async_context(opening)

    def attack(self) -> None:
        """Let their habits show, and those of whoever joins later."""
        self._is_attacking = True
        for liar in self._liars:
            liar.is_attacking = True

    async def leave(self) -> dict[str, int]:
        """Let them go; return what they did."""
        await self._stack.aclose()
        return dict(sum((liar.counts for liar in self._liars), Counter()))

    async def answer(self, call: str, value: Any) -> object:  # noqa: ANN401 - JSON
        """Do what a mesh asks for.

        Raises:
            UsageError: `bad-call`.
        """
        del value
        await trio.lowlevel.checkpoint()
        match call:
            case "peers":
                return self.peers()
            case "join":
                await self.join()
                return None
            case "attack":
                self.attack()
                return None
            case "leave":
                return await self.leave()
            case _:
                raise UsageError("bad-call", f"Sybils have no call {call!r}")

    def _dice(self, purpose: str) -> random.Random:
        return random.Random(f"{self._settings.seed}/{purpose}")  # noqa: S311 - seeded


def _agent(text: str) -> AgentId | None:
    return parse_agent(text) if text else None


@asynccontextmanager
async def _open_sybil(
    network: Network, liar: LyingRouter, settings: DenSettings, topics: Sequence[str]
) -> AsyncIterator[None]:
    """Let one gossip and dial for the length of the block."""

    async def judge(batch: Sequence[Incoming]) -> Sequence[Verdict]:
        await trio.lowlevel.checkpoint()
        return [liar.judge(incoming) for incoming in batch]

    count = min(settings.dials, len(settings.targets))
    targets = liar.rng.sample(list(settings.targets), count)
    async with open_pubsub(network, cast("Gossip", liar), judge, liar.rng) as pubsub:
        for topic in topics:
            await pubsub.join(topic)
        async with trio.open_nursery() as nursery:
            if settings.are_listed:
                nursery.start_soon(_be_found, network, targets, liar.rng)
            else:
                nursery.start_soon(_stay_hidden, network, targets)
            yield
            nursery.cancel_scope.cancel()


async def _be_found(
    network: Network, targets: Sequence[str], rng: random.Random
) -> None:
    means, wanted = Means(real_world().now_ms), DiscoverySettings(len(targets))
    async with open_discovery(network, targets, rng, means, wanted):
        await trio.sleep_forever()


async def _stay_hidden(network: Network, targets: Sequence[str]) -> None:
    while True:
        for address in targets:
            try:
                await network.dial(address)
            except MoltError:
                continue  # it may be down, or full; it is tried again
        await trio.sleep(AGAIN_S)


async def serve(settings: DenSettings) -> None:
    """Run Sybils, and answer lines until there are no more."""
    async with AsyncExitStack() as stack:
        den = Den(settings, stack)
        await den.open()
        await answer_lines(den.answer)


if __name__ == "__main__":
    run_worker(partial(serve, DenSettings(**json.loads(sys.argv[1]))))
