"""What both sides of a challenge need of the node they run on."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import MoltError, PeerError, UsageError
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.net.base import Network, Stream
from moltp2p.net.log import get_logger
from moltp2p.node.agents import Agents
from moltp2p.node.proving.solvers import Answering
from moltp2p.node.proving.verify_stream import Compute, Ended, Hands
from moltp2p.proto.address import origin_of, parse_address, site_of
from moltp2p.proto.admission.register import Live
from moltp2p.proto.admission.rules import State
from moltp2p.proto.challenge.desk import Visitor
from moltp2p.proto.challenge.events import Failed, Party
from moltp2p.proto.challenge.machine import Moment
from moltp2p.proto.challenge.messages import PROTOCOL

MAX_DIALS: Final = 4
"""Addresses of a challenger that are tried."""

log = get_logger(__name__)

Publish: TypeAlias = Callable[[Draft], Awaitable[Record]]
Tell: TypeAlias = Callable[[dict[str, object]], None]


def in_thread() -> Compute:
    """Return what runs one piece of work after the other in a worker thread."""
    return partial(trio.to_thread.run_sync, limiter=trio.CapacityLimiter(1))


@dataclass(frozen=True, slots=True)
class Means:
    """The node, as far as a challenge goes.

    Attributes:
        agent: this node's.
        network_id: the network's name.
        network: the peers.
        agents: who counts.
        answering: the agent's solver.
        party: returns who we are, with the key now in force.
        publish: writes a record; it is on disk on return.
        tell: told of what goes on; never waits.
        now_ms: the wall clock.
        dice: chance that need not be secret.
        compute: runs machines; one at a time, for they share a desk.
        hash: runs Argon2id.
        seek: runs slices of the search for a ticket, half a second each.
    """

    agent: AgentId
    network_id: str
    network: Network
    agents: Agents
    answering: Answering
    party: Callable[[], Party]
    publish: Publish
    tell: Tell
    now_ms: Callable[[], int]
    dice: random.Random
    compute: Compute
    hash: Compute
    seek: Compute

    def counting(self) -> list[Live]:
        """Return those who can be asked, and whose attestations count here."""
        return [
            live
            for live in self.agents.challengers(self.now_ms())
            if live.agent != self.agent
            and self.agents.state(live.agent) is State.CHALLENGER
        ]

    def moment(self) -> Moment:
        """Return what time it is, on both clocks."""
        return Moment(trio.current_time(), self.now_ms())

    def hands(self) -> Hands:
        """Return what carries out what a machine decides."""
        return Hands(
            self.network_id,
            self.answering.answer,
            lambda attested: self.publish(Draft(Kind.ATTESTATION, attested)),
            self.compute,
            self.hash,
        )

    def is_connected(self, peer: PeerId) -> bool:
        """Tell whether a stream could be opened to a peer."""
        return self.network.info(peer) is not None

    def visitor(self, peer: PeerId) -> Visitor:
        """Return a peer as it stands at a door.

        Whoever has a /64 of IPv6 has one address. This machine's own processes
        share one, and are told apart.
        """
        info = self.network.info(peer)
        try:
            ip = parse_address("" if info is None else info.address).endpoint.ip
        except UsageError:
            return Visitor(peer, peer)
        return Visitor(peer, peer if ip.is_loopback else str(origin_of(ip)))

    def group(self, peer: PeerId) -> str:
        """Return the group of addresses that a peer is reached at."""
        info = self.network.info(peer)
        if info is None:
            return ""
        try:
            return str(site_of(parse_address(info.address).endpoint.ip))
        except UsageError:
            return peer

    async def open_stream(self, live: Live) -> Stream:
        """Open a stream to a challenger, dialling it if need be.

        Raises:
            PeerError: `not-connected`, or as `Network.open_stream`.
        """
        peer = live.says.peer
        for address in live.says.addresses[:MAX_DIALS]:
            if self.is_connected(peer):
                break
            await self._dial(address, peer)
        return await self.network.open_stream(peer, [PROTOCOL])

    async def _dial(self, address: str, peer: PeerId) -> None:
        try:
            if parse_address(address).peer == peer:
                await self.network.dial(address)
        except (PeerError, UsageError):
            return  # the next address may be better; that none was is told later

    async def settle(self, peer: PeerId, ended: Ended) -> None:
        """Do what is left to do when a session has ended: convict, and blame."""
        outcome = ended.outcome
        if isinstance(outcome, Failed) and outcome.fraud is not None:
            try:
                await self.publish(Draft(Kind.FRAUD, outcome.fraud))
            except MoltError as error:
                log.warning("a fraud is not told", code=error.code)
        if ended.is_fault:
            self.network.report(peer, ended.code)
