"""Serving as a relay: peers that nobody can dial are reached through this node.

What passes through is secured between the two; the relay sees how much, and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from libp2p.relay.circuit_v2.pb import circuit_pb2 as pb

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerDown, Stream
from moltp2p.net.circuits import (
    HOP,
    STOP,
    peer_bytes,
    read_peer,
    receive_message,
    send_message,
)
from moltp2p.proto.address import Address, address_bytes, parse_address
from moltp2p.proto.peers.relay_desk import RelayDesk, RelayLimits, RelayStats

PIECE_BYTES: Final = 64 * 1024
MAX_OWN: Final = 16
"""Addresses of ours in one answer; a machine may have more than it has room for."""


class RelayService:
    """Answers reservations and carries circuits.

    Args:
        network: where the peers are.
        limits: how much to do for them.
        clock_ms: the wall clock, milliseconds since 1970 UTC.
    """

    def __init__(
        self, network: Network, limits: RelayLimits, clock_ms: Callable[[], int]
    ) -> None:
        self._network = network
        self._desk = RelayDesk(limits)
        self._clock_ms = clock_ms
        network.handle(HOP, self.hop)

    def stats(self) -> RelayStats:
        """Return what is carried."""
        return self._desk.stats(trio.current_time())

    async def run(self) -> None:
        """Let the reservations of peers that leave go, for ever."""
        while True:
            self._desk.keep(lambda peer: self._network.info(peer) is not None)
            async for event in self._network.watch():
                if isinstance(event, PeerDown):
                    self._desk.gone(event.peer)
            await trio.lowlevel.checkpoint()

    async def hop(self, stream: Stream) -> None:
        """Serve one request."""
        ask = await receive_message(stream, pb.HopMessage)
        address = self._address_of(stream.peer)
        if address is None:
            return
        if address.relay is not None:  # no circuits through circuits
            await self._reply(stream, pb.Status.PERMISSION_DENIED)
        elif ask.type == pb.HopMessage.RESERVE:
            await self._reserve(stream, address)
        elif ask.type == pb.HopMessage.CONNECT:
            await self._connect(stream, address, read_peer(ask.peer))
        else:
            await self._reply(stream, pb.Status.UNEXPECTED_MESSAGE)

    async def _reserve(self, stream: Stream, address: Address) -> None:
        now = trio.current_time()
        if not self._desk.reserve(stream.peer, address.endpoint.ip, now):
            await self._reply(stream, pb.Status.RESERVATION_REFUSED)
            return
        limits = self._desk.limits
        own = [parse_address(each) for each in self._network.addresses()[:MAX_OWN]]
        suffix = b"\xa5\x03\x26" + peer_bytes(self._network.peer_id)
        reservation = pb.Reservation(
            expire=self._clock_ms() // 1000 + int(limits.reservation_s),
            addrs=[address_bytes(each) + suffix for each in own],
        )
        reply = pb.HopMessage(
            type=pb.HopMessage.STATUS,
            status=pb.Status.OK,
            reservation=reservation,
            limit=self._limit(),
        )
        await send_message(stream, reply)

    def _limit(self) -> pb.Limit:
        limits = self._desk.limits
        return pb.Limit(duration=int(limits.circuit_s), data=limits.circuit_bytes)

    async def _connect(self, stream: Stream, source: Address, target: PeerId) -> None:
        if not self._desk.is_reserved(target, trio.current_time()):
            await self._reply(stream, pb.Status.NO_RESERVATION)
            return
        ip = source.endpoint.ip
        with self._desk.hold_circuit(source.peer, ip, target) as may:
            if not may:
                await self._reply(stream, pb.Status.RESOURCE_LIMIT_EXCEEDED)
                return
            try:
                far = await self._call(source.peer, target)
            except PeerError:
                await self._reply(stream, pb.Status.CONNECTION_FAILED)
                return
            try:
                await self._reply(stream, pb.Status.OK, limited=True)
                await self._carry(stream, far)
            finally:
                await far.reset()
                await stream.reset()

    async def _call(self, source: PeerId, target: PeerId) -> Stream:
        """Tell the target that somebody wants to be connected; return the stream."""
        far = await self._network.open_stream(target, [STOP])
        try:
            call = pb.StopMessage(
                type=pb.StopMessage.CONNECT,
                peer=pb.PeerId(id=peer_bytes(source)),
                limit=self._limit(),
            )
            await send_message(far, call)
            answer = await receive_message(far, pb.StopMessage)
        except BaseException:  # cancelled, too: the far end would wait for us
            await far.reset()
            raise
        if answer.status != pb.Status.OK:
            await far.reset()
            raise PeerError("refused", f"{target} does not want to be connected")
        return far

    async def _carry(self, near: Stream, far: Stream) -> None:
        """Carry bytes both ways until either ends, or the circuit's share is spent."""
        left = [self._desk.limits.circuit_bytes]
        with trio.move_on_after(self._desk.limits.circuit_s):
            async with trio.open_nursery() as nursery:
                end = nursery.cancel_scope.cancel
                nursery.start_soon(self._pump, near, far, left, end)
                nursery.start_soon(self._pump, far, near, left, end)

    async def _pump(
        self, source: Stream, sink: Stream, left: list[int], end: Callable[[], None]
    ) -> None:
        try:
            while left[0] > 0 and (data := await source.receive_some(PIECE_BYTES)):
                left[0] -= len(data)
                self._desk.carried_bytes += len(data)
                await sink.send_all(data)
        except PeerError:
            return  # one of them is gone, and so the circuit
        finally:
            end()

    async def _reply(
        self, stream: Stream, status: pb.Status.ValueType, *, limited: bool = False
    ) -> None:
        limit = self._limit() if limited else None
        reply = pb.HopMessage(type=pb.HopMessage.STATUS, status=status, limit=limit)
        await send_message(stream, reply)

    def _address_of(self, peer: PeerId) -> Address | None:
        info = self._network.info(peer)
        return None if info is None else parse_address(info.address)
