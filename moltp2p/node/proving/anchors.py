"""Whom a node without an agent goes by: it has nobody to challenge for (spec 07).

An agent makes up its own mind. A listener or a bootstrap peer cannot: it counts the
agents of the first peers that it meets and that have a proof, as if it had challenged
them, and by these whoever they attest. Whoever dials us may be anybody, so those that
we dialled come first, and then those of other groups of addresses.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import trio

from moltp2p.core.errors import MoltError, UsageError
from moltp2p.core.ids import AgentId, agent_text
from moltp2p.net.base import Network, PeerInfo
from moltp2p.net.log import get_logger
from moltp2p.node.journal import Journal
from moltp2p.node.proving.challenging import FIRST_PEERS, TICK_S
from moltp2p.proto.address import parse_address, site_of

DIAL_S: Final = 10.0
"""So long it waits for one that it dialled before it goes by whoever is there."""

log = get_logger(__name__)


class Anchoring:
    """Chooses, and chooses again once what was chosen is 14 days old.

    Args:
        journal: tells who can be asked, and is told who counts.
        network: the peers.
    """

    def __init__(self, journal: Journal, network: Network) -> None:
        self._journal = journal
        self._network = network
        self._chosen: set[AgentId] = set()
        self._groups: Counter[str] = Counter()
        self._begun_at = trio.current_time()

    async def run(self) -> None:
        """Choose, for ever."""
        while True:
            if self._held() < FIRST_PEERS and (agent := self._next()) is not None:
                await self._choose(agent)
            else:
                await trio.sleep(TICK_S)

    def _held(self) -> int:
        agents = self._journal.agents
        return sum(agents.is_believed(agent) for agent in self._chosen)

    def _next(self) -> AgentId | None:
        """Return whom to go by next, of those who say that they can be asked."""
        agents, now_ms = self._journal.agents, self._journal.clock_ms()
        peers = {each.peer: each for each in self._network.peers()}
        able = [
            (peers[live.says.peer], live.agent)
            for live in agents.challengers(now_ms)
            if live.says.peer in peers
            and agents.has_proof(live.agent)
            and not agents.is_believed(live.agent)
        ]
        if trio.current_time() < self._begun_at + DIAL_S:
            able = [each for each in able if each[0].outbound]
        if not able:
            return None
        peer, agent = min(able, key=lambda each: self._rank(each[0]))
        self._groups[_group(peer)] += 1
        return agent

    def _rank(self, peer: PeerInfo) -> tuple[bool, int]:
        return not peer.outbound, self._groups[_group(peer)]

    async def _choose(self, agent: AgentId) -> None:
        self._chosen.add(agent)
        try:
            await self._journal.submit(lambda desk: desk.believe(agent))
        except MoltError as error:
            log.info("not believed", code=error.code)
            await trio.sleep(TICK_S)
            return
        log.info("goes by", agent=agent_text(agent))


def _group(peer: PeerInfo) -> str:
    """Return the group of addresses that a peer is reached at."""
    try:
        return str(site_of(parse_address(peer.address).endpoint.ip))
    except UsageError:
        return peer.peer
