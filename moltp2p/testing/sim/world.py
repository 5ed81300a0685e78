"""A scenario brought to life: nodes made, and everything planned that will happen."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from moltp2p.core.topics import NetworkParams, all_topics
from moltp2p.testing.sim.churn import plan_churn
from moltp2p.testing.sim.honest import HonestNode
from moltp2p.testing.sim.meter import Meter, Traffic
from moltp2p.testing.sim.party import Party
from moltp2p.testing.sim.population import Population
from moltp2p.testing.sim.samples import Sample, take_sample
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sim.sybil import Sybil
from moltp2p.testing.sim.timeline import Timeline
from moltp2p.testing.sim.wire import Wire

_HONEST_IP: Final = IPv4Address("10.0.0.0")
_SYBIL_IP: Final = IPv4Address("172.16.0.0")
"""The first of each sort; one for each node, unless Sybils share them."""


class World:
    """One run of a scenario.

    Args:
        scenario: what is to happen.
        seed: of all chance.

    Attributes:
        honest: the honest nodes.
        sybils: the others.
        samples: the meshes over time.
        marks: what was counted when each phase began.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.timeline = Timeline()
        self.meter = Meter()
        self.traffic = self.meter.traffic
        self.topics = all_topics(NetworkParams("sim"))[1 : scenario.load.topics + 1]
        self.samples: list[Sample] = []
        self.marks: list[Traffic] = []
        self._seed = seed
        self.wire = Wire(
            self.timeline, scenario.network, self.rng("wire"), self.traffic
        )
        self.honest = self._make_honest()
        self.sybils = self._make_sybils()
        self.population = Population(
            scenario, self.timeline, self.rng("dials"), self.honest, self.sybils
        )
        self._load_rng = self.rng("load")
        self._plan()

    def rng(self, purpose: str) -> random.Random:
        """Return dice of their own for a purpose, so that one draw shifts no other."""
        return random.Random(f"{self._seed}/{purpose}")  # noqa: S311 - seeded dice

    def look_for_peers(self, party: Party) -> None:
        """Let a node dial those that it misses."""
        self.population.look_for_peers(party)

    def run(self, until_s: float) -> None:
        """Let time pass."""
        self.timeline.run(until_s)

    # Who there is.

    def _make_honest(self) -> list[HonestNode]:
        scenario, rng = self.scenario, self.rng("honest")
        settings, latency = scenario.nodes, scenario.network.latency
        hidden = round(settings.count * settings.nat_share)
        nodes = []
        for index in range(settings.count):
            region = latency.region(rng)
            ip = _HONEST_IP + index
            node = HonestNode(index, ip, region, self, scenario.judge, self.meter)
            node.dials = settings.dials
            node.max_inbound = settings.max_inbound
            # The first nodes are those that scenarios name, and these are reachable.
            node.is_reachable = index < settings.count - hidden
            if scenario.slow and index >= scenario.slow.first(settings.count):
                node.uplink_mbit = scenario.slow.uplink_mbit
            nodes.append(node)
        return nodes

    def _make_sybils(self) -> list[Sybil]:
        scenario, rng = self.scenario, self.rng("sybils")
        latency, sybils = scenario.network.latency, []
        per_address = scenario.sybils.per_address if scenario.sybils else 1
        for index in range(scenario.sybil_count):
            ip, region = _SYBIL_IP + index // per_address, latency.region(rng)
            sybils.append(Sybil(index, ip, region, self, scenario))
        return sybils

    # What will happen.

    def _plan(self) -> None:
        scenario, rng = self.scenario, self.rng("start")
        for node in self.honest:
            at_s = rng.uniform(0, scenario.nodes.start_within_s)
            self._at(at_s, node.start)
        if scenario.churn:
            plan_churn(
                scenario.churn,
                self.honest[scenario.publishers if scenario.load.publishers else 0 :],
                self.timeline,
                self.population,
                self.rng("churn"),
                scenario.load_until_s,
            )
        self._plan_attack()
        self._plan_partition()
        self._plan_message(scenario.load.from_s)
        for _, from_s, _ in scenario.phases():
            self._at(from_s, self._mark)
        self._at(0.0, self._sample)

    def _plan_attack(self) -> None:
        sybils, fault = self.scenario.sybils, self.scenario.fault
        if sybils is None or fault is None:
            return
        join_s = fault[0] if sybils.join_s is None else sybils.join_s
        rng, within_s = self.rng("join"), self.scenario.nodes.start_within_s
        self._at(join_s, self.population.list_sybils)
        for sybil in self.sybils:
            self._at(join_s + rng.uniform(0, within_s), sybil.start)
        self._at(fault[0], self._attack)
        self._at(fault[1], self._end_attack)

    def _plan_partition(self) -> None:
        partition = self.scenario.partition
        if partition is None:
            return
        sides = partition.sides(len(self.honest), self.rng("partition"))
        for node, side in zip(self.honest, sides, strict=True):
            node.side = side
        self._at(partition.at_s, self.population.cut)
        noticed_s = partition.at_s + partition.notice_s
        if noticed_s < partition.until_s:
            self._at(noticed_s, self.population.give_up)
        self._at(partition.until_s, self.population.heal)

    def _at(self, at_s: float, call: Callable[[], object]) -> None:
        self.timeline.at(at_s, lambda _: call(), None)

    def _attack(self) -> None:
        for sybil in self.sybils:
            sybil.is_attacking = True

    def _end_attack(self) -> None:
        self.population.unlist_sybils()
        for sybil in self.sybils:
            self.population.stop(sybil)

    def _plan_message(self, after_s: float) -> None:
        at_s = after_s + self._load_rng.expovariate(self.scenario.load.per_s)
        if at_s < self.scenario.load_until_s:
            self._at(at_s, self._publish)

    def _publish(self) -> None:
        rng, load = self._load_rng, self.scenario.load
        publisher = self.honest[rng.randrange(self.scenario.publishers)]
        topic = rng.choice(self.topics)
        if publisher.is_online:
            publisher.publish(topic, load.size_bytes)
        self._plan_message(self.timeline.now)

    def _mark(self) -> None:
        self.marks.append(replace(self.traffic))

    def _sample(self) -> None:
        now = self.timeline.now
        sample = take_sample(now, self.honest, self.topics, self.traffic)
        self.samples.append(sample)
        self._at(now + self.scenario.sample_s, self._sample)
