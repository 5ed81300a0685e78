"""A network on which things go wrong, between a node and the real one.

Dials and streams take their round trips, and fail while a peer is cut off; what
travels on a stream is late, held or lost (`faults.streams`). The rest is the
network's own: handshakes, limits, and who is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, cast

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.background import open_background
from moltp2p.net.base import (
    ConnectionLimits,
    Network,
    Stream,
    StreamHandler,
)
from moltp2p.net.gossip.peering import PROTOCOLS as GOSSIP
from moltp2p.node.config import Config
from moltp2p.node.world import OpenNetwork
from moltp2p.proto.address import parse_address
from moltp2p.testing.faults.conditions import Faults
from moltp2p.testing.faults.loss import Sieve
from moltp2p.testing.faults.streams import FaultyStream
from moltp2p.testing.sim.dialling import DIAL_ROUND_TRIPS

AGAIN_S: Final = 1.0
"""How often connections to peers that are cut off are looked for, once noticed."""

_LIMITS: Final = ConnectionLimits()


class FaultyNetwork:
    """What a node sees of the network: in all but three calls, the network itself.

    Args:
        network: the real one.
        faults: what is wrong with it.
        nursery: runs the reading of streams; ends with the network.
    """

    def __init__(self, network: Network, faults: Faults, nursery: trio.Nursery) -> None:
        self._network = network
        self._faults = faults
        self._nursery = nursery

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the network's own
        """Return what faults do not concern: who is there, limits, counters."""
        return getattr(self._network, name)

    def handle(self, protocol: str, handler: StreamHandler) -> None:
        """Serve inbound streams, through the faults."""

        async def serve(stream: Stream) -> None:
            faulty = self._through(stream)
            try:
                await handler(faulty)
            finally:
                faulty.stop()

        self._network.handle(protocol, serve)

    async def dial(self, address: str) -> PeerId:
        """Connect to a peer, after so many round trips; not to one that is cut off."""
        peer = parse_address(address).peer
        await trio.sleep(2 * DIAL_ROUND_TRIPS * self._faults.latency_s(peer))
        if not await self._within_reach(peer, _LIMITS.dial_s):
            raise PeerError("dial-failed", f"{address} does not answer: cut off")
        return await self._network.dial(address)

    async def open_stream(self, peer: PeerId, protocols: Sequence[str]) -> Stream:
        """Open a stream, after a round trip; not to a peer that is cut off."""
        await trio.sleep(2 * self._faults.latency_s(peer))
        if not await self._within_reach(peer, _LIMITS.negotiate_s):
            raise PeerError("too-slow", f"{peer} does not answer: cut off")
        return self._through(await self._network.open_stream(peer, protocols))

    async def give_up(self) -> None:
        """End connections to peers that have been cut off for long enough, for ever."""
        faults = self._faults
        while True:
            if not faults.gone:
                await faults.changed()
            elif trio.current_time() < faults.noticed_at:
                with trio.move_on_at(faults.noticed_at):
                    await faults.changed()
            else:
                for info in self._network.peers():
                    if faults.is_cut(info.peer):
                        faults.counts["hung-up"] += 1
                        await self._network.disconnect(info.peer)
                with trio.move_on_after(AGAIN_S):
                    await faults.changed()

    def _through(self, stream: Stream) -> FaultyStream:
        sieve = Sieve() if stream.protocol in GOSSIP else None
        faulty = FaultyStream(stream, self._faults, sieve)
        self._nursery.start_soon(faulty.pump)
        return faulty

    async def _within_reach(self, peer: PeerId, within_s: float) -> bool:
        """Wait so long for a peer to be reachable; tell whether it is."""
        with trio.move_on_after(within_s):
            while self._faults.is_cut(peer):
                await self._faults.changed()
            return True
        self._faults.counts["refused"] += 1
        return False


def faulty(open_network: OpenNetwork, faults: Faults) -> OpenNetwork:
    """Return what opens the same network, with faults between it and the node.

    Args:
        open_network: as in `node.world.World`.
        faults: of one node; change them while it runs.
    """

    def opening(config: Config, seed: bytes) -> AbstractAsyncContextManager[Network]:
        return open_faulty_network(open_network(config, seed), faults)

    return opening


@asynccontextmanager
async def open_faulty_network(
    opening: AbstractAsyncContextManager[Network], faults: Faults
) -> AsyncIterator[Network]:
    """Run a network, with faults between it and its user, for the length of the block.

    Raises:
        MoltError: what opening it does.
    """
    async with opening as network, open_background() as nursery:
        between = FaultyNetwork(network, faults, nursery)
        nursery.start_soon(between.give_up)
        yield cast("Network", between)
