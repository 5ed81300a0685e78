"""What a connection does while it ends."""

from __future__ import annotations

import trio

from moltp2p.core.ids import PublicKey
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.connection import LibP2PConnection
from moltp2p.net.containment import Offer
from moltp2p.proto.address import Address, parse_endpoint, peer_id_of
from tests.fuzz.wire import Ending
from tests.patience import PATIENCE_S

MALLORY = Address(
    parse_endpoint("/ip4/127.0.0.1/tcp/1"), peer_id_of(PublicKey(bytes(32)))
)


class Wire:
    """A socket that is closed at once."""

    bandwidth = None

    def abort(self) -> None: ...


async def refuse(offer: Offer) -> None:
    await offer.reset()


async def test_a_stream_may_be_closed_at_any_moment_of_a_connections_end(
    nursery: trio.Nursery,
) -> None:
    """Tasks take turns by chance, and one moment in four is the wrong one."""
    for _ in range(30):
        connection = LibP2PConnection(
            Ending(b""),  # type: ignore[arg-type]
            Wire(),  # type: ignore[arg-type]
            MALLORY,
            ConnectionLimits(),
            outbound=False,
        )
        ended = trio.Event()

        async def run(
            connection: LibP2PConnection = connection, ended: trio.Event = ended
        ) -> None:
            await connection.run(refuse)
            ended.set()

        nursery.start_soon(run)
        with trio.fail_after(PATIENCE_S):
            while not ended.is_set():
                # Only while nothing runs there, or it would never end.
                if connection._nursery and not connection._nursery.child_tasks:
                    connection._linger(trio.sleep_forever)
                await trio.lowlevel.checkpoint()
