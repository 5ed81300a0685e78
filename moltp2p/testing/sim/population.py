"""Who is there, who dials whom, and which connections there are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.testing.sim.dialling import DIAL_ROUND_TRIPS
from moltp2p.testing.sim.honest import HonestNode
from moltp2p.testing.sim.party import Party
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sim.sybil import Sybil
from moltp2p.testing.sim.timeline import Timeline
from moltp2p.testing.sim.wire import Link

_TRIES: Final = 4
"""Random choices for one dial; a later heartbeat goes on when all were bad."""


@dataclass(frozen=True, slots=True)
class _Dial:
    dialler: Party
    listener: Party
    latency_s: float
    session: int


class Population:
    """All nodes, and the connections between them.

    Args:
        scenario: who is wanted.
        timeline: where dials are planned.
        rng: draws whom to dial, and how far away it is.
        honest: the honest nodes.
        sybils: the others.
    """

    def __init__(
        self,
        scenario: Scenario,
        timeline: Timeline,
        rng: random.Random,
        honest: Sequence[HonestNode],
        sybils: Sequence[Sybil],
    ) -> None:
        self._latency = scenario.network.latency
        self._timeline = timeline
        self._rng = rng
        self._parties: dict[PeerId, Party] = {p.peer: p for p in (*honest, *sybils)}
        self._listed: list[Party] = [node for node in honest if node.is_reachable]
        self._bootstrap = honest[: scenario.nodes.bootstrap]
        self._targets: list[Party] = list(_targets(scenario, honest))
        self._sybils = list(sybils) if _are_listed(scenario) else []
        self.is_parted = False

    def list_sybils(self) -> None:
        """Let honest nodes find the Sybils from now on, as they find each other."""
        self._listed += self._sybils

    def unlist_sybils(self) -> None:
        """Let nobody find them any more."""
        self._listed = [party for party in self._listed if party.is_honest]

    def look_for_peers(self, party: Party) -> None:
        """Dial bootstrap peers that are missing, and others while there are too few."""
        for peer in self._bootstrap if party.is_honest else ():
            if peer is not party and party.may_dial(peer.peer):
                self._dial(party, peer)
        pool = self._listed if party.is_honest else self._targets
        for _ in range(party.dials - party.outbound - len(party.dialling)):
            listener = self._choose(party, pool)
            if listener is None:
                return
            self._dial(party, listener)

    def disconnect(self, here: Party, there: Party) -> None:
        """End a connection; both hear of it at once."""
        here.left(there.peer)
        there.left(here.peer)

    def stop(self, party: Party) -> None:
        """Let a node go offline, and its peers hear of it."""
        party.stop()
        for peer in list(party.links):
            self.disconnect(party, self._parties[peer])

    def cut(self) -> None:
        """Lose what is sent between the sides of a partition."""
        self.is_parted = True
        for link in self._crossing():
            link.is_cut = True

    def give_up(self) -> None:
        """End the connections that are cut."""
        for link in self._crossing():
            if link.is_cut and link.is_open:
                here, there = link.sender.peer, link.receiver.peer
                self.disconnect(self._parties[here], self._parties[there])

    def heal(self) -> None:
        """Let the sides reach each other again."""
        self.is_parted = False
        for link in self._crossing():
            link.is_cut = False

    def _crossing(self) -> list[Link]:
        return [
            link
            for party in self._parties.values()
            for link in party.links.values()
            if party.side != link.receiver.side
        ]

    def _choose(self, party: Party, pool: list[Party]) -> Party | None:
        for _ in range(min(_TRIES, len(pool))):
            listener = self._rng.choice(pool)
            if listener is not party and party.may_dial(listener.peer):
                return listener
        return None

    def _dial(self, here: Party, there: Party) -> None:
        latency_s = self._latency.between(here.region, there.region, self._rng)
        here.dialling.add(there.peer)
        done_at = self._timeline.now + 2 * DIAL_ROUND_TRIPS * latency_s
        dial = _Dial(here, there, latency_s, here.session)
        self._timeline.at(done_at, self._dialled, dial)

    def _dialled(self, dial: _Dial) -> None:
        here, there = dial.dialler, dial.listener
        if not here.is_online or here.session != dial.session:
            return
        here.dialling.discard(there.peer)
        if there.peer in here.links:
            return
        apart = self.is_parted and here.side != there.side
        if apart or not there.accepts_dial():
            here.dial_failed(there.peer, self._rng)
            return
        here.dial_failures.pop(there.peer, None)
        out = Link(here, there, dial.latency_s, outbound=True)
        back = Link(there, here, dial.latency_s, outbound=False)
        there.joined(back, here.peer, here.ip)
        here.joined(out, there.peer, there.ip)


def _are_listed(scenario: Scenario) -> bool:
    return scenario.sybils is not None and scenario.sybils.are_listed


def _targets(scenario: Scenario, honest: Sequence[HonestNode]) -> Sequence[HonestNode]:
    """Return whom Sybils dial."""
    aim = scenario.sybils.targets if scenario.sybils else "any"
    if aim == "victim":
        honest = honest[scenario.victim : scenario.victim + 1]
    elif aim == "publishers":
        honest = honest[: scenario.publishers]
    return [node for node in honest if node.is_reachable]
