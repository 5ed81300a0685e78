"""What held in a mesh that had faults to bear: counted from its nodes' stores.

A delivery of a phase is expected as in the simulator (spec/decisions/0013): of each
other node that was up without a break from `arrive_s` before the post until `stay_s`
after it, and on its author's side of a partition in that time. It is made whenever
the record comes into the store, by gossip or by reconciliation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from moltp2p.testing.audit import Audit
from moltp2p.testing.plan import Injected, Posted
from moltp2p.testing.sim.checks import Limits
from moltp2p.testing.sim.deliveries import Deliveries, quantile
from moltp2p.testing.sim.report import Finding
from moltp2p.testing.sim.scenario import Scenario

NEVER_S: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a run when it is over.

    Attributes:
        scenario: what was to happen.
        injected: what did.
        sides: the sides of its partition, by node; all the same without one.
        posted: what is durable, by id.
        arrivals: for each node, milliseconds after it was written that each post
            came, by id.
        audits: what is in each node's store.
        fingerprints: of the nodes' sets.
        healthy_after: heartbeats from the end of a partition or an attack until all
            meshes were whole; None when they never were, or there was neither.
    """

    scenario: Scenario
    injected: Sequence[Injected]
    sides: Sequence[int]
    posted: Mapping[str, Posted]
    arrivals: Sequence[Mapping[str, int]]
    audits: Sequence[Audit]
    fingerprints: Sequence[str]
    healthy_after: int | None = None

    @property
    def rejected(self) -> int:
        """Return how many messages the judges of all nodes rejected."""
        return sum(each.rejected for each in self.audits)

    def healed_s(self) -> float | None:
        """Return how long after the last fault's end what was older was everywhere.

        Seconds; None when something is missing for good.
        """
        end_s = max((each.done_s for each in self.injected), default=0.0)
        last_s = end_s
        for record, post in self.posted.items():
            for ages in self.arrivals if post.at_s < end_s else ():
                if record not in ages:
                    return None
                last_s = max(last_s, post.at_s + ages[record] / 1000)
        return last_s - end_s

    def phases(self) -> dict[str, Deliveries]:
        """Return what became of the posts, by the phase that they were made in."""
        return {
            name: self._deliveries(from_s, until_s)
            for name, from_s, until_s in self.scenario.phases()
        }

    def findings(self) -> tuple[Finding, ...]:
        """Return what had to hold, and whether it did."""
        kept = sum(
            record in self.arrivals[post.author] for record, post in self.posted.items()
        )
        nodes, posts = len(self.arrivals), len(self.posted)
        held = sum(len(self.posted.keys() & ages.keys()) for ages in self.arrivals)
        sets = len(set(self.fingerprints))
        invalid = sum(each.invalid for each in self.audits)
        repeated = sum(each.repeated for each in self.audits)
        return (
            Finding("delivered", posts * nodes, held, held == posts * nodes),
            Finding("distinct-sets", 1, sets, sets == 1),
            Finding("invalid-records", 0, invalid, invalid == 0),
            Finding("told-twice", 0, repeated, repeated == 0),
            Finding("acknowledged-kept", posts, kept, kept == posts),
            *self._checks(),
        )

    def _checks(self) -> Iterable[Finding]:
        for name, found in self.phases().items():
            limits: Limits = getattr(self.scenario.check, name)
            figures = {
                "delivered": found.share,
                "p50_s": found.p50_s,
                "p99_s": found.p99_s,
                "max_s": found.max_s,
            }
            for check, wanted in asdict(limits).items():
                if wanted is not None:
                    is_share = check == "delivered"
                    value = figures[check]
                    passed = value >= wanted if is_share else value <= wanted
                    yield Finding(f"{name}.{check}", wanted, value, passed)
        within, took = self.scenario.check.healthy_within, self.healthy_after
        if within is not None:
            passed = took is not None and took <= within
            yield Finding("healthy_within", within, took, passed)

    def _deliveries(self, from_s: float, until_s: float) -> Deliveries:
        published = expected = 0
        delays_s: list[float] = []
        for record, post in self.posted.items():
            if not from_s <= post.at_s < until_s:
                continue
            published += 1
            for node in self._receivers(post):
                expected += 1
                if (age_ms := self.arrivals[node].get(record)) is not None:
                    delays_s.append(age_ms / 1000)
        delays_s.sort()
        return Deliveries(
            published=published,
            expected=expected,
            delivered=len(delays_s),
            p50_s=quantile(delays_s, 0.5),
            p99_s=quantile(delays_s, 0.99),
            max_s=quantile(delays_s, 1.0),
        )

    def _receivers(self, post: Posted) -> Iterable[int]:
        from_s = post.at_s - self.scenario.arrive_s
        until_s = post.at_s + self.scenario.stay_s
        parted_s = self._between("partition", "heal")
        is_parted = any(_meet(span, (post.at_s, until_s)) for span in parted_s)
        for node in range(len(self.arrivals)):
            apart = is_parted and self.sides[node] != self.sides[post.author]
            if node == post.author or apart:
                continue
            away_s = self._between("kill", "restart", node)
            if not any(_meet(span, (from_s, until_s)) for span in away_s):
                yield node

    def _between(
        self, begin: str, end: str, node: int = 0
    ) -> list[tuple[float, float]]:
        """Return from when until when something held for a node."""
        spans: list[tuple[float, float]] = []
        for each in self.injected:
            if node not in each.nodes:
                continue
            if each.fault == begin:
                spans.append((each.done_s, NEVER_S))
            elif each.fault == end and spans:
                spans[-1] = (spans[-1][0], each.done_s)
        return spans


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] < one[1]
