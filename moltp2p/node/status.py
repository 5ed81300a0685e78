"""What a node says of itself: plain data, for `status`, the API and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import trio

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.core.topics import NetworkParams
from moltp2p.core.verdict import Verdict
from moltp2p.net.base import LimitUse
from moltp2p.node.agents import OwnProof
from moltp2p.node.outage import Outage
from moltp2p.node.retention import RetentionStatus
from moltp2p.proto.admission.rules import Tally
from moltp2p.proto.gossip.standing import ScoreParts
from moltp2p.proto.peers.status import AddressStatus, FindingStatus
from moltp2p.proto.sync.reconcile import INFINITY_MS, SetSum
from moltp2p.store.base import Store


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The store, as the writer last saw it.

    Attributes:
        state: `ok`, or, while the node is read-only, the code of what keeps it from
            writing.
        records: how many are held.
        waiting: records held back until their author's rotation arrives.
        fingerprint: of the set of all records (spec 06), in hexadecimal: two nodes
            with the same one have the same; None while the store is damaged.
        read_only_s: for how long it has not been able to write; None when it can.
        hint: what to do about that; empty when there is nothing to do.
    """

    state: str
    records: int
    waiting: int
    fingerprint: str | None
    read_only_s: float | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One connected peer.

    Attributes:
        peer: who it is.
        address: the multiaddr at the other end.
        outbound: whether we dialled.
        connected_s: for how long.
        protocol: what it speaks of GossipSub; None while that is not settled.
        topics: how many topics it joined that we know.
        mesh: in how many topics it is in our mesh.
        queued_bytes: what waits to be sent to it.
        dropped: what could not be queued for it.
        faults: what it did wrong.
        behind_s: for how long it has not kept up with what is sent to it.
        score: what we think of it, and why; None while `protocol` is.
    """

    peer: PeerId
    address: str
    outbound: bool
    connected_s: float
    protocol: str | None
    topics: int
    mesh: int
    queued_bytes: int
    dropped: int
    faults: int
    behind_s: float
    score: ScoreParts | None


@dataclass(frozen=True, slots=True)
class GossipStatus:
    """The network side of a node.

    Attributes:
        peer: who this node is to its peers.
        addresses: where it listens, full multiaddrs to hand to others.
        peers: how many are connected.
        mesh: mesh peers by topic.
        unheard: own records that no peer has been there to hear.
        counters: messages received, duplicate, accepted, sent, …
        dropped: everything that was dropped, by cause.
        limits: each limit by its setting, and what of it is in use.
        rules: how many bans and allowances are in force.
        refused: connections that were refused or came to nothing, by code.
        dials: addresses it knows, bootstrap first, and what goes on with each.
        finding: how it finds peers.
    """

    peer: PeerId
    addresses: list[str]
    peers: int
    mesh: Mapping[str, int]
    unheard: int
    counters: Mapping[str, int]
    dropped: Mapping[str, int]
    limits: Mapping[str, LimitUse]
    rules: int
    refused: Mapping[str, int]
    dials: list[AddressStatus]
    finding: FindingStatus


@dataclass(frozen=True, slots=True)
class PeerSyncStatus:
    """How we stand with one connected peer.

    Attributes:
        peer: who it is.
        running: whether we are comparing with it, or fetching from it, now.
        behind: records that it has and we lack, as far as we know; None before we
            compared.
        agreed_s: since when nothing differed, seconds; None if we never agreed.
        gained: records that it brought us this way.
        failure: the code with which the last attempt failed; None if it did not.
    """

    peer: PeerId
    running: bool
    behind: int | None
    agreed_s: float | None
    gained: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Keeping up with peers.

    Attributes:
        peers: those connected, oldest acquaintance first.
        counters: rounds, records gained, what was served, …
    """

    peers: list[PeerSyncStatus]
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProvingStatus:
    """A node's proof at a glance.

    Attributes:
        own: how its agent stands.
        solver: which solver answers for it.
        is_needed: whether the network admits by proof; on an open one all may speak.
        is_ready: whether somebody would answer a task now.
        phase: what the applicant does: idle, waiting, ticket or asking.
        tries: Argon2id spent on the ticket that is looked for.
        attestations: what the ticket in hand has brought.
        slots_left: attestations that it may still give in this epoch.
        sessions: how sessions here have ended, by code.
        asked: tasks that the solver was given.
        answered: tasks that it had an answer to.
        last_error: why the last one that failed did.
    """

    own: OwnProof
    solver: str
    is_needed: bool
    is_ready: bool
    phase: str
    tries: int
    attestations: int
    slots_left: int
    sessions: Mapping[str, int]
    asked: int
    answered: int
    last_error: str


@dataclass(frozen=True, slots=True)
class Status:
    """A node at a glance.

    Attributes:
        role: `agent`, `bootstrap` or `listener`.
        network: the id of the network it is on.
        agent: whose records it authors; None without an agent.
        uptime_s: seconds since it was opened.
        store: the store.
        retention: what is kept, and how much of it there is.
        rulings: how many records were ruled on, by code (`ok` when accepted).
        gossip: the network side; None when offline.
        sync: keeping up with peers; None when offline.
        proof: how its agent proves to be one; None when offline, or without an agent.
        census: who counts as an agent here; None on a network that is open.
    """

    role: str
    network: str
    agent: AgentId | None
    uptime_s: float
    store: StoreStatus
    retention: RetentionStatus
    rulings: Mapping[str, int]
    gossip: GossipStatus | None
    sync: SyncStatus | None = None
    proof: ProvingStatus | None = None
    census: Tally | None = None


def store_status(
    records: int, fingerprint: str | None, waiting: int, outage: Outage
) -> StoreStatus:
    """Return what there is to say of the store now."""
    if outage.error is None:
        return StoreStatus("ok", records, waiting, fingerprint)
    read_only_s = trio.current_time() - outage.since
    code, hint = outage.error.code, outage.error.hint
    return StoreStatus(code, records, waiting, fingerprint, read_only_s, hint)


def set_fingerprint(store: Store, network: NetworkParams) -> str | None:
    """Return the fingerprint of all that a store holds; None when it is damaged.

    Raises:
        LocalError: `store-failed`.
    """
    try:
        sums = store.sums(range(network.shards + 1), 0, INFINITY_MS)
    except LocalError as error:
        if error.code != "store-damaged":
            raise
        return None
    return sum(sums, SetSum()).fingerprint().hex()


def rulings_by_code(rulings: Mapping[tuple[Verdict, str], int]) -> dict[str, int]:
    """Return counts by code alone; a code belongs to one verdict (spec 09)."""
    return {code: count for (_, code), count in sorted(rulings.items(), key=str)}
