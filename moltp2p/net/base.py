"""What the upper layers see of a network: peers, streams, and the limits on both.

Two networks keep this contract and pass the same tests: `net/host.py` on real
sockets, `net/memory.py` inside one process. Nothing above `net/` knows which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from moltp2p.core.ids import PeerId
from moltp2p.core.keys import Signer
from moltp2p.proto.access import AccessRules
from moltp2p.proto.address import Endpoint

HANDSHAKE_BURST_S: Final = 8
"""How many seconds' worth of handshakes may come at once."""

WATCH_EVENTS: Final = 1024
"""Notices kept for one watcher; when full, its channel is closed (see `watch`)."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How much of this machine strangers may hold. Times are seconds.

    Attributes:
        total: connections at once, both directions.
        inbound: connections at once that others opened; leaves us room to dial.
        per_address: connections at once from one IP address.
        per_subnet: connections at once from one /24 (IPv4) or /64 (IPv6); a /48 has
            twice as many.
        handshakes: inbound connections at once that are not yet secured.
        handshakes_per_s: inbound connections a second from everybody together, in
            the long run; `HANDSHAKE_BURST_S` as many at once.
        address_per_s: inbound connections a second from one IPv4 address or /64;
            likewise.
        streams: streams at once that peers together may have opened with us.
        streams_per_peer: streams at once that one peer may have opened with us.
        up_bytes_s: bytes a second to all peers together; 0 for no limit.
        down_bytes_s: bytes a second from all peers together; 0 for no limit.
        faults_per_peer: faults on one connection, after which we hang up.
        exempt_loopback: whether limits for each address, and those on handshakes
            a second, leave this machine's own processes alone.
        dial_s: from the first packet of a dial to a secured connection.
        handshake_s: the same for a connection that somebody else opened.
        negotiate_s: agreeing on a stream's protocol.
        write_s: how long a write may wait for the peer to read.
        close_s: how long saying goodbye to one peer, or to all, may take.
    """

    total: int = 256
    inbound: int = 192
    per_address: int = 8
    per_subnet: int = 32
    handshakes: int = 32
    streams_per_peer: int = 64
    faults_per_peer: int = 16
    exempt_loopback: bool = True
    handshakes_per_s: int = 32
    address_per_s: int = 2
    streams: int = 2_048
    up_bytes_s: int = 0
    down_bytes_s: int = 0
    dial_s: float = 10.0  # SPEC 04: "to the end of the handshake | 10"
    handshake_s: float = 10.0  # SPEC 04: "an inbound handshake | 10"
    negotiate_s: float = 5.0  # SPEC 04: "agreeing on a stream's protocol | 5"
    write_s: float = 5.0  # SPEC 04: "that the peer does not read | 5"
    close_s: float = 3.0  # SPEC 04: "a goodbye, to one peer or to all | 3"


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connected peer.

    Attributes:
        peer: who it is, proven by the handshake.
        address: the multiaddr at the other end, with `/p2p/<peer id>`; of an
            inbound connection its port is not one that can be dialled, and of a
            punched one it is for us alone.
        outbound: whether we dialled; of a connection that took the place of a relayed
            one, whether we dialled that: who dials then has not chosen whom.
        connected_at: `trio.current_time()` of the moment it was secured.
        faults: what this peer did wrong on this connection, counted.
        punched: whether a direct connection took the place of a relayed one since the
            peer came; where that goes, nobody else may be let in.
    """

    peer: PeerId
    address: str
    outbound: bool
    connected_at: float
    faults: int = 0
    punched: bool = False


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A peer is connected: streams may be opened to it.

    Once more, without a `PeerDown`, when a direct connection takes the place of a
    relayed one.
    """

    info: PeerInfo

    @property
    def peer(self) -> PeerId:
        """Who it is."""
        return self.info.peer


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A peer's connection has ended; its streams are reset."""

    peer: PeerId


PeerEvent = PeerUp | PeerDown


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit, and how much of it is in use.

    Attributes:
        limit: the most there may be; 0 for no limit.
        used: what there is now; of a limit for each address, subnet or peer, the
            most that one has; of one a second, what the last second had; None where
            that is not counted.
        refused: how often it has turned somebody away, or made somebody wait.
    """

    limit: int
    used: int | None
    refused: int


@dataclass(frozen=True, slots=True)
class NetworkStats:
    """Counters since the network was opened, for `status` and metrics.

    Attributes:
        connections: connected peers now.
        inbound: how many of those others opened.
        limits: each limit of `ConnectionLimits` on what there may be, by its name.
        up_bytes: bytes sent over all connections, handshakes included.
        down_bytes: bytes received, likewise.
        refused: inbound connections turned away, by code.
        faults: what peers did wrong, by code.
        handler_bugs: exceptions of ours that ended a stream, by protocol.
    """

    connections: int
    inbound: int
    limits: Mapping[str, LimitUse] = field(default_factory=dict)
    up_bytes: int = 0
    down_bytes: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    handler_bugs: Mapping[str, int] = field(default_factory=dict)


class Stream(Protocol):
    """One ordered, two-way conversation with one peer, in one protocol.

    One task may send while another receives; two senders at once, or two
    receivers, are a bug and raise `trio.BusyResourceError`.
    """

    @property
    def peer(self) -> PeerId:
        """Who is at the other end."""

    @property
    def protocol(self) -> str:
        """What both agreed to speak."""

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has arrived, at least 1 and at most `max_bytes` bytes.

        `b""` is the end: the peer closed its side. Waits without a deadline;
        a caller that expects an answer sets its own.

        Raises:
            PeerError: `stream-reset` when the peer, or the connection, is gone.
        """

    async def send_all(self, data: bytes) -> None:
        """Send all of `data`, waiting at most `ConnectionLimits.write_s`.

        A write costs about 1 ms whatever it carries: send much at once.

        Raises:
            PeerError: `too-slow` when the peer does not read (the stream is
                then reset), `stream-reset` when it is gone.
        """

    async def close(self) -> None:
        """Say that we are done; what was sent still arrives. Never raises, never hangs.

        The stream is not to be used afterwards. Closing twice is harmless.
        """

    async def reset(self) -> None:
        """Drop the stream at once; the peer sees `stream-reset`. Never raises."""


