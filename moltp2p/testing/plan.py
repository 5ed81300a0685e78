"""What a mesh is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moltp2p.testing.members import Text
from moltp2p.testing.sim.deliveries import Deliveries
from moltp2p.testing.sim.report import Finding
from moltp2p.testing.sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Plan:
    """What a mesh is to do.

    Attributes:
        nodes: how many.
        posts: how many posts in all.
        rate: posts a second over all agents; None posts as fast as it goes.
        duration_s: stop posting after so long; None posts all.
        texts: what is posted, over and over.
        seed: which agent posts what, and of the faults' schedule.
        processes: whether each node has a process of its own.
        proof: whether the agents prove to be agents before they post; in a mesh an
            oracle does that for them.
        scenario: what goes wrong meanwhile; None for nothing.
        hosts: whether each node has a network of its own.
    """

    nodes: int
    posts: int
    texts: Sequence[Text]
    rate: float | None = None
    duration_s: float | None = None
    seed: int = 0
    processes: bool = False
    proof: bool = False
    scenario: Scenario | None = None
    hosts: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """A post whose author was told that it is durable.

    Attributes:
        author: the node, by index.
        at_s: when, in seconds from the moment the mesh was connected.
    """

    author: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault of the schedule.

    Attributes:
        at_s: when it was to be, in seconds from the moment the mesh was connected.
        done_s: when it was.
        fault: what: `conditions`, `partition`, `heal`, `kill`, `restart`, `attack`,
            `leave`.
        nodes: whom it befell.
        detail: more of it, in words.
    """

    at_s: float
    done_s: float
    fault: str
    nodes: tuple[int, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Faced:
    """What a mesh had to bear, and what held.

    Attributes:
        seed: of the schedule.
        injected: the schedule as it came to pass.
        counts: how often faults struck, by what they did.
        skipped: posts that fell due while their author was down.
        phases: what became of the posts, by when they were made.
        healed_s: from the last fault's end until all stores were the same, seconds;
            None when they never were.
        findings: what had to hold, and whether it did.
        healthy_after: heartbeats from the end of a partition or an attack until
            every node gossiped with as many others as it should; None when that
            never came, or there was neither.
    """

    seed: int
    injected: tuple[Injected, ...]
    counts: Mapping[str, int]
    skipped: int
    phases: Mapping[str, Deliveries]
    healed_s: float | None
    findings: tuple[Finding, ...]
    healthy_after: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Attributes:
        nodes: how many.
        posts: how many posts were made.
        expected: posts times nodes.
        delivered: posts found in the nodes' stores, over all nodes.
        latency_ms: from the author's clock to each other node's store.
        connect_s: from the start of the first node until all had found peers.
        wall_s: from the first post until the last was stored.
        cpu_s: processor time of all nodes in that time; of those killed, what came
            after their last start.
        rss_mb: memory of all nodes at the end, 10^6 bytes.
        dropped: records that gossip dropped, over all nodes.
        prove_s: from `connect_s` until every agent had proved to be one, to every
            node; None when none had to.
        verified: agents that had, in the end.
        faced: what went wrong on purpose; None when nothing was to.
        hosts: how many network namespaces the nodes were in; 0 for none.
    """

    nodes: int
    posts: int
    expected: int
    delivered: int
    latency_ms: Mapping[str, float]
    connect_s: float
    wall_s: float
    cpu_s: float
    rss_mb: float
    dropped: int
    prove_s: float | None = None
    verified: int = 0
    faced: Faced | None = None
    hosts: int = 0

    @property
    def delivery_ratio(self) -> float:
        """Return delivered over expected; 1 when nothing was expected."""
        return self.delivered / self.expected if self.expected else 1.0

    @property
    def passed(self) -> bool:
        """Whether every post reached every store, and all else held."""
        held = self.faced is None or all(each.passed for each in self.faced.findings)
        return self.delivered == self.expected and held
