"""A scenario: the nodes, what lies between them, what they say, and what goes wrong.

Written as TOML. Every field has a default, so that a scenario says only what is
special about it; a field that does not exist is refused. Times are virtual
seconds from the start.
"""

from __future__ import annotations

import random
from typing import Annotated, Final, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from moltp2p.core.errors import UsageError
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES
from moltp2p.testing.sim.behaviours import Behaviour
from moltp2p.testing.sim.checks import Check
from moltp2p.testing.sim.latency import STRICT, Latency, LogNormal, Milliseconds, Share
from moltp2p.testing.sim.messages import HEADER_BYTES
from moltp2p.testing.sim.trouble import Churn, Partition, Slow

PHASES: Final = ("steady", "before", "during", "settling", "after")
"""`steady` where nothing goes wrong; the others around what does."""

Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=STRICT)
class Nodes:
    """The honest nodes.

    Attributes:
        count: how many.
        nat_share: how many of them can be dialled by nobody.
        bootstrap: how many of them, the first ones, all others dial first, and
            again for ever when one is lost.
        dials: how many connections each opens, bootstrap peers included, and opens
            anew when one is lost; to whom besides these, chance decides.
        max_inbound: how many connections of others each accepts.
        start_within_s: when the last of them has started.
    """

    count: Annotated[int, Field(ge=2, le=100_000)] = 100
    nat_share: Share = 0
    bootstrap: Count = 3
    dials: Annotated[int, Field(ge=1)] = 12
    max_inbound: Count = 192
    start_within_s: Seconds = 5


@dataclass(frozen=True, config=STRICT)
class Network:
    """What lies between the nodes.

    Attributes:
        latency: one way, drawn once for each pair.
        jitter: how much of that comes on top at most, drawn for each RPC.
        uplink_mbit: what a node can send, all peers together; 0 is without limit.
        loss: how many RPCs vanish. Those with subscriptions, GRAFT or PRUNE do
            not: the driver ends a stream that has no room for these.
    """

    latency: Latency = Field(default_factory=LogNormal)
    jitter: Share = 0.1
    uplink_mbit: Annotated[float, Field(ge=0)] = 20
    loss: Share = 0


@dataclass(frozen=True, config=STRICT)
class Judge:
    """What stands for verification and the store.

    Attributes:
        delay_ms: from a message's turn to its verdict, as for a synced batch.
        cost_ms: after which it is the next one's turn.
    """

    delay_ms: Milliseconds = 5
    cost_ms: Milliseconds = 0.2


@dataclass(frozen=True, config=STRICT)
class Load:
    """What the nodes publish.

    Attributes:
        from_s: when they begin.
        until_s: when they end; by default 10 s before the scenario does.
        per_s: how many messages a second, over all nodes, at random times.
        size_bytes: how large each is.
        topics: how many topics there are; every node joins all.
        publishers: how many nodes publish, the first ones; by default all.
    """

    from_s: Seconds = 15
    until_s: Seconds | None = None
    per_s: Positive = 1
    size_bytes: Annotated[int, Field(ge=HEADER_BYTES + 8, le=MAX_MESSAGE_BYTES)] = 600
    topics: Annotated[int, Field(ge=1, le=64)] = 1
    publishers: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, config=STRICT)
class Sybils:
    """Nodes of an attacker.

    Before `attack_s` they behave as everybody does, and at `until_s` they leave.

    Attributes:
        per_honest: how many for each honest node.
        behaviours: what they do while they attack, one on top of the other.
        join_s: when they come; by default when the attack begins.
        attack_s: when the attack begins.
        until_s: when it ends; by default 30 s before the scenario does.
        dials: how many honest nodes each is connected to.
        per_address: how many share one IP address.
        targets: which ones: any, those who publish, or the victim.
        are_listed: whether honest nodes find them, and dial them, as any other.
        are_greedy: whether they graft themselves into every mesh that lets them.
    """

    per_honest: Annotated[float, Field(gt=0, le=100)]
    behaviours: tuple[Behaviour, ...]
    attack_s: Seconds
    join_s: Seconds | None = None
    until_s: Seconds | None = None
    dials: Annotated[int, Field(ge=1)] = 20
    per_address: Annotated[int, Field(ge=1)] = 1
    targets: Literal["any", "publishers", "victim"] = "any"
    are_listed: bool = True
    are_greedy: bool = True