StreamHandler = Callable[[Stream], Awaitable[None]]
"""Serves one inbound stream. On return the stream is closed; whatever it raises
ends only that stream: a `PeerError` is the peer's fault and counted against it,
anything else is our bug, logged and counted."""

FaultHandler = Callable[[PeerId, str], None]
"""Told of each fault of a peer, with its code; must not block or raise."""


class Network(Protocol):
    """This node's place among its peers."""

    @property
    def peer_id(self) -> PeerId:
        """Who we are to them."""

    @property
    def access(self) -> AccessRules:
        """Who may not connect, and who always may; asked at each connection.

        A rule that is made ends no connection by itself.
        """

    @property
    def signer(self) -> Signer:
        """Return what signs as this node: what we say of ourselves, and no more."""

    def addresses(self) -> list[str]:
        """Return where we listen: full multiaddrs with `/p2p/<peer id>`."""

    def handle(self, protocol: str, handler: StreamHandler) -> None:
        """Serve inbound streams of `protocol` with `handler` from now on."""

    async def dial(self, address: str) -> PeerId:
        """Connect to `address`, a multiaddr with `/p2p/<peer id>`.

        A peer that is connected already is not dialled again.

        Raises:
            UsageError: `bad-address`, or `self-dial`.
            PeerError: `dial-failed`, or `wrong-peer` when somebody else answers.
            LocalError: `too-many-connections` when our own limit is reached,
                `banned` when our own rules say so.
        """

    async def try_out(self, address: str) -> None:
        """See whether a peer can be reached at `address`, and hang up again.

        It is told a key made for this alone, so that no connection is disturbed.

        Raises:
            UsageError: `bad-address`, or `self-dial`.
            PeerError: `dial-failed`, or `wrong-peer`.
            LocalError: `banned`; `too-many-connections` at our own limit.
        """

    async def reserve(self, relay: PeerId) -> int:
        """Let a connected peer be our relay, so that others reach us through it.

        Returns:
            Until when, seconds since 1970 UTC by the relay's clock.

        Raises:
            PeerError: `refused`, `protocol-unsupported`, and as a stream may.
        """

    async def punch(
        self, peer: PeerId, endpoints: Sequence[Endpoint], *, leads: bool
    ) -> None:
        """Connect directly to a peer that we are connected to through a relay.

        We dial from where we listen, so that a router that lets our packets out lets
        the peer's in, which does the same at the same moment. The direct connection
        takes the place of the relayed one: watchers get another `PeerUp`.

        Args:
            peer: who.
            endpoints: where it may be; the first that answers counts. Our own are
                passed over, those that are banned, and of a peer that dialled us those
                that would be refused if it came by itself.
            leads: whether to secure the connection as who dialled; the peer, which
                dialled as well, then does so as who was dialled.

        Raises:
            PeerError: `dial-failed`, or `wrong-peer` when somebody else answers.
            LocalError: `too-many-connections` at our own limit.
        """

    async def open_stream(self, peer: PeerId, protocols: Sequence[str]) -> Stream:
        """Open a stream in the first of `protocols` that the peer speaks too.

        Raises:
            PeerError: `not-connected`, `protocol-unsupported`, `too-slow`,
                `too-many-streams` or `stream-reset`.
        """

    def peers(self) -> list[PeerInfo]:
        """Return the connected peers, oldest connection first."""

    def info(self, peer: PeerId) -> PeerInfo | None:
        """Return a connected peer; None for one that is not."""

    def is_throttled(self) -> bool:
        """Tell whether it is our own limit on bandwidth that what we send waits for."""

    def report(self, peer: PeerId, code: str) -> None:
        """Count a fault against `peer`; one too many ends its connection."""

    async def disconnect(self, peer: PeerId) -> None:
        """End the connection to `peer`, if there is one. Never raises, never hangs."""

    def watch(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Return a channel of comings and goings, beginning with those present.

        It holds `WATCH_EVENTS`. A watcher that falls further behind finds its
        channel at an end after what was queued, and calls `watch` again: the
        new one begins with everybody present, so nothing is lost silently.
        It also ends when the network closes.
        """

    def stats(self) -> NetworkStats:
        """Return the counters."""
