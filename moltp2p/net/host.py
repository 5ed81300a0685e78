"""The real network: the switch on libp2p's Noise, yamux and multistream, over TCP.

libp2p's Swarm and BasicHost do not run: four of the defects by which a stranger
can end or fill a node are theirs (C1, C3, H15, and the dead connection that
`connect` goes on using), and what they add costs 0.25 s a connection instead of
5 ms (spec/decisions).
"""

from __future__ import annotations

import logging
import math
import secrets
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio
from libp2p.crypto import ed25519, x25519
from libp2p.custom_types import TProtocol
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.security.noise import transport as noise
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey
from libp2p.stream_muxer.yamux import yamux
from libp2p.transport.upgrader import TransportUpgrader

from moltp2p.core.errors import MoltError, PeerError, UsageError
from moltp2p.core.keys import Signer
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.connection import LibP2PConnection
from moltp2p.net.door import Arrival, Door
from moltp2p.net.hardening import BoundedSocket
from moltp2p.net.identify import IDENTIFY, PING, Introduction, ping
from moltp2p.net.relayed import Relayed
from moltp2p.net.sockets import bound_at, connect_first, expanded, open_listeners
from moltp2p.net.stream_wire import StreamWire
from moltp2p.net.switch import open_switch
from moltp2p.proto.address import (
    Address,
    Endpoint,
    parse_endpoint,
    parse_peer_id,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from libp2p.abc import ISecureConn

    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import FaultHandler, Network
    from moltp2p.net.switch import Switch

Wire = BoundedSocket | StreamWire

LOOK_S: Final = 5.0
"""How long a look at this machine's addresses is good for; one takes 70 us."""


class TcpTransport:
    """Makes connections over TCP (`net.switch.Transport`).

    Args:
        seed: 32 secret bytes, the node's Ed25519 key.
        switch: takes the connections that others open.
        nursery: where relayed ones end.

    Attributes:
        relayed: connections through relays.
    """

    def __init__(self, seed: bytes, switch: Switch, nursery: trio.Nursery) -> None:
        self._upgrader = _upgrader(seed)
        self._switch = switch
        self._limits = switch.limits
        self._listeners: list[socket.socket] = []
        self._bound: list[Endpoint] = []
        self._endpoints: list[Endpoint] = []
        self._looked_at = -math.inf
        self._accepting = trio.CancelScope()
        self.relayed = Relayed(switch, nursery, self._secure_relayed)

    # -- listening -------------------------------------------------------------

    async def listen(self, endpoints: Sequence[Endpoint]) -> None:
        """Open a socket on every endpoint, or on none.

        Raises:
            LocalError: `port-in-use` or `cannot-listen`.
        """
        try:
            for endpoint in endpoints:
                self._listeners += await open_listeners(endpoint)
        except BaseException:  # cancelled, too: on every endpoint, or on none
            for listener in self._listeners:
                listener.close()
            raise
        self._bound = [bound_at(listener) for listener in self._listeners]

    async def serve(self, nursery: trio.Nursery) -> None:
        """Take connections, each in `nursery`, until `stop`."""
        with self._accepting:
            async with trio.open_nursery() as doors:
                for listener in self._listeners:
                    door = Door(listener, self._switch.slots, self._switch.counts)
                    doors.start_soon(door.keep, nursery, self._take)

    def stop(self) -> None:
        """Stop listening; `serve` closes the sockets on its way out."""
        self._accepting.cancel()

    def endpoints(self) -> list[Endpoint]:
        """Return where we listen; the wildcard address stands for each of ours.

        A machine's addresses come and go: they are looked up again every `LOOK_S`.
        """
        now = trio.current_time()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._endpoints = [one for each in self._bound for one in expanded(each)]
        return self._endpoints

    def addresses(self) -> list[Address]:
        """Return where we listen, and who answers there."""
        return [Address(each, self._switch.peer_id) for each in self.endpoints()]

    async def _take(self, arrival: Arrival) -> None:
        """Carry a connection that the door let in; its slot goes with it (C3)."""
        wire = self._wire(arrival.stream)
        counts = self._switch.counts
        try:
            # C3: upstream gives an inbound slot back only when the node ends
            # (`network/swarm.py:1994, 2060`).
            with arrival.hold as hold:
                connection = await self._welcome(wire, arrival.remote)
                arrival.slot.secured()
                await self._switch.carry(connection, hold.pop_all())
        except* PeerError as group:
            counts.refused[_code(group)] += 1
        except* Exception as group:  # noqa: BLE001 — every kind (C1): one stranger
            # must not end the node.
            counts.bug("accept", group)
        finally:
            wire.abort()

    def _wire(self, stream: trio.SocketStream) -> BoundedSocket:
        return BoundedSocket(stream, self._limits.write_s, self._switch.bandwidth)

    async def _welcome(self, wire: BoundedSocket, remote: Endpoint) -> LibP2PConnection:
        with trio.move_on_after(self._limits.handshake_s):
            nobody = Address(remote, self._switch.peer_id)
            return await self._secure(wire, nobody, None, self._upgrader)
        raise PeerError("handshake-failed", f"{remote} took too long")

    # -- dialling --------------------------------------------------------------

    async def dial(self, address: Address) -> LibP2PConnection:
        """Connect and agree on keys."""
        if address.relay is not None:
            return await self.relayed.dial(address)
        return await self._dial(address, self._upgrader)

    async def reserve(self, relay: PeerId) -> int:
        """Let a connected peer be our relay."""
        return await self.relayed.reserve(relay)

    async def _secure_relayed(
        self, wire: StreamWire, where: Address, expected: PeerId | None
    ) -> LibP2PConnection:
        return await self._secure(wire, where, expected, self._upgrader)

    async def punch(
        self, targets: Sequence[Address], *, leads: bool
    ) -> LibP2PConnection:
        """Connect from where we listen, and agree on keys."""
        stream, target = await connect_first(self._listeners, targets)
        expected = target.peer if leads else None
        wire = self._wire(stream)
        connection = await self._secure(wire, target, expected, self._upgrader)
        if connection.address.peer != target.peer:
            await connection.close()
            raise PeerError("wrong-peer", f"somebody else is at {target}")
        return connection

    async def try_out(self, address: Address) -> None:
        """Connect and agree on keys that are made for this alone; hang up."""
        connection = await self._dial(address, _upgrader(secrets.token_bytes(32)))
        await connection.close()

    async def _dial(
        self, address: Address, upgrader: TransportUpgrader
    ) -> LibP2PConnection:
        endpoint = address.endpoint
        try:
            stream = await trio.open_tcp_stream(str(endpoint.ip), endpoint.port)
        except OSError as error:
            raise PeerError("dial-failed", f"{address}: {error}") from error
        wire = self._wire(stream)
        try:
            return await self._secure(wire, address, address.peer, upgrader)
        except PeerError as error:
            if error.code == "wrong-peer":
                raise
            raise PeerError("dial-failed", f"{address}: {error.message}") from error

    # -- both ------------------------------------------------------------------

    async def _secure(
        self,
        wire: Wire,
        where: Address,
        expected: PeerId | None,
        upgrader: TransportUpgrader,
    ) -> LibP2PConnection:
        """Return a secured connection; closes the wire when there is none.

        Args:
            wire: what it is to run on.
            where: the other end, but for the peer, who has yet to prove itself.
            expected: whom we dialled; None when somebody dialled us.
            upgrader: our key.
        """
        try:
            return await self._upgrade(wire, where, expected, upgrader)
        except MoltError:
            wire.abort()
            raise
        except Exception as error:
            # Every kind, on purpose (C1): Noise, protobuf and multistream raise a
            # dozen kinds over a stranger's bytes, UnicodeDecodeError among them.
            wire.abort()
            code = "handshake-failed"
            if isinstance(error.__cause__, PeerIDMismatchesPubkey):
                code = "wrong-peer"
            raise PeerError(code, f"{where.endpoint}: {error!r}") from error
        except BaseException:  # cancelled: nobody else knows of the wire
            wire.abort()
            raise

    async def _upgrade(
        self,
        wire: Wire,
        where: Address,
        expected: PeerId | None,
        upgrader: TransportUpgrader,
    ) -> LibP2PConnection:
        outbound = expected is not None
        secured = await upgrader.upgrade_security(
            RawConnection(wire, outbound),
            outbound,
            None if expected is None else ID.from_string(expected),
        )
        peer = _proven_peer(secured)
        if peer == self._switch.peer_id:
            raise PeerError("self-dial", "this node called itself")
        await upgrader.muxer_multistream.select_transport(secured)
        return LibP2PConnection(
            secured, wire, replace(where, peer=peer), self._limits, outbound=outbound
        )


def _upgrader(seed: bytes) -> TransportUpgrader:
    """Return what secures connections with that key."""
    keys = ed25519.create_new_key_pair(seed)
    session_key = x25519.create_new_key_pair().private_key
    # Noise and yamux alone: without this, libp2p also offers plaintext.
    return TransportUpgrader(
        {noise.PROTOCOL_ID: noise.Transport(keys, session_key)},
        {TProtocol(yamux.PROTOCOL_ID): yamux.Yamux},
    )


def _proven_peer(secured: ISecureConn) -> PeerId:
    try:
        return parse_peer_id(secured.get_remote_peer().to_base58())
    except UsageError as error:
        raise PeerError("handshake-failed", error.message) from None


def _code(group: BaseExceptionGroup[PeerError]) -> str:
    inner = group.exceptions[0]
    return inner.code if isinstance(inner, PeerError) else _code(inner)


@asynccontextmanager
async def open_host(
    seed: bytes,
    listen: Sequence[str],
    *,
    limits: ConnectionLimits | None = None,
    on_fault: FaultHandler | None = None,
) -> AsyncIterator[Network]:
    """Run a libp2p node for the length of the block.

    Ready on entry: it listens. At the end it says goodbye to every peer, for at
    most `limits.close_s` however stuck they are, and its sockets are closed.

    Args:
        seed: 32 secret bytes, the node's Ed25519 key.
        listen: multiaddrs such as `/ip4/127.0.0.1/tcp/0`; none is fine too.
        limits: what strangers may hold.
        on_fault: told of each fault of a peer.

    Raises:
        UsageError: `bad-address` for what is no multiaddr to listen on.
        LocalError: `port-in-use` or `cannot-listen`.
    """
    endpoints = [parse_endpoint(text) for text in listen]
    signer = Signer(seed)
    # libp2p logs every stranger's mistake as an error: they would fill the disk.
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    async with open_switch(signer, limits or ConnectionLimits(), on_fault) as (
        switch,
        nursery,
    ):
        transport = TcpTransport(seed, switch, nursery)
        switch.transport = transport
        us = Introduction(signer.public, transport.endpoints, lambda: switch.protocols)
        switch.handle(IDENTIFY, us.serve)
        switch.handle(PING, ping)
        await transport.listen(endpoints)
        if endpoints:
            nursery.start_soon(transport.serve, nursery)
        try:
            yield switch
        finally:
            transport.stop()
