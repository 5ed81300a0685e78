"""What came of a simulation, for people, programs and plots."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise

from moltp2p.proto.gossip.settings import HEARTBEAT_S
from moltp2p.testing.sim.checks import Limits
from moltp2p.testing.sim.deliveries import Deliveries, Expectations, everyone
from moltp2p.testing.sim.messages import Published
from moltp2p.testing.sim.meter import Safety, Traffic
from moltp2p.testing.sim.samples import Sample
from moltp2p.testing.sim.world import World


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """One phase: what became of the messages published in it, and its traffic.

    Attributes:
        name: which phase.
        from_s: when it began.
        until_s: when it ended.
        deliveries: of the messages published in it, whenever they came.
        victim: the same, of those alone that the victim published or should get.
        traffic: what happened while it lasted.
    """

    name: str
    from_s: float
    until_s: float
    deliveries: Deliveries
    victim: Deliveries
    traffic: Traffic

    @property
    def duplicates(self) -> float:
        """Copies from honest nodes beside each delivery."""
        return self.traffic.duplicates / max(1, self.traffic.deliveries)

    @property
    def bytes_per_delivery(self) -> float:
        """What honest nodes sent, all of it, for each delivery."""
        return self.traffic.sent_bytes / max(1, self.traffic.deliveries)

    @property
    def control_share(self) -> float:
        """How much of that was control."""
        return self.traffic.control_bytes / max(1, self.traffic.sent_bytes)


@dataclass(frozen=True, slots=True)
class Moment:
    """One sample, and what was published and sent since the one before it."""

    sample: Sample
    deliveries: Deliveries
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, and how it came out. `wanted` is a bound, from the better side."""

    check: str
    wanted: float
    found: float | None
    passed: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known of a run; the same scenario and seed give the same report.

    Attributes:
        about: what the scenario shows.
        seed: of all chance.
        virtual_s: how long it lasted.
        honest: honest nodes.
        sybils: the others.
        events: what happened, counted.
        phases: in order.
        moments: the samples in order.
        safety: breaches.
        healthy_after: heartbeats from the fault's end until every mesh had D_lo
            honest peers; None when that never came, or nothing was wrong.
        findings: the checks.
    """

    about: str
    seed: int
    virtual_s: float
    honest: int
    sybils: int
    events: int
    phases: tuple[PhaseReport, ...]
    moments: tuple[Moment, ...]
    safety: Safety
    healthy_after: int | None
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(finding.passed for finding in self.findings)

    def phase(self, name: str) -> PhaseReport:
        """Return a phase by its name."""
        return next(phase for phase in self.phases if phase.name == name)


def make_report(world: World, seed: int) -> Report:
    """Return what came of a run."""
    phases = tuple(_phases(world))
    healthy_after = _healthy_after(world)
    return Report(
        about=world.scenario.about,
        seed=seed,
        virtual_s=world.scenario.virtual_s,
        honest=len(world.honest),
        sybils=len(world.sybils),
        events=world.timeline.event_count,
        phases=phases,
        moments=tuple(_moments(world)),
        safety=world.meter.safety,
        healthy_after=healthy_after,
        findings=tuple(_findings(world, phases, healthy_after)),
    )


def _phases(world: World) -> Iterable[PhaseReport]:
    expectations = Expectations(world.scenario, world.honest)
    victim = world.scenario.victim
    marks = [*world.marks, world.traffic]
    for (name, from_s, until_s), (before, after) in zip(
        world.scenario.phases(), pairwise(marks), strict=True
    ):
        messages = _between(world.meter.published, from_s, until_s)
        yield PhaseReport(
            name=name,
            from_s=from_s,
            until_s=until_s,
            deliveries=expectations.count(messages),
            victim=expectations.count(
                messages, lambda m, node: victim in {m.publisher, node}
            ),
            traffic=after.since(before),
        )


def _moments(world: World) -> Iterable[Moment]:
    expectations = Expectations(world.scenario, world.honest)
    for before, sample in pairwise(world.samples):
        messages = _between(world.meter.published, before.at_s, sample.at_s)
        yield Moment(
            sample=sample,
            deliveries=expectations.count(messages, everyone),
            traffic=sample.traffic.since(before.traffic),
        )


def _between(
    messages: Iterable[Published], from_s: float, until_s: float
) -> list[Published]:
    return [message for message in messages if from_s <= message.at_s < until_s]


def _healthy_after(world: World) -> int | None:
    """Return how many heartbeats it took until no mesh lacked honest peers."""
    if world.scenario.fault is None:
        return None
    end_s = world.scenario.fault[1]
    for sample in world.samples:
        if sample.at_s >= end_s and sample.healthy == 1:
            return math.ceil((sample.at_s - end_s) / HEARTBEAT_S)
    return None


def _findings(
    world: World, phases: Iterable[PhaseReport], healthy_after: int | None
) -> Iterable[Finding]:
    for field in fields(Safety):
        found = getattr(world.meter.safety, field.name)
        yield Finding(f"safety.{field.name}", 0, found, found == 0)
    for phase in phases:
        yield from _limit_findings(phase, getattr(world.scenario.check, phase.name))
    within = world.scenario.check.healthy_within
    if within is not None:
        passed = healthy_after is not None and healthy_after <= within
        yield Finding("healthy_within", within, healthy_after, passed)


def _limit_findings(phase: PhaseReport, limits: Limits) -> Iterable[Finding]:
    found_by_name = {
        "delivered": phase.deliveries.share,
        "p50_s": phase.deliveries.p50_s,
        "p99_s": phase.deliveries.p99_s,
        "max_s": phase.deliveries.max_s,
        "duplicates": phase.duplicates,
        "victim_delivered": phase.victim.share,
        "victim_p99_s": phase.victim.p99_s,
    }
    for name, wanted in asdict(limits).items():
        if wanted is None:
            continue
        found = found_by_name[name]
        at_least = name.endswith("delivered")
        passed = found >= wanted if at_least else found <= wanted
        yield Finding(f"{phase.name}.{name}", wanted, found, passed)
