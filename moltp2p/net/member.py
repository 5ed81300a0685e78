"""A connected peer, as the switch holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from moltp2p.net.base import PeerInfo
from moltp2p.proto.address import group_of
from moltp2p.proto.peers.crowding import crowded_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moltp2p.core.ids import PeerId
    from moltp2p.net.transport import Connection
    from moltp2p.proto.access import AccessRules


@dataclass(slots=True, eq=False)
class Member:
    """A connected peer, and what we hold against it.

    Attributes:
        connection: where its new streams go.
        connected_at: `trio.current_time()` of the moment it was secured.
        outbound: whether we dialled; of a direct connection that took the place of a
            relayed one, whether we dialled that.
        faults: what it did wrong.
        punched: whether a direct connection took the place of a relayed one, by now.
        relayed: that one, until its streams have had time to end.
        group: the network group that it is in; kept, as making it takes 10 us.
    """

    connection: Connection
    connected_at: float
    outbound: bool
    faults: int = 0
    punched: bool = False
    relayed: Connection | None = None
    group: str = field(init=False)

    def __post_init__(self) -> None:
        """Note the group."""
        self.group = group_of(self.connection.address.endpoint)

    @property
    def peer(self) -> PeerId:
        """Who it is."""
        return self.connection.address.peer

    def is_bettered_by(self, connection: Connection) -> bool:
        """Tell whether we are connected through a relay, and that one is direct."""
        here = self.connection.address.relay
        return here is not None and connection.address.relay is None

    def yields_to(self, new: Connection, own: PeerId, at_once_s: float) -> bool:
        """Tell whether the newer of two connections to one peer is to stay.

        Both ends must choose the same. When both dialled at the same moment, the
        direct one stays, if one of the two is relayed, else the dial of the lower
        peer id; otherwise whoever dials again has lost the old connection, so the new
        one stays.

        Args:
            new: the newer.
            own: who we are.
            at_once_s: how far apart two dials may be that count as at one moment.
        """
        if self.is_bettered_by(new):
            return True
        crossed = new.outbound is not self.connection.outbound
        if not crossed or trio.current_time() - self.connected_at > at_once_s:
            return True
        if new.address.relay is not None and self.connection.address.relay is None:
            return False
        dialler = own if new.outbound else self.peer
        return dialler == min(own, self.peer)

    def better(self, old: Member) -> None:
        """Take the place of an old one that is relayed, where this one is direct."""
        self.outbound, self.faults = old.outbound, old.faults
        self.punched, self.relayed = True, old.connection

    async def retire(self, after_s: float) -> None:
        """End the relayed connection, once what goes on there has had its time."""
        if self.relayed is not None:
            await trio.sleep(after_s)
            relayed, self.relayed = self.relayed, None
            await relayed.close()

    def info(self) -> PeerInfo:
        """Return what others may know of it."""
        return PeerInfo(
            peer=self.peer,
            address=str(self.connection.address),
            outbound=self.outbound,
            connected_at=self.connected_at,
            faults=self.faults,
            punched=self.punched,
        )

    async def close(self) -> None:
        """End what connects us. Never raises, never hangs."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.connection.close)
            if self.relayed is not None:
                nursery.start_soon(self.relayed.close)


def crowded_out_of(members: Iterable[Member], access: AccessRules) -> Member | None:
    """Return who has to go where places run out; None for nobody.

    Those that we dialled stay, and those of whom the operator allows.

    Args:
        members: who is connected, the oldest first.
        access: whom the operator allows.
    """
    strangers = [
        each
        for each in members
        if not each.outbound
        and not access.is_allowed(each.connection.address.endpoint.ip, each.peer)
    ]
    index = crowded_out([each.group for each in strangers])
    return None if index is None else strangers[index]
