"""Being reached, and reaching others, through a relay.

Noise and yamux run from one end to the other, on a stream through the relay, which
can neither read nor write what passes.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import trio
from libp2p.relay.circuit_v2.pb import circuit_pb2 as pb

from moltp2p.core.errors import PeerError
from moltp2p.net.circuits import (
    HOP,
    STOP,
    peer_bytes,
    read_peer,
    receive_message,
    send_message,
)
from moltp2p.net.stream_wire import StreamWire
from moltp2p.proto.address import Address, parse_address

if TYPE_CHECKING:
    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import Stream
    from moltp2p.net.connection import LibP2PConnection
    from moltp2p.net.switch import Switch


class Secure(Protocol):
    """Secures a wire: as the dialler of `expected`, or as the listener."""

    async def __call__(
        self, wire: StreamWire, where: Address, expected: PeerId | None
    ) -> LibP2PConnection:
        """Return the connection; `where` names the relay."""


class Relayed:
    """The relayed connections of a node.

    Args:
        switch: where they are carried.
        nursery: where their streams end.
        secure: makes connections of streams.
    """

    def __init__(self, switch: Switch, nursery: trio.Nursery, secure: Secure) -> None:
        self._switch = switch
        self._nursery = nursery
        self._secure = secure
        self._relays: dict[PeerId, float] = {}  # since when the relay was connected
        switch.handle(STOP, self.stop)

    async def reserve(self, relay: PeerId) -> int:
        """Ask a connected peer to be our relay (`net.base.Network`).

        Raises:
            PeerError: `refused`; `protocol-unsupported` and what else a stream may
                raise.
        """
        stream = await self._switch.open_stream(relay, [HOP])
        try:
            await send_message(stream, pb.HopMessage(type=pb.HopMessage.RESERVE))
            answer = await receive_message(stream, pb.HopMessage)
        finally:
            await stream.close()
        if answer.status != pb.Status.OK:
            raise PeerError("refused", f"{relay} is no relay for us: {answer.status}")
        self._note(relay)
        return answer.reservation.expire

    def _note(self, relay: PeerId) -> None:
        """Take a reservation in; those end with the connections they were made on."""
        known = {each: at for each, at in self._relays.items() if self._is_relay(each)}
        if (info := self._switch.info(relay)) is not None:
            known[relay] = info.connected_at
        self._relays = known

    def _is_relay(self, peer: PeerId) -> bool:
        info = self._switch.info(peer)
        return info is not None and self._relays.get(peer) == info.connected_at

    async def dial(self, address: Address) -> LibP2PConnection:
        """Return a connection to a peer behind a relay."""
        relay = address.relay
        if relay is None:
            raise AssertionError("not behind a relay")
        await self._switch.dial(str(Address(address.endpoint, relay)))
        stream = await self._switch.open_stream(relay, [HOP])
        try:
            target = pb.PeerId(id=peer_bytes(address.peer))
            ask = pb.HopMessage(type=pb.HopMessage.CONNECT, peer=target)
            await send_message(stream, ask)
            _check(address, await receive_message(stream, pb.HopMessage))
        except BaseException:  # cancelled, too: the relay would hold the circuit
            await stream.reset()
            raise
        wire = StreamWire(stream, self._nursery)
        return await self._secure(wire, address, address.peer)

    async def stop(self, stream: Stream) -> None:
        """Take a connection that a relay of ours announces; carry it to its end."""
        ask = await receive_message(stream, pb.StopMessage)
        relay = self._address_of(stream.peer)
        if (
            relay is None
            or ask.type != pb.StopMessage.CONNECT
            or not self._is_relay(stream.peer)
        ):
            await self._reply(stream, pb.Status.PERMISSION_DENIED)
            return
        source = read_peer(ask.peer)
        ip = relay.endpoint.ip
        if self._switch.slots.refusal(ip, trio.current_time()):
            await self._reply(stream, pb.Status.RESOURCE_LIMIT_EXCEEDED)
            return
        with ExitStack() as hold:
            slot = hold.enter_context(self._switch.slots.hold_inbound(ip))
            await self._reply(stream, pb.Status.OK)
            where = Address(relay.endpoint, source, stream.peer)
            connection = await self._welcome(stream, where)
            slot.secured()
            await self._switch.carry(connection, hold.pop_all())

    async def _welcome(self, stream: Stream, where: Address) -> LibP2PConnection:
        wire = StreamWire(stream, self._nursery)
        with trio.move_on_after(self._switch.limits.handshake_s):
            connection = await self._secure(wire, where, None)
            if connection.address.peer != where.peer:
                await connection.close()
                raise PeerError("wrong-peer", "a relay announced somebody else")
            return connection
        raise PeerError("handshake-failed", f"{where} took too long")

    async def _reply(self, stream: Stream, status: pb.Status.ValueType) -> None:
        reply = pb.StopMessage(type=pb.StopMessage.STATUS, status=status)
        await send_message(stream, reply)

    def _address_of(self, peer: PeerId) -> Address | None:
        info = self._switch.info(peer)
        return None if info is None else parse_address(info.address)


def _check(address: Address, answer: pb.HopMessage) -> None:
    if answer.status != pb.Status.OK:
        known = answer.status in pb.Status.values()
        why = pb.Status.Name(answer.status) if known else str(answer.status)
        raise PeerError("dial-failed", f"{address}: the relay says {why}")
