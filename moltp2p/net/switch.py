"""The switch: who is connected, and which handler serves which stream.

Both networks are this switch with another transport under it, so that what is
tested in memory holds on sockets. It takes the place of libp2p's Swarm and
BasicHost, which one stranger can end or fill (spec/decisions).

Life of a connection::

    dial ──┐                            ┌─ PeerDown, slot given back
    accept ┴─ handshake ─ settle ─ PeerUp ─ streams … end ─┘

A peer has one connection. For a moment it may have two: when a direct one takes the
place of a relayed one, there is another PeerUp, new streams go to the direct one, and
those on the relayed one may end in peace. When the direct one ends, so does the other.
"""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from moltp2p.core.errors import LocalError, PeerError, UsageError
from moltp2p.net.admission import Slots, StreamSlots
from moltp2p.net.background import open_background
from moltp2p.net.bandwidth import Bandwidth
from moltp2p.net.base import (
    ConnectionLimits,
    NetworkStats,
    PeerDown,
    PeerEvent,
    PeerUp,
)
from moltp2p.net.containment import BLAMELESS, Counts, serve
from moltp2p.net.log import get_logger
from moltp2p.net.member import Member, crowded_out_of
from moltp2p.net.watchers import Watchers
from moltp2p.proto.address import Address, parse_address, peer_id_of
from moltp2p.proto.peers.crowding import is_crowded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from moltp2p.core.ids import PeerId
    from moltp2p.core.keys import Signer
    from moltp2p.net.base import FaultHandler, PeerInfo, Stream, StreamHandler
    from moltp2p.net.containment import Offer
    from moltp2p.net.transport import Connection, Transport
    from moltp2p.proto.access import AccessRules
    from moltp2p.proto.address import Endpoint

log = get_logger(__name__)

RETIRE_S: Final = 60.0  # SPEC 04: "up to 60 seconds more for the streams on it"
"""How long a relayed connection lasts once a direct one took its place: as long as an
answer may take that is under way on it (spec 06)."""


