"""The census's part of `proof`: what a change costs among 100,000 agents.

A made-up network of some age, in which everybody counts: a few whom the node has
challenged itself, and then layer by layer, each agent by four of the layers above and
by two tickets. What is added to it is what happens to a node all the time.
"""

from __future__ import annotations

import gc
import hashlib
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from moltp2p.core.challenge.attested import QUORUM
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.proto.admission.census import Census
from moltp2p.proto.admission.register import Register
from moltp2p.proto.admission.rules import Claim, Vouch
from moltp2p.proto.admission.view import OF_AGE_MS
from scripts.benches.outcome import Outcome

LAYERS: Final = (24, 480, 5_000, 30_000, 64_496)
"""How many stand at each depth, from 0: 100,000."""
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
LIFE_MS: Final = 14 * DAY_MS
NOW_MS: Final = 1_000 * DAY_MS
SIZE: Final = 1 << 17
ME: Final = AgentId(bytes(32))
ADDS: Final = 500
UNLOCKED: Final = 100
"""Agents that wait for somebody high up; who else attests for them is not known."""


def measure(outcome: Outcome, rounds: int) -> None:
    """Note what it takes to count 100,000 agents, and to add to them."""
    village = Village(random.Random(7))  # noqa: S311  # repeatable
    begun_s = time.thread_time()
    village.settle()
    outcome.add("census of 100,000 from nothing", time.thread_time() - begun_s, "s")
    count = len(village.register.now.agents())
    outcome.add("agents that count", count, "")
    sorts: dict[str, Callable[[int], Iterator[Callable[[], object]]]] = {
        "a new agent": village.newcomers,
        "a renewal": village.renewals,
        f"an attestation that lets {UNLOCKED} more in": village.keystones,
        "an expiry": village.expiries,
        "a fraud, of one that few built on": village.frauds_low,
        f"a fraud, on which {UNLOCKED} fall": village.frauds,
        "who may speak, asked": village.questions,
    }
    for name, sort in sorts.items():
        spent_ms = sorted(_spent_ms(act) for act in sort(ADDS * rounds // 2))
        outcome.add(f"{name}: median", statistics.median(spent_ms), "ms")
        outcome.add(f"{name}: p99", spent_ms[len(spent_ms) * 99 // 100], "ms")


class Village:
    """A network of agents that prove themselves, made up from a seed."""

    def __init__(self, rng: random.Random, layers: Sequence[int] = LAYERS) -> None:
        self.register = Register(ME, lambda who, key: PublicKey(who) == key, NOW_MS)
        self._rng = rng
        self._now_ms = NOW_MS
        self._layers: list[list[AgentId]] = []
        self._born = 0
        for size in layers:
            self._layers.append([self._agent() for _ in range(size)])

    def settle(self) -> None:
        """Tell the register of everybody at once, as a node does that starts."""
        for agent in self._layers[0]:
            self._challenge(agent)
        claims = [
            claim for depth in range(len(self._layers)) for claim in self._claims(depth)
        ]
        self._rng.shuffle(claims)
        self._prove(*claims)

    # -- what happens; each yields acts to be timed ------------------------------------

    def newcomers(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield proofs of agents that are new."""
        for _ in range(count):
            claim = self._claim(self._agent(), self._draw(3), 60_000)
            yield partial(self._prove, claim)

    def renewals(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield new proofs of agents that have counted for long."""
        for _ in range(count):
            depth = self._rng.randrange(1, len(self._layers))
            agent = self._rng.choice(self._layers[depth])
            claim = self._claim(agent, self._draw(depth - 1), 60_000)
            yield partial(self._prove, claim)

    def keystones(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield proofs of agents for which others wait."""
        for _ in range(max(count // 10, 10)):
            keystone = self._agent()
            for _ in range(UNLOCKED):
                issuers = [keystone, *self._strangers()]
                self._prove(self._claim(self._agent(), issuers, HOUR_MS))
            first = self._claim(keystone, self._draw(0), OF_AGE_MS + HOUR_MS)
            second = self._claim(keystone, self._draw(0), 2 * HOUR_MS)
            self._prove(first)
            yield partial(self._prove, second)

    def expiries(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield moments at which a proof ends, and with it its agent's standing."""
        for step in range(count):
            at_ms = NOW_MS + (step + 1) * 1_000
            claim = self._claim(self._agent(), self._draw(3), NOW_MS + LIFE_MS - at_ms)
            self._prove(claim)
        for step in range(count):
            at_ms = NOW_MS + (step + 1) * 1_000
            yield partial(self.register.advance, at_ms)

    def frauds_low(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield frauds of agents of the last layers."""
        return self._convicted(self._rng.sample(self._layers[3], count))

    def frauds(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield frauds of agents on which others stand."""
        cheats = []
        for _ in range(max(count // 10, 10)):
            cheat = self._agent()
            for age_ms in (OF_AGE_MS + HOUR_MS, 2 * HOUR_MS):
                self._prove(self._claim(cheat, self._draw(1), age_ms))
            for _ in range(UNLOCKED):
                issuers = [cheat, *self._strangers()]
                self._prove(self._claim(self._agent(), issuers, HOUR_MS))
            cheats.append(cheat)
        return self._convicted(cheats)

    def questions(self, count: int) -> Iterator[Callable[[], object]]:
        """Yield the question of whether somebody may speak, as each record asks it."""
        for _ in range(count):
            agent = self._rng.choice(self._layers[-1])
            yield partial(self.register.admitted_until_ms, agent)

    # -- how ---------------------------------------------------------------------------

    def _convicted(self, agents: Sequence[AgentId]) -> Iterator[Callable[[], object]]:
        for agent in agents:
            yield partial(self._tell, Census.convict, agent, 0)

    def _challenge(self, agent: AgentId) -> None:
        given_ms = self._now_ms - self._rng.randint(3 * DAY_MS, 9 * DAY_MS)
        self._tell(Census.challenge, agent, given_ms, given_ms + LIFE_MS)

    def _prove(self, *claims: Claim) -> None:
        self._tell(Census.prove, *claims)

    def _tell(self, what: Callable[..., object], *args: object) -> None:
        """Tell both censuses, as the register does."""
        what(self.register.now, *args)
        what(self.register.ever, *args)

    def _claims(self, depth: int) -> Iterator[Claim]:
        """Yield two proofs of each agent of a layer: of age by the next one."""
        ages = ((8 - depth, 9 - depth), (2, 3))
        for agent in self._layers[depth]:
            for oldest, newest in ages:
                age_ms = self._rng.randint(oldest * DAY_MS, newest * DAY_MS)
                yield self._claim(agent, self._draw(max(depth - 1, 0)), age_ms)

    def _draw(self, depth: int, count: int = QUORUM) -> list[AgentId]:
        return self._rng.sample(self._layers[depth], count)

    def _strangers(self) -> list[AgentId]:
        return [self._agent() for _ in range(QUORUM - 1)]

    def _agent(self) -> AgentId:
        self._born += 1
        return AgentId(hashlib.sha256(b"villager %d" % self._born).digest())

    def _claim(self, agent: AgentId, issuers: Sequence[AgentId], age_ms: int) -> Claim:
        name = self._rng.randbytes(32)
        time_ms = self._now_ms - age_ms
        vouches = tuple(
            Vouch(each, PublicKey(each), time_ms, time_ms + LIFE_MS) for each in issuers
        )
        return Claim(RecordId(name), agent, time_ms, name, SIZE, vouches)


def _spent_ms(act: Callable[[], object]) -> float:
    gc.disable()
    try:
        begun_s = time.thread_time()
        act()
        return (time.thread_time() - begun_s) * 1e3
    finally:
        gc.enable()