@dataclass(frozen=True, config=STRICT)
class Scenario:
    """All that a simulation depends on, besides the program itself.

    Attributes:
        about: what it shows, in a sentence.
        virtual_s: how long it lasts.
        seed: of all chance.
        settle_s: after the attack or partition, the length of phase `settling`.
        stay_s: who leaves sooner after a message was published is not expected
            to get it.
        arrive_s: nor is who came later than this before.
        sample_s: how often meshes and scores are looked at.
        victim: which honest node `targets = "victim"` and `censor` mean.
    """

    about: str
    virtual_s: Positive = 60
    seed: int = 1
    settle_s: Seconds = 10
    stay_s: Seconds = 10
    arrive_s: Seconds = 5
    sample_s: Positive = 1
    victim: Count = 0
    nodes: Nodes = Field(default_factory=Nodes)
    network: Network = Field(default_factory=Network)
    judge: Judge = Field(default_factory=Judge)
    load: Load = Field(default_factory=Load)
    churn: Churn | None = None
    partition: Partition | None = None
    slow: Slow | None = None
    sybils: Sybils | None = None
    check: Check = Field(default_factory=Check)

    def __post_init__(self) -> None:
        """Refuse times and numbers that contradict each other.

        Raises:
            UsageError: `bad-scenario`.
        """
        for name, earlier, later in (
            ("load", self.load.from_s, self.load_until_s),
            ("fault", *(self.fault or (0.0, 0.0))),
            ("virtual_s", (self.fault or (0.0, 0.0))[1], self.virtual_s),
        ):
            if earlier > later:
                raise UsageError("bad-scenario", f"{name}: {earlier:g} > {later:g}")
        if self.victim >= self.nodes.count:
            raise UsageError("bad-scenario", f"victim: there is no node {self.victim}")
        if self.partition and self.sybils:
            raise UsageError("bad-scenario", "a partition or Sybils, but not both")
        if self.partition:
            self.partition.sides(self.nodes.count, random.Random(0))  # noqa: S311

    @property
    def load_until_s(self) -> float:
        """When nothing more is published."""
        until_s = self.load.until_s
        return max(0.0, self.virtual_s - 10) if until_s is None else until_s

    @property
    def fault(self) -> tuple[float, float] | None:
        """From when until when something is wrong, if anything."""
        if self.partition:
            return self.partition.at_s, self.partition.until_s
        if self.sybils:
            until_s = self.sybils.until_s
            end_s = max(0.0, self.virtual_s - 30) if until_s is None else until_s
            return self.sybils.attack_s, end_s
        return None

    @property
    def sybil_count(self) -> int:
        """How many Sybils there are."""
        return round(self.nodes.count * self.sybils.per_honest) if self.sybils else 0

    @property
    def publishers(self) -> int:
        """How many nodes publish."""
        return min(self.load.publishers or self.nodes.count, self.nodes.count)

    def phases(self) -> list[tuple[str, float, float]]:
        """Return the phases in order: name, and from when until when."""
        if self.fault is None:
            return [("steady", 0.0, self.virtual_s)]
        start_s, end_s = self.fault
        calm_s = min(end_s + self.settle_s, self.virtual_s)
        bounds = [0.0, start_s, end_s, calm_s, self.virtual_s]
        return [
            (name, first, last)
            for name, first, last in zip(PHASES[1:], bounds, bounds[1:], strict=False)
            if first < last
        ]
