"""The network side of a node: peers found, records gossiped, and told again."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from moltp2p.core.ids import PeerId
from moltp2p.core.topics import agents_topic, all_topics, topic_of
from moltp2p.net.base import LimitUse, Network, NetworkStats
from moltp2p.net.finding.discovery import (
    Discovery,
    DiscoverySettings,
    Means,
    open_discovery,
)
from moltp2p.net.finding.neighbours import NeighbourSettings
from moltp2p.net.gossip.pubsub import PubSub, open_pubsub
from moltp2p.node.access import AccessDesk, AccessFile
from moltp2p.node.config import Config
from moltp2p.node.forwarding import GossipJudge, agent_rate
from moltp2p.node.home import Home
from moltp2p.node.journal import Journal
from moltp2p.node.limit_settings import LIMIT_SETTINGS
from moltp2p.node.peer_shelf import PeerShelf
from moltp2p.node.relay import Relay
from moltp2p.node.retention import Retention
from moltp2p.node.settings import Role
from moltp2p.node.status import GossipStatus, PeerStatus
from moltp2p.node.sync.rounds import Tools
from moltp2p.node.sync.syncing import Scope, Syncing, open_syncing
from moltp2p.node.world import World
from moltp2p.proto.address import parse_endpoint
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.settings import GossipSettings
from moltp2p.proto.peers.relay_desk import RelayLimits
from moltp2p.proto.sync.ledger import Ledger
from moltp2p.proto.sync.plan import SyncSettings
from moltp2p.store.base import Store

GOODBYE_S: Final = 2.0
"""How long the end of the block waits for own records to reach the queues to peers."""


@dataclass(frozen=True, slots=True)
class Online:
    """What of a node speaks with peers.

    Attributes:
        network: the peers.
        access: who may not connect.
        discovery: how they are found.
        pubsub: gossip with them.
        relay: own records on their way to gossip.
        judge: of what gossip brings.
        syncing: what gossip did not bring, on its way here and to others.
    """

    network: Network
    access: AccessDesk
    discovery: Discovery
    pubsub: PubSub
    relay: Relay
    judge: GossipJudge
    syncing: Syncing

    def peers(self) -> list[PeerStatus]:
        """Return the connected peers, oldest connection first."""
        gossiping = {each.gossip.peer: each for each in self.pubsub.stats().peers}
        now = trio.current_time()
        found = []
        for info in self.network.peers():
            known = gossiping.get(info.peer)
            gossip = None if known is None else known.gossip
            found.append(
                PeerStatus(
                    peer=info.peer,
                    address=info.address,
                    outbound=info.outbound,
                    connected_s=now - info.connected_at,
                    faults=info.faults,
                    protocol=gossip.protocol if gossip else None,
                    topics=len(gossip.topics) if gossip else 0,
                    mesh=gossip.meshes if gossip else 0,
                    queued_bytes=known.queued_bytes if known else 0,
                    dropped=sum(known.drops.values()) if known else 0,
                    behind_s=known.behind_s if known else 0.0,
                    score=gossip.score if gossip else None,
                )
            )
        return found

    def heard(self) -> set[PeerId]:
        """Return the peers that are in a topic of this network."""
        gossiping = (each.gossip for each in self.pubsub.stats().peers)
        return {each.peer for each in gossiping if each.topics}

    def status(self) -> GossipStatus:
        """Return what there is to say of the network side now."""
        stats, network = self.pubsub.stats(), self.network.stats()
        tally = stats.gossip.tally
        drops = Counter(stats.drops)
        if self.relay.dropped:
            drops["relay-full"] = self.relay.dropped
        if self.judge.passed_over:
            drops["read-only"] = self.judge.passed_over
        return GossipStatus(
            peer=self.network.peer_id,
            addresses=self.network.addresses(),
            peers=len(self.network.peers()),
            mesh={
                topic: len(self.pubsub.mesh(topic)) for topic in self.pubsub.topics()
            },
            unheard=self.relay.unheard,
            counters={
                "received": tally.received,
                "duplicates": tally.duplicates,
                "accepted": tally.accepted,
                "ignored": tally.ignored,
                "rejected": tally.rejected,
                "published": tally.published,
                "sent_messages": stats.sent_messages,
                "sent_bytes": stats.sent_bytes,
                "received_bytes": stats.received_bytes,
                "writes": stats.writes,
                "announced_only": tally.announced_only,
                "held_back": tally.held_back,
                "slow_peers": stats.slow_peers,
                "blamed_peers": stats.gossip.blamed,
            },
            dropped=dict(drops),
            limits=limits_used(network),
            rules=len(self.access.rules()),
            refused=dict(network.refused),
            dials=self.discovery.status(),
            finding=self.discovery.finding(),
        )


def finding_settings(config: Config, world: World) -> DiscoverySettings:
    """Return how to find peers; by itself a node looks for neighbours only at home."""
    looks = config.mdns != "off" and world.has_neighbours
    return DiscoverySettings(
        target_peers=config.target_peers,
        announce=tuple(parse_endpoint(each) for each in config.announce),
        neighbours=NeighbourSettings(config.network.id, config.mdns == "on")
        if looks
        else None,
        relay=relay_limits(config),
        punch=config.hole_punching == "on",
    )


def relay_limits(config: Config) -> RelayLimits | None:
    """Return how much to carry for peers that nobody can dial; None for nothing."""
    serves = config.role is Role.BOOTSTRAP if config.relay == "auto" else None
    if config.relay == "off" or serves is False:
        return None
    return RelayLimits(
        circuit_s=60.0 * config.relay_minutes,
        circuit_bytes=config.relay_mib * 2**20,
    )


@asynccontextmanager
async def open_online(
    config: Config,
    world: World,
    home: Home,
    store: Store,
    journal: Journal,
    relay: Relay,
) -> AsyncIterator[Online]:
    """Join the network for the length of the block.

    At its end, unless by an error, own records that wait are told for up to
    `GOODBYE_S`; what has no peer in its topic by then stays unheard.

    Raises:
        UsageError: `bad-address`.
        LocalError: `port-in-use`, `cannot-listen`, `bad-access-file`, or as
            `Home.peer_key`.
    """
    seed = (await trio.to_thread.run_sync(home.peer_key, world.draw)).seed
    file = AccessFile(config.home)
    rules = await trio.to_thread.run_sync(file.read)
    topics = all_topics(config.network)
    router = Gossip(GossipSettings(), world.dice, frozenset(topics).__contains__)
    judge = GossipJudge(journal, agent_rate(config.agent_rate), trio.current_time)
    async with (
        world.open_network(config, seed) as network,
        open_pubsub(network, router, judge, world.dice) as pubsub,
        open_syncing(
            Tools(network, store, journal, Ledger()),
            sync_scope(config, router, journal.retention),
            SyncSettings(float(config.sync_interval)),
            world.dice,
        ) as syncing,
        open_discovery(
            network,
            config.bootstrap,
            world.dice,
            Means(world.now_ms, PeerShelf(home.peers)),
            finding_settings(config, world),
        ) as discovery,
        trio.open_nursery() as nursery,
    ):
        access = AccessDesk(file, network, world.now_ms)
        await access.begin(rules)
        nursery.start_soon(access.expire)
        for topic in followed_topics(config):
            await pubsub.join(topic)
        nursery.start_soon(relay.run, pubsub.publish, lambda t: bool(pubsub.targets(t)))
        yield Online(network, access, discovery, pubsub, relay, judge, syncing)
        with trio.move_on_after(GOODBYE_S):
            await relay.finish()
        nursery.cancel_scope.cancel()


def limits_used(network: NetworkStats) -> dict[str, LimitUse]:
    """Return each limit by the name of its setting, in the setting's unit."""
    found = {}
    for each in LIMIT_SETTINGS:
        use = network.limits[each.field]
        used = None if use.used is None else use.used // each.unit
        found[each.name] = LimitUse(use.limit // each.unit, used, use.refused)
    return found


def sync_scope(config: Config, router: Gossip, retention: Retention) -> Scope:
    """Return what to reconcile: the topics that one follows, from the horizon on."""
    numbers = {topic: n for n, topic in enumerate(all_topics(config.network))}
    followed = followed_topics(config)

    def topics_of(peer: PeerId) -> frozenset[int]:
        return frozenset(numbers[topic] for topic in router.topics_of(peer))

    return Scope(
        topics=frozenset(numbers[topic] for topic in followed),
        since_ms=retention.horizon_ms,
        topics_of=topics_of,
        sees_gaps=len(followed) == len(numbers),
    )


def followed_topics(config: Config) -> list[str]:
    """Return the topics to join: all, or those of the communities one follows."""
    params = config.network
    if config.role is not Role.AGENT or not config.communities:
        return all_topics(params)
    shards = {topic_of(params, name): None for name in config.communities}
    return [agents_topic(params), *shards]
