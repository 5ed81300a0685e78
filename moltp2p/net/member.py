"""A connected peer, as the switch holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from moltp2p.net.base import PeerInfo

if TYPE_CHECKING:
    from moltp2p.core.ids import PeerId
    from moltp2p.net.transport import Connection


@dataclass(slots=True, eq=False)
class Member:
    """A connected peer, and what we hold against it.

    Attributes:
        connection: where its new streams go.
        connected_at: `trio.current_time()` of the moment it was secured.
        faults: what it did wrong.
        streams: those that it has open with us on this connection.
        punched: whether a direct connection took the place of a relayed one, by now.
        relayed: that one, until its streams have had time to end.
    """

    connection: Connection
    connected_at: float
    faults: int = 0
    streams: int = 0
    punched: bool = False
    relayed: Connection | None = None

    @property
    def peer(self) -> PeerId:
        """Who it is."""
        return self.connection.address.peer

    def is_bettered_by(self, connection: Connection) -> bool:
        """Tell whether we are connected through a relay, and that one is direct."""
        here = self.connection.address.relay
        return here is not None and connection.address.relay is None

    def info(self) -> PeerInfo:
        """Return what others may know of it."""
        return PeerInfo(
            peer=self.peer,
            address=str(self.connection.address),
            outbound=self.connection.outbound,
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
