"""Nodes that come and go."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import assert_never

from moltp2p.testing.sim.honest import HonestNode
from moltp2p.testing.sim.population import Population
from moltp2p.testing.sim.timeline import Timeline
from moltp2p.testing.sim.trouble import (
    Churn,
    Diurnal,
    Kill,
    Kills,
    Sessions,
    plan_kills,
)


def plan_churn(
    churn: Churn,
    nodes: Sequence[HonestNode],
    timeline: Timeline,
    population: Population,
    rng: random.Random,
    until_s: float,
) -> None:
    """Plan the comings and goings of nodes; kills end at `until_s` if not before."""
    if isinstance(churn, Kills):
        _Killer(churn, nodes, timeline, population, rng).plan(until_s)
        return
    for node in rng.sample(list(nodes), round(len(nodes) * churn.share)):
        match churn:
            case Sessions():
                _Restless(node, churn, timeline, population, rng)
            case Diurnal():
                _Sleeper(node, churn, timeline, population, rng)
            case _:
                assert_never(churn)


class _Killer:
    """Ends one node after the other, whoever the dice name."""

    def __init__(
        self,
        churn: Kills,
        nodes: Sequence[HonestNode],
        timeline: Timeline,
        population: Population,
        rng: random.Random,
    ) -> None:
        self._churn = churn
        self._nodes = nodes
        self._timeline = timeline
        self._population = population
        self._rng = rng

    def plan(self, until_s: float) -> None:
        """Plan every kill, and every return."""
        for kill in plan_kills(self._churn, len(self._nodes), until_s, self._rng):
            self._timeline.at(kill.at_s, self._kill, kill)

    def _kill(self, kill: Kill) -> None:
        node = self._nodes[kill.node]
        if node.is_online:
            self._population.stop(node)
            self._timeline.at(kill.back_s, lambda _: node.start(), None)


class _Restless:
    """A node with sessions of random length."""

    def __init__(
        self,
        node: HonestNode,
        churn: Sessions,
        timeline: Timeline,
        population: Population,
        rng: random.Random,
    ) -> None:
        self._node = node
        self._churn = churn
        self._timeline = timeline
        self._population = population
        self._rng = rng
        leave_s = churn.from_s + rng.expovariate(1 / churn.online_s)
        timeline.at(leave_s, self._leave, None)

    def _leave(self, _: None) -> None:
        churn, now = self._churn, self._timeline.now
        if churn.until_s is not None and now >= churn.until_s:
            return
        self._population.stop(self._node)
        back_s = now + self._rng.expovariate(1 / churn.away_s)
        if churn.until_s is not None:
            back_s = min(back_s, max(now, churn.until_s))
        self._timeline.at(back_s, self._return, None)

    def _return(self, _: None) -> None:
        self._node.start()
        leave_s = self._timeline.now + self._rng.expovariate(1 / self._churn.online_s)
        self._timeline.at(leave_s, self._leave, None)


class _Sleeper:
    """A node that is online at the same hours of every day."""

    def __init__(
        self,
        node: HonestNode,
        churn: Diurnal,
        timeline: Timeline,
        population: Population,
        rng: random.Random,
    ) -> None:
        self._node = node
        self._timeline = timeline
        self._population = population
        self._awake_s = churn.day_s * churn.awake_share
        self._asleep_s = churn.day_s - self._awake_s
        # It may be in the middle of the night for this one when the first day begins.
        hour_s = rng.uniform(0, churn.day_s)
        if hour_s < self._asleep_s:
            timeline.at(churn.from_s, self._fall_asleep_for, self._asleep_s - hour_s)
        else:
            timeline.at(
                churn.from_s + churn.day_s - hour_s,
                self._fall_asleep_for,
                self._asleep_s,
            )

    def _fall_asleep_for(self, sleep_s: float) -> None:
        self._population.stop(self._node)
        self._timeline.at(self._timeline.now + sleep_s, self._wake, None)

    def _wake(self, _: None) -> None:
        self._node.start()
        bedtime_s = self._timeline.now + self._awake_s
        self._timeline.at(bedtime_s, self._fall_asleep_for, self._asleep_s)
