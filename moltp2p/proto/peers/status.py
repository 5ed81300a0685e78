"""What there is to say of how a node finds peers: plain data, for `status`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from moltp2p.proto.peers.punching import PunchStats
from moltp2p.proto.peers.reachability import Reach
from moltp2p.proto.peers.relay_desk import RelayStats


class Origin(enum.StrEnum):
    """Why a node knows an address."""

    BOOTSTRAP = "bootstrap"
    ANCHOR = "anchor"
    PEER = "peer"


class DialState(enum.StrEnum):
    """What goes on with an address."""

    CONNECTED = "connected"
    DIALLING = "dialling"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """One address, for `status`.

    Attributes:
        address: its text.
        bootstrap: whether it is from the configuration.
        origin: why it is known.
        tried: whether its peer was reached there.
        state: what goes on with it.
        failures: failed dials since the last lasting connection.
        next_attempt_s: seconds until it may be dialled again; 0 unless waiting.
        last_error: the code of the last failure, or "".
    """

    address: str
    bootstrap: bool
    origin: Origin
    tried: bool
    state: DialState
    failures: int
    next_attempt_s: float
    last_error: str


@dataclass(frozen=True, slots=True)
class BookStatus:
    """The book in figures.

    Attributes:
        told: addresses that peers told of, and that never worked yet.
        tried: addresses at which a peer was reached.
        groups: network groups of the tried ones.
        outbound: peers that we dialled, of those connected.
        slots: how many of those to look for.
        anchors: how many would be dialled first after a restart.
    """

    told: int
    tried: int
    groups: int
    outbound: int
    slots: int
    anchors: int


@dataclass(frozen=True, slots=True)
class NameStatus:
    """One first peer that is configured by name.

    Attributes:
        name: as it is configured.
        addresses: how many it led to when it was last looked up.
        last_error: the code of what went wrong the last time, or "".
        message: the same in words.
    """

    name: str
    addresses: int
    last_error: str
    message: str


@dataclass(frozen=True, slots=True)
class FindingStatus:
    """How a node finds peers.

    Attributes:
        book: the address book in figures.
        announced: where we tell others that we can be dialled.
        relayed: where relays take connections for us.
        seen: our IPs in the world, as several peers see them.
        clock_ahead_ms: by how much peers' clocks are ahead of ours; None before
            anybody said.
        relay: what this node carries for others as their relay; None if it is none.
        punched: what came of looking for direct ways to relayed peers; None when this
            node does not.
        names: first peers that are configured by name.
        reach: whether others can dial this node: `unknown`, `open` or `closed`.
        reached_at: where others reached it when they tried.
    """

    book: BookStatus
    announced: list[str]
    relayed: list[str]
    seen: list[str]
    clock_ahead_ms: int | None
    relay: RelayStats | None
    punched: PunchStats | None
    names: list[NameStatus]
    reach: Reach
    reached_at: list[str]