class Switch:
    """Implements `net.base.Network` over any transport.

    Args:
        signer: the node's key.
        limits: what strangers may hold.
        nursery: where connections live.
        on_fault: told of each fault of a peer.

    Attributes:
        transport: set once, by whoever opens the network.
        slots: the connections held; the transport admits inbound ones through it.
        bandwidth: what goes up and down; the transport's sockets keep to it.
        counts: what was refused, wrong or buggy.
    """

    transport: Transport

    def __init__(
        self,
        signer: Signer,
        limits: ConnectionLimits,
        nursery: trio.Nursery,
        on_fault: FaultHandler | None,
    ) -> None:
        self.limits = limits
        self.slots = Slots(limits)
        self.bandwidth = Bandwidth(limits)
        self.counts = Counts()
        self._signer = signer
        self._peer_id = peer_id_of(signer.public)
        self._nursery = nursery
        self._on_fault = on_fault
        self._handlers: dict[str, StreamHandler] = {}
        self._members: dict[PeerId, Member] = {}
        self._dials: dict[PeerId, trio.Lock] = {}
        self._watchers = Watchers()
        self._streams = StreamSlots(limits)

    @property
    def peer_id(self) -> PeerId:
        """Who we are."""
        return self._peer_id

    @property
    def access(self) -> AccessRules:
        """Who may not connect, and who always may (`net.base.Network`)."""
        return self.slots.access

    @property
    def signer(self) -> Signer:
        """Return what signs as this node (`net.base.Network`)."""
        return self._signer

    @property
    def protocols(self) -> Sequence[str]:
        """What we have handlers for."""
        return tuple(self._handlers)

    def addresses(self) -> list[str]:
        """Return where we listen (`net.base.Network`)."""
        return [str(address) for address in self.transport.addresses()]

    def handle(self, protocol: str, handler: StreamHandler) -> None:
        """Serve inbound streams of `protocol` (`net.base.Network`)."""
        self._handlers[protocol] = handler

    async def dial(self, address: str) -> PeerId:
        """Connect to `address` (`net.base.Network`)."""
        target = self._target(address)
        lock = self._dials.setdefault(target.peer, trio.Lock())
        try:
            async with lock:
                if target.peer not in self._members:
                    await self._connect(target, partial(self.transport.dial, target))
        finally:
            if not lock.locked():
                self._dials.pop(target.peer, None)
        return target.peer

    async def reserve(self, relay: PeerId) -> int:
        """Let a connected peer be our relay (`net.base.Network`)."""
        return await self.transport.reserve(relay)

    async def try_out(self, address: str) -> None:
        """See whether somebody can be reached there (`net.base.Network`)."""
        target = self._target(address)
        with self.slots.hold_outbound():
            await self.transport.try_out(target)

    async def punch(
        self, peer: PeerId, endpoints: Sequence[Endpoint], *, leads: bool
    ) -> None:
        """Connect to a relayed peer directly, too (`net.base.Network`)."""
        # TCP would connect us with ourselves.
        own = {each.endpoint for each in self.transport.addresses()}
        member = self._members.get(peer)
        is_guest = member is None or not member.outbound
        targets = [
            Address(each, peer)
            for each in endpoints
            if each not in own
            and not self.access.is_banned(each.ip, peer)
            and not (is_guest and self._refuses(each))
        ]
        if targets:
            dial = partial(self.transport.punch, targets, leads=leads)
            await self._connect(targets[0], dial, is_guest=is_guest)

    def _refuses(self, endpoint: Endpoint) -> bool:
        code = self.slots.refusal(endpoint.ip, trio.current_time())
        if code is not None:
            self.counts.refused[code] += 1
        return code is not None

    def _target(self, address: str) -> Address:
        """Return an address that may be dialled."""
        target = parse_address(address)
        if target.peer == self._peer_id:
            raise UsageError("self-dial", f"{address} is this node itself")
        if self.access.is_banned(target.endpoint.ip, target.peer):
            raise LocalError(
                "banned", f"{address} is banned here", "see: moltp2p admin bans"
            )
        return target

    async def _connect(
        self,
        target: Address,
        dial: Callable[[], Awaitable[Connection]],
        *,
        is_guest: bool = False,
    ) -> None:
        with ExitStack() as hold:
            hold.enter_context(self.slots.hold_outbound())
            connection = await self._dialled(target, dial)
            if is_guest:
                hold.close()
                await self._let_in(connection, hold)
            with trio.CancelScope(shield=True):  # it is carried, or it is not
                carry = partial(self.carry, is_guest=is_guest)
                await self._nursery.start(carry, connection, hold.pop_all())

    async def _let_in(self, connection: Connection, hold: ExitStack) -> None:
        """Count a connection as if its peer had come to the door."""
        endpoint = connection.address.endpoint
        if self._refuses(endpoint):
            await connection.close()
            raise PeerError("dial-failed", f"{connection.address} has enough of us")
        hold.enter_context(self.slots.hold_inbound(endpoint.ip)).secured()

    async def _dialled(
        self, target: Address, dial: Callable[[], Awaitable[Connection]]
    ) -> Connection:
        with trio.move_on_after(self.limits.dial_s):
            return await dial()
        raise PeerError(
            "dial-failed", f"{target}: no answer within {self.limits.dial_s:g} s"
        )

    async def carry(
        self,
        connection: Connection,
        hold: ExitStack,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        *,
        is_guest: bool = False,
    ) -> None:
        """Carry a secured connection to its end; started once it may be used.

        Owns `connection` and the slot in `hold`; whatever happens on the
        connection ends here. Of a guest, it is one that we dialled because the
        peer wants to be connected.
        """
        with hold:
            try:
                member = self._join(connection, is_guest=is_guest)
                task_status.started()
                if member is not None:
                    await self._carry(member)
            finally:
                await connection.close()

    async def _carry(self, member: Member) -> None:
        try:
            async with trio.open_nursery() as streams:
                streams.start_soon(member.retire, RETIRE_S)
                await member.connection.run(partial(self._offered, member, streams))
                streams.cancel_scope.cancel()
        except* Exception as group:  # noqa: BLE001 — every kind (C1): a connection
            # must not end the node.
            self.counts.bug("connection", group)
        finally:
            self._leave(member)
            await member.close()

    def _join(self, connection: Connection, *, is_guest: bool) -> Member | None:
        """Make the connection its peer's only one, or return None."""
        peer = connection.address.peer
        # The address was asked about before the handshake; a ban may be younger.
        if self.access.is_banned(connection.address.endpoint.ip, peer):
            self.slots.refused["banned"] += 1
            self.counts.refused["banned"] += 1
            return None
        old = self._members.get(peer)
        if old is not None and not old.yields_to(
            connection, self._peer_id, self.limits.dial_s
        ):
            return None
        is_ours = connection.outbound and not is_guest
        member = Member(connection, trio.current_time(), is_ours)
        if old is None and not is_ours and not self._finds_room(member):
            return None
        if old is not None and old.is_bettered_by(connection):
            member.better(old)
        elif old is not None:
            member.punched = old.punched
            self._hang_up(old)
        self._members.pop(peer, None)  # to the end: the oldest connection is first
        self._members[peer] = member
        self._watchers.tell(PeerUp(member.info()))
        return member

    def _finds_room(self, newest: Member) -> bool:
        """Let go of somebody, if places run out; return False if it is the newest."""
        if not is_crowded(self.slots.inbound, self.limits.inbound):
            return True
        last = crowded_out_of([*self._members.values(), newest], self.access)
        if last is None:
            return True
        self.counts.refused["crowded-out"] += 1
        if last is not newest:
            self._hang_up(last)
        return last is not newest

    def _hang_up(self, member: Member) -> None:
        self._leave(member)
        self._nursery.start_soon(member.close)

    def _leave(self, member: Member) -> None:
        if self._members.get(member.peer) is member:
            del self._members[member.peer]
            self._watchers.tell(PeerDown(member.peer))

    async def _offered(
        self, member: Member, streams: trio.Nursery, offer: Offer
    ) -> None:
        if self._streams.take(member.peer):
            streams.start_soon(self._serve, member, offer)
        else:
            self._blame(member, "too-many-streams")
            await offer.reset()

    async def _serve(self, member: Member, offer: Offer) -> None:
        try:
            await serve(
                offer,
                self._handlers,
                self.limits.negotiate_s,
                partial(self._blame, member),
                self.counts,
            )
        finally:
            self._streams.give_back(member.peer)

    async def open_stream(self, peer: PeerId, protocols: Sequence[str]) -> Stream:
        """Open a stream (`net.base.Network`)."""
        member = self._members.get(peer)
        if member is None:
            raise PeerError("not-connected", f"no connection to {peer}")
        with trio.move_on_after(self.limits.negotiate_s):
            return await member.connection.open_stream(protocols)
        raise PeerError(
            "too-slow", f"{peer} agreed on no protocol in {self.limits.negotiate_s:g} s"
        )

    def peers(self) -> list[PeerInfo]:
        """Return the connected peers (`net.base.Network`)."""
        return [member.info() for member in self._members.values()]

    def info(self, peer: PeerId) -> PeerInfo | None:
        """Return a connected peer, if it is one (`net.base.Network`)."""
        member = self._members.get(peer)
        return None if member is None else member.info()

    def watch(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Return a channel of comings and goings (`net.base.Network`)."""
        return self._watchers.add([PeerUp(info) for info in self.peers()])

    def report(self, peer: PeerId, code: str) -> None:
        """Count a fault against `peer` (`net.base.Network`)."""
        if member := self._members.get(peer):
            self._blame(member, code)

    def _blame(self, member: Member, code: str) -> None:
        self.counts.faults[code] += 1
        if code in BLAMELESS:
            return
        member = self._members.get(member.peer, member)
        member.faults += 1
        if self._on_fault is not None:
            self._on_fault(member.peer, code)
        rule = self.access.of_peer(member.peer)
        allowed = rule is not None and rule.allows
        if member.faults == self.limits.faults_per_peer and not allowed:
            log.warning("hung-up", peer=member.peer, code=code, faults=member.faults)
            self._hang_up(member)

    async def disconnect(self, peer: PeerId) -> None:
        """End the connection to `peer` (`net.base.Network`)."""
        if member := self._members.get(peer):
            self._leave(member)
            await member.close()

    def is_throttled(self) -> bool:
        """Tell whether we wait for our own limit (`net.base.Network`)."""
        return self.bandwidth.is_throttled()

    def stats(self) -> NetworkStats:
        """Return the counters (`net.base.Network`)."""
        members, now = self._members.values(), trio.current_time()
        return NetworkStats(
            connections=len(members),
            inbound=sum(not member.outbound for member in members),
            limits=self.slots.use(now) | self._streams.use() | self.bandwidth.use(now),
            up_bytes=self.bandwidth.up.total,
            down_bytes=self.bandwidth.down.total,
            refused=dict(self.counts.refused),
            faults=dict(self.counts.faults),
            handler_bugs=dict(self.counts.handler_bugs),
        )

    async def close(self) -> None:
        """End every connection, all at once, in at most `close_s`."""
        with trio.move_on_after(self.limits.close_s, shield=True):
            async with trio.open_nursery() as nursery:
                for member in self._members.values():
                    nursery.start_soon(member.close)
        self._watchers.close()


@asynccontextmanager
async def open_switch(
    signer: Signer, limits: ConnectionLimits, on_fault: FaultHandler | None
) -> AsyncIterator[tuple[Switch, trio.Nursery]]:
    """Run a switch for the length of the block; say goodbye to everybody at its end."""
    async with open_background() as nursery:
        switch = Switch(signer, limits, nursery, on_fault)
        try:
            yield switch, nursery
        finally:
            await switch.close()
