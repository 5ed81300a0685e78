"""Opens the parts of a node from the bottom up; a stack closes them again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from moltp2p.core.ids import AgentId
from moltp2p.net.background import open_background
from moltp2p.node.agents import Agents
from moltp2p.node.authorship import Authorship
from moltp2p.node.config import Config
from moltp2p.node.desk import Kept
from moltp2p.node.events import Arrival, Hub
from moltp2p.node.home import Home
from moltp2p.node.journal import Journal
from moltp2p.node.presence import Presence, open_presence
from moltp2p.node.proving.anchors import Anchoring
from moltp2p.node.proving.proving import Ground, Proving, open_proving
from moltp2p.node.relay import Relay
from moltp2p.node.retention import Retention
from moltp2p.node.settings import Role
from moltp2p.node.sync.catching_up import catch_up
from moltp2p.node.witness import Witness
from moltp2p.node.world import World
from moltp2p.store.base import Store, Stored

if TYPE_CHECKING:
    from moltp2p.node.online import Online


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is made of; None for what its role, or being offline, leaves out."""

    store: Store
    journal: Journal
    hub: Hub
    authorship: Authorship | None
    online: Online | None = None
    proving: Proving | None = None
    presence: Presence | None = None


async def assemble(
    stack: AsyncExitStack, config: Config, home: Home, world: World, *, offline: bool
) -> Parts:
    """Open the parts from the bottom up; the stack closes them from the top down."""
    store = await trio.to_thread.run_sync(
        world.open_store, home.records, config.network, config.policy
    )
    stack.callback(store.close)
    hub = Hub()
    relay = None if offline else Relay(config.network)
    retention = Retention(store, config.policy, world.now_ms)
    agents = await trio.to_thread.run_sync(_agents, config, home, store, world)
    journal = Journal(store, config.network, world.now_ms, retention, agents)
    nursery = await stack.enter_async_context(trio.open_nursery())
    stack.callback(nursery.cancel_scope.cancel)
    nursery.start_soon(journal.run, partial(_announce, hub, relay))
    nursery.start_soon(retention.run)
    nursery.start_soon(journal.keep_time)
    authorship, known = None, []
    if config.role is Role.AGENT:
        authorship = Authorship(config.network.id, home, store, journal, world.draw)
        known = await authorship.begin()
    write = None if authorship is None else authorship.write
    witness = Witness(store, config.network.id, world.dice, write)
    nursery.start_soon(witness.run, journal.suspicions)
    parts = Parts(store, journal, hub, authorship)
    if relay is not None:
        parts = await _joined(stack, config, world, parts, relay)
        for record in known:
            relay.tell(record)
        if authorship is not None and parts.online is not None:
            nursery.start_soon(catch_up, authorship, parts.online.syncing)
    stack.callback(hub.close)
    return parts


async def _joined(
    stack: AsyncExitStack, config: Config, world: World, parts: Parts, relay: Relay
) -> Parts:
    """Join the network, and with an agent begin to challenge and to prove."""
    # Importing libp2p takes a second: an offline node goes without.
    from moltp2p.node.online import open_online  # noqa: PLC0415

    store, journal = parts.store, parts.journal
    opening = open_online(config, world, Home(config.home), store, journal, relay)
    online = await stack.enter_async_context(opening)
    presence = proving = None
    if config.policy.arrivals:
        noting = open_presence(store, online.network, online.heard, world.now_ms)
        presence = await stack.enter_async_context(noting)
    if parts.authorship is None:
        background = await stack.enter_async_context(open_background())
        background.start_soon(Anchoring(journal, online.network).run)
    else:
        agents, authorship = journal.agents, parts.authorship
        ground = Ground(config, world, online.network, store, agents, authorship)
        proving = await stack.enter_async_context(open_proving(ground))
    return replace(parts, online=online, proving=proving, presence=presence)


def _agents(config: Config, home: Home, store: Store, world: World) -> Agents:
    """Return who counts, by all that is held."""
    me = AgentId(home.agent_key().owner) if config.role is Role.AGENT else None
    agents = Agents(me, store, world.now_ms)
    agents.load()
    return agents


def _announce(
    hub: Hub, relay: Relay | None, batch: Sequence[Kept], now_ms: int
) -> None:
    """Pass on what is new and on disk: to subscribers, and our own to peers."""
    for kept in batch:
        stored = Stored(kept.record, now_ms, deleted=False)
        hub.announce(
            Arrival(
                stored,
                kept.road,
                kept.peer,
                number=kept.number,
                came_ms=kept.came_ms,
            )
        )
        if kept.relay and relay is not None:
            relay.tell(kept.record)
