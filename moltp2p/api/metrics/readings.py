"""The table of metrics: each family, and where its figures come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from moltp2p.api.metrics.families import Family, many, one
from moltp2p.net.base import NetworkStats
from moltp2p.node.readings import Readings
from moltp2p.node.status import GossipStatus, ProvingStatus, Status, SyncStatus
from moltp2p.proto.admission.rules import Tally
from moltp2p.proto.peers.reachability import Reach
from moltp2p.proto.peers.status import FindingStatus

if TYPE_CHECKING:  # libp2p takes a second, and an offline node goes without
    from moltp2p.net.gossip.pubsub_stats import PubSubStats

STATES = ("unverified", "verified", "challenger")


def families(readings: Readings) -> Iterator[Family]:
    """Yield every metric of a node; those of gossip and peers while it is online."""
    status = readings.status
    yield from _node(status)
    yield from _store(status)
    if readings.network is not None and status.gossip is not None:
        yield from _network(readings.network, status.gossip)
        yield from _nat(status.gossip.finding)
    if readings.pubsub is not None and status.gossip is not None:
        yield from _gossip(readings.pubsub, status.gossip)
    if status.sync is not None:
        yield from _sync(status.sync)
    if status.proof is not None:
        yield from _proof(status.proof)
    if status.census is not None:
        yield from _census(status.census)


def _node(status: Status) -> Iterator[Family]:
    yield many("role", "1 for what this node is for.", "role", {status.role: 1})
    yield one("uptime_seconds", "For how long it has run.", status.uptime_s)


def _store(status: Status) -> Iterator[Family]:
    store, retention = status.store, status.retention
    yield one("store_records", "Records held.", store.records)
    yield one("store_bytes", "What they take, indexes apart.", retention.used_bytes)
    yield one(
        "store_budget_bytes",
        "Above which the oldest posts go; absent without one.",
        retention.budget_bytes,
    )
    yield one(
        "store_horizon_timestamp_seconds",
        "Posts from before it are not kept; absent without one.",
        None if retention.horizon_ms is None else retention.horizon_ms / 1000,
    )
    yield one(
        "store_waiting_records", "Records that wait for their key.", store.waiting
    )
    yield one("store_writable", "1 while records can be written.", store.state == "ok")
    yield many("rulings_total", "Records ruled on, by code.", "code", status.rulings)


def _network(stats: NetworkStats, gossip: GossipStatus) -> Iterator[Family]:
    outbound = stats.connections - stats.inbound
    yield many(
        "connections",
        "Connected peers, by who dialled.",
        "direction",
        {"inbound": stats.inbound, "outbound": outbound},
    )
    yield many(
        "network_bytes_total",
        "Bytes over all connections.",
        "direction",
        {"up": stats.up_bytes, "down": stats.down_bytes},
    )
    yield many(
        "connections_refused_total",
        "Connections refused, or that came to nothing, by code.",
        "code",
        stats.refused,
    )
    yield many("peer_faults_total", "What peers did wrong.", "code", stats.faults)
    yield many(
        "bugs_total", "Exceptions of ours, by where.", "where", stats.handler_bugs
    )
    yield one("access_rules", "Bans and allowances in force.", gossip.rules)
    states = Counter(str(dial.state) for dial in gossip.dials)
    yield many("addresses", "Addresses known, by state.", "state", states)
    limits = gossip.limits
    yield many(
        "limit",
        "The most there may be; 0 for no limit.",
        "limit",
        {name: use.limit for name, use in limits.items()},
    )
    yield many(
        "limit_used",
        "What of a limit is in use.",
        "limit",
        {name: use.used for name, use in limits.items() if use.used is not None},
    )
    yield many(
        "limit_hits_total",
        "How often a limit turned somebody away, or made somebody wait.",
        "limit",
        {name: use.refused for name, use in limits.items()},
    )


def _nat(finding: FindingStatus) -> Iterator[Family]:
    yield many(
        "reach",
        "1 for whether others can dial this node.",
        "reach",
        {str(each): each is finding.reach for each in Reach},
    )
    if (relay := finding.relay) is not None:
        yield one("relay_reservations", "Peers reached through us.", relay.reservations)
        yield one("relay_circuits", "Connections carried for others.", relay.circuits)
        yield one(
            "relay_carried_bytes_total",
            "Bytes carried for others.",
            relay.carried_bytes,
        )
        yield one("relay_refused_total", "Requests to carry refused.", relay.refused)
    if (punched := finding.punched) is not None:
        yield many(
            "hole_punches_total",
            "Direct ways to relayed peers, by what became of them.",
            "event",
            {"tried": punched.tried, "opened": punched.opened},
        )


MESSAGES = (
    "received",
    "duplicates",
    "accepted",
    "ignored",
    "rejected",
    "published",
    "announced_only",
    "held_back",
)


def _gossip(stats: PubSubStats, gossip: GossipStatus) -> Iterator[Family]:
    counters = gossip.counters
    yield many(
        "gossip_messages_total",
        "Messages, by what became of them.",
        "event",
        {name: counters[name] for name in MESSAGES} | {"sent": stats.sent_messages},
    )
    yield many(
        "gossip_bytes_total",
        "Bytes of gossip's streams.",
        "direction",
        {"up": stats.sent_bytes, "down": stats.received_bytes},
    )
    yield one("gossip_writes_total", "Writes that took.", stats.writes)
    yield many("gossip_dropped_total", "Drops, by cause.", "cause", gossip.dropped)
    yield one("gossip_peers", "Peers that gossip with us.", len(stats.peers))
    standing = Counter(peer.score.means for peer in stats.gossip.peers)
    yield many(
        "gossip_peers_by_standing", "Peers, by what we let them.", "means", standing
    )
    sizes = list(gossip.mesh.values())
    yield one("gossip_topics", "Topics that were joined.", len(sizes))
    yield one(
        "gossip_mesh_peers_min", "Peers in the smallest mesh.", min(sizes, default=0)
    )
    yield one(
        "gossip_mesh_peers_max", "Peers in the largest mesh.", max(sizes, default=0)
    )
    queued = sum(peer.queued_bytes for peer in stats.peers)
    yield one("gossip_queued_bytes", "Bytes that wait to be sent.", queued)
    slow = sum(peer.is_slow for peer in stats.peers)
    yield one("gossip_peers_behind", "Peers that nobody waits for any more.", slow)
    yield one("gossip_slow_peers_total", "Peers hung up on for it.", stats.slow_peers)
    yield one("gossip_inbox_messages", "Messages that wait for the judge.", stats.inbox)
    yield one("gossip_seen_ids", "Message ids remembered.", stats.gossip.seen)
    yield one(
        "gossip_cached_bytes",
        "Messages kept to be asked for.",
        stats.gossip.cached_bytes,
    )
    yield one(
        "gossip_waited_seconds_total", "Time waited for slow peers.", stats.waited_s
    )
    yield one(
        "gossip_paused_seconds_total",
        "Time in which peers that say too much were not read.",
        stats.paused_s,
    )
    yield one("unheard_records", "Own records that nobody heard yet.", gossip.unheard)


def _sync(sync: SyncStatus) -> Iterator[Family]:
    counters = Counter(sync.counters)
    yield many(
        "sync_rounds_total",
        "Comparisons with peers, by how they ended.",
        "outcome",
        {
            "agreed": counters["rounds"] - counters["failed_rounds"],
            "failed": counters["failed_rounds"],
        },
    )
    yield many(
        "sync_gained_records_total",
        "Records that gossip had not brought, by what did.",
        "by",
        {
            "rounds": counters["gained"],
            "errands": counters["gained_by_errands"],
        },
    )
    served = {
        name.removeprefix("served_"): count
        for name, count in sync.counters.items()
        if name.startswith("served_") and not name.endswith("_bytes")
    }
    yield many("sync_served_total", "What peers were served.", "what", served)
    yield one("sync_served_bytes_total", "Bytes of it.", counters["served_sent_bytes"])
    behind = [peer.behind or 0 for peer in sync.peers]
    yield one("sync_peers", "Peers that are compared with.", len(sync.peers))
    yield one(
        "sync_peers_ahead", "Peers that have what we lack.", sum(map(bool, behind))
    )
    yield one(
        "sync_behind_records_max", "The most that one has.", max(behind, default=0)
    )
    agreed = [peer.agreed_s for peer in sync.peers if peer.agreed_s is not None]
    yield one(
        "sync_since_agreed_seconds",
        "Since we last agreed with somebody; absent before that.",
        min(agreed, default=None),
    )


def _proof(proof: ProvingStatus) -> Iterator[Family]:
    own = proof.own
    yield many(
        "proof_state",
        "1 for how the agent stands.",
        "state",
        {state: float(state == own.state.value) for state in STATES},
    )
    yield one(
        "proof_expires_timestamp_seconds",
        "When its proof ends; absent without one.",
        None if own.expires_ms is None else own.expires_ms / 1000,
    )
    yield one(
        "proof_attestations", "Attestations of the ticket in hand.", proof.attestations
    )
    yield one("proof_slots_left", "Attestations left to give.", proof.slots_left)
    yield many(
        "proof_sessions_total", "Sessions, by how they ended.", "code", proof.sessions
    )
    yield many(
        "proof_tasks_total",
        "Tasks for our solver, and those that it answered.",
        "event",
        {"asked": proof.asked, "answered": proof.answered},
    )


def _census(census: Tally) -> Iterator[Family]:
    yield many(
        "proof_agents",
        "Agents, by how they stand here; of the unverified, those with a proof.",
        "state",
        {
            "unverified": census.unverified,
            "verified": census.verified,
            "challenger": census.challengers,
        },
    )
    yield one(
        "proof_challengers", "Challengers of the last day that count.", census.known
    )
    yield one(
        "proof_attestations_held", "Attestations in all proofs.", census.attestations
    )
    yield one("proof_quorum", "Attestations that a new proof needs.", census.quorum)
